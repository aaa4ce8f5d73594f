"""docs/osc.md, written from the table: ``python -m streamer.docs > docs/osc.md``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from osc.command import Command
from osc.feedback import DATAGRAM_BYTES
from osc.later import HORIZON, QUEUE
from osc.packet import DEFAULT_LIMITS, TEXT_BYTES
from osc.parameter import Parameter
from osc.subscribers import DEFAULT_HZ, HIGHEST_HZ, LEASE, LOWEST_HZ, MOST
from streamer.control.table import ACTIONS, PARAMETERS, SAMPLING, STATUS
from streamer.engine.course import CROSSFADE_FRAMES, TURN_FRAMES
from streamer.engine.looper import LONGEST
from streamer.engine.pace import WORDINGS
from streamer.engine.trail import REMEMBERED
from streamer.surfaces.commands import COMMANDS

PREFIX = "/mg"
"""The prefix that the page shows, and the one the instrument has unless it is told otherwise."""

HEAD = f"""\
# Control over OSC

<!-- Written by `make docs` from the table in streamer/control/table.py. Change it there. -->

The instrument listens for Open Sound Control on port 7770 of localhost, which is 127.0.0.1
and ::1, by UDP and by TCP. Over TCP packets are framed by SLIP (OSC 1.1) or by their sizes
(OSC 1.0): it answers as you send. A subscription by TCP needs no port and no confirmation, and ends
with the connection. Every address begins with `{PREFIX}`; the command line can change host, port
and prefix. Three messages are enough to play:

```
oscsend localhost 7770 {PREFIX}/prompt s "slow ambient pads"
oscsend localhost 7770 {PREFIX}/temperature f 1.2
oscsend localhost 7770 {PREFIX}/volume/norm f 0.8
```

A change is heard from the next 20 ms frame of the music on; what is queued already
(`{PREFIX}/lead`) plays first.
"""

NUMBERS = f"""
- **Numbers** may come as any OSC type that holds one: i, f, h, d, T, F, or a text that spells a
  number. An int is rounded, a bool is off at 0 and on at anything else. NaN and infinity are
  refused.
- **A value out of range** takes the nearest value in range, and the sender is told which.
- **`ADDRESS/norm`** takes 0..1 for the whole range, as faders send it; along a log curve equal
  steps are equal ratios.
- **A text** is all arguments joined by spaces, so that Pure Data and Max need no quotes. It holds
  at most {TEXT_BYTES} bytes of UTF-8; what is longer is cut. Control characters become spaces. An
  address alone is no text: for an empty one send "".
- **`ADDRESS/z`**, which TouchOSC sends when a finger touches a fader, is ignored.
- **A pattern** stands for several addresses: `{PREFIX}/{{topk,topp}}/norm`, `{PREFIX}/get/*`.
  `*` is any characters and `?` one, `[a-c]` and `[!a-c]` one of a set, `{{a,b}}` one of
  several texts; none crosses a slash. It stands for parameters, actions and `get`.
- **A seed** that is sent again throws the same dice again, though its value does not change.
- **A melody** is a path as the instrument's machine sees it, `input` for its default audio input,
  or `input:DEVICE` with a number or a part of a name out of `streamer devices`. `midi` is the tune
  of the notes that are played: of those at `{PREFIX}/notes`, or of the MIDI keys of the channel at
  `{PREFIX}/midi/chords` (of any channel where that is 0) the highest one. What is played is
  followed 4 s later. A file is read beside the music. What cannot be followed is answered by an
  error, and the value goes back to what plays. A file that is sent again begins anew. Other
  machines name files under `--media` only.
"""

COMMANDS_MORE = f"""
- **A name** is a parameter as in the table above, as its address or the end of it:
  `{PREFIX}/volume`, `volume`, `prompt/2/weight`.
- **A glide** follows the fader's own curve and is worked out frame by frame, the volume by the
  sample. A tempo glides from the one that beats are counted by; the beat goes on without a jump,
  and the prompts' words follow in whole bpm, in {WORDINGS} steps at most. `seed`, `lora/strength`
  and `lead` cannot glide, and the answer says why; a snapshot loaded over several seconds sets them
  at once.
- **Blends**: each slot N has `{PREFIX}/prompt/N/text` and `{PREFIX}/prompt/N/weight`;
  `{PREFIX}/prompt` is slot 1. Only the ratios of the weights count. Melody models play the prompt
  with the greatest weight.
- **Snapshots** lie as JSON in your configuration folder; they hold everything but `lead`.
- **`{PREFIX}/continue`** reads and encodes the passage while the music plays, then crossfades into
  it and carries on from its end. Beats are counted from the start of the passage. Files are named
  as for `{PREFIX}/melody`; other machines name those under `--media` only. Without from and to it
  is the whole file, 10 minutes at most. A file that is sent again is read again.
- **`{PREFIX}/rewind`** remembers the last {REMEMBERED:g} s, including what played before a reset or a
  passage.
  Prompts and all other values stay as they are, so the music goes on differently. Undo does not
  take it back.
- **Both** are heard {TURN_FRAMES / 50:g} s after they are applied, in a crossfade of {CROSSFADE_FRAMES / 50:g} s; one
  with a time is heard at its time. Of several, and of a reset among them, the last one counts. An
  engine that is replaced in the middle of a passage goes on from the passage's end; one that dies
  within half a second after a turn may go on from before it.
- **`{PREFIX}/loop/capture`** waits for the next bar (for half a bar or a quarter: the next half,
  the next beat), and for as many bars as were asked for to have been heard. {LONGEST:g} s can go
  round. The sound itself is repeated, before the effects, and each round begins on the clock's bar:
  where that has another tempo by then, bars are cut or begun again. All else that is asked for acts
  on the music, which goes on unheard until `{PREFIX}/loop/release`, or is heard beside the loop
  after `{PREFIX}/loop/overdub`. A loop is no value: snapshots do not hold it, a recording's journal
  does. An engine that is replaced has lost it, and goes on with the music.
- **`{PREFIX}/quantise`** makes changes of prompts, keys and snapshots, resets, `continue` and
  `rewind` wait for the next beat, bar, 2 or 4 bars. Beats are counted from the last reset, in the
  tempo of `{PREFIX}/status/tempo`. A bar has four of them, whatever a DAW's metre is.
- **`{PREFIX}/sync`** says whose beat is counted: our own, that of an Ableton Link session, a MIDI
  clock, or a DAW. `{PREFIX}/quantise` then waits for the bar of all. [sync.md](sync.md) tells more.
- **`{PREFIX}/midi/learn`** takes a number or a switch by its name as above, an action, `prompt/N` (that
  slot alone), or `snapshot/NAME`. What has been learnt stands at `{PREFIX}/midi/map`, and a snapshot
  keeps it. A knob of 14 bits and an NRPN count as one.
- **`{PREFIX}/fx/N/load`** puts a plug-in into slot N of the chain behind the built-in effects:
  `lv2:URI` or `vst3:NAME`, as `streamer fx` lists them, with settings where you like:
  `lv2:urn:zamaudio:ZamDelay; time=250; drywet=30%`. It is loaded beside the music. Only what is
  installed can be loaded, never a path. [fx.md](fx.md) tells more.
- **`{PREFIX}/fx/N/param/NAME`** moves one of its parameters, in the plug-in's own unit;
  `{PREFIX}/fx/N/param/NAME/norm` takes 0..1. They are kept in the text at `{PREFIX}/fx/N/load`, so
  snapshots, undo and recordings have them. They do not glide.
- **`{PREFIX}/record`** writes into `recordings/NAME` below the folder that the instrument was
  started in, and answers with the name. Other machines may only with `--osc-keep` or the secret.
  The sound is a WAV file, or FLAC where the instrument was started with `--record-as flac`.
"""

REPLIES = f"""
## Questions

| send | with | answer |
|---|---|---|
| `{PREFIX}/get/PATH` | | the value at PATH, for example `{PREFIX}/get/volume` or `{PREFIX}/get/status/rtf` |
| `{PREFIX}/dump` | | all values and all status |
| `{PREFIX}/ping` | | `{PREFIX}/pong`; also renews a subscription |
| `{PREFIX}/subscribe` | `[port] [prefix] [hz]` | the values at or below the prefix, now and at each change |
| `{PREFIX}/unsubscribe` | `[port]` | |

- **Answers** go to where the question came from, or to the port that this sender has subscribed
  with. The plain value comes first, in a message by itself, then `/norm` and `/str` in a bundle.
- **Beyond this machine** a receiver first gets `{PREFIX}/confirm` with a text, and sends it back
  as it is; until then hardly anything is sent to it: see [network.md](network.md), which also
  says who can be let in.
- **A subscription** lasts {LEASE:g} s after the last `subscribe` or `ping`. Without a port (or
  with port 0) feedback goes to the port it was asked from. The prefix narrows it
  (`{PREFIX}/status`). `hz` is how often feedback is sent at most, {LOWEST_HZ:g} to
  {HIGHEST_HZ:g} times a second, {DEFAULT_HZ:g} if not given; in between only the last value
  counts. {MOST} clients can subscribe at a time.
- **No echo**: a client does not hear of its own changes, unless a value had to be clamped.

## OSCQuery

`streamer play --osc-query 7772` describes all addresses to programs that read OSCQuery: JSON by
HTTP on that TCP port (0: any free one) with TYPE, RANGE, VALUE, ACCESS, DESCRIPTION and UNIT, and
LISTEN by WebSocket on the same port. It is announced by zeroconf as `_oscjson._tcp`, OSC itself as
`_osc._udp`, both as "MusicGen Streamer", where OSC can be reached: on this machine alone, unless
`--osc-host` lets others in. Whom OSC hears may ask; where there is a secret, this machine alone.
`/norm` and `/str` are not listed. It needs `pip install 'musicgen-streamer[query]'`.

```
curl http://localhost:7772{PREFIX}/volume
```

## Feedback

A number arrives as three messages: `ADDRESS` in its unit, `ADDRESS/norm` (0..1), and
`ADDRESS/str` as a person reads it, with the unit. A bool does so too, as the int 0 or 1 and as
"off" or "on". A text arrives as itself. Datagrams are shorter than {DATAGRAM_BYTES} bytes;
several messages travel in a bundle.
"""

ERRORS = f"""
## Errors

What cannot be done is answered by `{PREFIX}/error` with two texts: the address it was about
(empty for a datagram that is no OSC) and a sentence that says what is wrong. A client that sends
many errors is told of some, and of how many it was spared. The music goes on whatever arrives.

Clients are served in turns. Of a client that sends faster than it can be served, the last value
of each name counts.

## Bundles

All changes of a bundle are heard from one moment on: that of its time tag, to the frame (20 ms),
and volume, mute and loudness to the sample. A prompt is heard once it changes a
token: within a frame of its time in nine cases out of ten, otherwise a frame or two later. For all
that the bundle has to arrive as far ahead as the sound is on its way, see
`{PREFIX}/status/latency_ms`. What arrives later, or is tagged "immediately", takes the next frame,
whole; the sender of a late one is told `{PREFIX}/late` with the seconds that it missed its time by.
A bundle waits for its slowest part, a prompt to encode or a melody to read, and holds up nothing
else meanwhile.

**A bundle takes effect whole or not at all.** Where a part of it is refused (an address that is not
there, a value that cannot be read, a command that cannot be done, a melody that cannot be followed)
none of its changes is made. Its sender is told at `{PREFIX}/error` which part it was and why, and
that nothing else that came with it was applied. `{PREFIX}/play`, `stop`, `panic` and `lead` obey the
sound that is queued already: they do not wait for a part that has to be prepared, nor go back with
it. A get in a bundle is answered at its time in any case. Each command in a bundle is a change of
its own for undo. A bundle may lie up to {HORIZON:g} s ahead, and {QUEUE} messages may wait.

A datagram holds at most {DEFAULT_LIMITS.size} bytes, {DEFAULT_LIMITS.messages} messages of
{DEFAULT_LIMITS.arguments} arguments, and bundles {DEFAULT_LIMITS.depth} deep.
"""


FX_STATUS = (f"`{PREFIX}/fx/N/status`", "What plays in slot N of the chain of plug-ins, or why it does not.")


def page() -> str:
    """The whole of docs/osc.md."""
    return "\n".join(
        [
            HEAD,
            "## Parameters\n",
            table(["address", "type", "range", "default", "curve", ""], map(_row, PARAMETERS)),
            NUMBERS,
            "## Actions\n",
            'Send them without arguments, with a bang (`bang`, "", nil, an empty array) or with anything but 0:\n'
            "a 0 is the release of a button, and is ignored.\n",
            table(["address", ""], ([f"`{PREFIX}/{action.name}`", action.doc] for action in ACTIONS)),
            "\n## Commands\n",
            "They take arguments. In a bundle with a time they act at that time.\n",
            table(["address", "with", "for example", ""], map(_command, COMMANDS)),
            COMMANDS_MORE,
            REPLIES,
            "## Status\n",
            "Told to subscribers, and answered to `get`; never set.\n",
            table(["address", ""], [*([f"`{PREFIX}/status/{name}`", doc] for name, doc in STATUS.items()), FX_STATUS]),
            ERRORS.rstrip("\n"),
            "",
        ]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("|  |", "| |")


def _command(command: Command) -> list[str]:
    """One command as cells."""
    sample = " ".join(json.dumps(value) if isinstance(value, str) else f"{value:g}" for value in command.sample)
    return [f"`{PREFIX}/{command.path}`", command.usage, f"`{sample}`" if sample else "", command.doc]


def _row(parameter: Parameter) -> list[str]:
    """One parameter as cells; where a model has a say in the default, the cell says so."""
    letter = {"float": "f", "int": "i", "bool": "i", "text": "s...", "path": "s..."}[parameter.kind]
    default = parameter.format(parameter.default) or "empty"
    if parameter.name in SAMPLING:
        default = f"the model's ({default})"
    spread = f"{parameter.format(parameter.low)} .. {parameter.format(parameter.high)}"
    if parameter.kind == "int" and parameter.words:
        spread = ", ".join(word for word, _ in parameter.words)
    texts = ", ".join(parameter.choices) or f"up to {TEXT_BYTES} bytes"
    span = {"bool": "0 or 1", "text": texts, "path": "a file"}.get(parameter.kind, spread)
    curve = parameter.curve if parameter.kind in ("float", "int") else ""
    return [f"`{PREFIX}/{parameter.path}`", letter, span, default, curve, parameter.doc]


if __name__ == "__main__":
    sys.stdout.write(page())
