"""Write musicgen-streamer.tosc, a TouchOSC layout that steers the instrument.

The faders come from the instrument's own table of parameters and use its ``/norm`` addresses, since a TouchOSC fader
speaks 0 to 1; the numbers beside them show ``/str``, the value with its unit. The buttons of the last page send what is
asked for with arguments. After a change of the table or of the commands run again::

    python examples/touchosc/make_layout.py
"""

import uuid
from pathlib import Path

import py2tosc
from py2tosc import Control, Document, ui

from osc.values import Value
from streamer.control.score import PLAYERS
from streamer.control.table import SLOTS, SYNCS, TABLE
from streamer.control.tempo import QUANTA
from streamer.surfaces.commands import (
    COMMANDS,
    DELETE,
    FADE,
    LEARN,
    LOAD,
    RAMP_BEATS,
    RECORD,
    SAVE,
    TAP,
    UNDO,
    WEIGHTS,
)

LAYOUT = Path(__file__).with_name("musicgen-streamer.tosc")
FADERS = ("temperature", "topk", "topp", "cfg", "volume", "loudness", "lead")
COLORS = ("#3a86ff", "#8338ec", "#b5179e", "#ff006e", "#fb5607", "#ffbe0b", "#2a9d8f")
ACTIONS = {"play": "#2a9d8f", "stop": "#e9c46a", "reset": "#457b9d", "panic": "#e63946"}
PROMPTS = (
    "ambient pads, slow, warm",
    "lo-fi hip hop, mellow piano, 80 bpm",
    "deep house, 122 bpm, driving bass",
    "drum and bass, 174 bpm, energetic",
    "jazz trio, brushed drums",
    "dub techno, deep, hazy",
    "solo piano, tender",
    "funk, slap bass, tight drums",
)
"""One for each slot of a blend; the first four are also buttons of the first page."""
TEMPOS = (0, 80, 100, 122, 140, 174)
KEYS = ("", "C major", "D minor", "E minor", "F major", "G major", "A minor", "B flat major")
SNAPSHOTS = "ABCDEF"
FADE_SECONDS, MORPH_SECONDS = 8.0, 4.0
RAMPS = (("volume", -24.0, 16.0), ("volume", 0.0, 16.0), ("temperature", 1.5, 16.0), ("temperature", 1.0, 16.0))
"""Name, target, and beats."""
CHORDS = ("N", "Am", "C", "Dm7", "Em", "F", "G7")
PROGRESSIONS = ("", "Am F C G", "Dm7 G7 C", "C . Am . F . G .", "Em | C G | D")
LEARNT = ("volume", "temperature", "energy", "prompt/1", "prompt/2", "snapshot/A")
"""What a MIDI knob or note can be taught from here."""
RECEIVE_PORT = 7772
SUBSCRIBE = f"""
-- Ask for feedback on the receive port of connection 1, again every 5 s since a subscription is a lease.
local due = 0
function update()
  if getMillis() >= due then
    due = getMillis() + 5000
    sendOSC('/mg/subscribe', {RECEIVE_PORT})
  end
end
"""
METERS = {"level": "level dB", "rtf": "x real time", "buffer_ms": "buffer ms", "xruns": "drop-outs", "bar": "bar"}


def layout() -> Document:
    """The whole layout: what plays, the pages, and on each of them the actions and the meters."""
    root = ui.column(
        shown("prompt", "/mg/prompt", size=24),
        ui.pager(play(), blend(), time(), band(), memory(), name="pages"),
        ui.row(*(action_button(name, color) for name, color in ACTIONS.items()), gap=6),
        ui.row(*(meter(name, caption) for name, caption in METERS.items()), gap=6),
        sizes=(1, 8.5, 1.5, 1),
        gap=8,
        pad=10,
        frame=(0, 0, 1024, 768),
        name="musicgen-streamer",
        script=SUBSCRIBE,
    )
    document = Document(root=root)
    document.resolve()
    give_lasting_ids(document)
    return document


def play() -> Control:
    """Four prompts, and the faders."""
    return ui.column(
        ui.row(*(asking(text, "prompt", text) for text in PROMPTS[:4]), gap=6),
        ui.row(*(fader(name, color) for name, color in zip(FADERS, COLORS, strict=True)), gap=6),
        sizes=(1.5, 6),
        gap=8,
        pad=6,
        name="play",
    )


def blend() -> Control:
    """A strip for each slot: a button that fills it, its weight, and what it holds; below, ways from blend to blend."""
    colors = (*COLORS, "#8d99ae")
    strips = (
        ui.column(
            asking(text, TABLE[slot].path if slot != "prompt" else "prompt/1/text", text, size=11),
            py2tosc.fader(name=weight, color=color, messages=[ui.osc(f"/mg/{TABLE[weight].path}/norm")]),
            shown(f"{weight} value", f"/mg/{TABLE[weight].path}/str"),
            shown(f"{slot} text", f"/mg/{TABLE[slot].path}", size=10),
            sizes=(2, 6, 0.8, 1.2),
        )
        for (slot, weight), text, color in zip(SLOTS.items(), PROMPTS, colors, strict=True)
    )
    alone = (asking(f"{number + 1} alone", WEIGHTS.path, *[0.0] * number, 1.0) for number in range(4))
    fades = (asking(f"fade to {number + 1}", FADE.path, text, FADE_SECONDS) for number, text in enumerate(PROMPTS[:4]))
    return ui.column(ui.row(*strips, gap=6), ui.row(*alone, *fades, gap=6), sizes=(6, 1), gap=8, pad=6, name="blend")


def time() -> Control:
    """Tempo, key, what waits for the beat, and glides in beats."""
    tempos = (asking(f"{bpm} bpm" if bpm else "tempo of prompt", "tempo", float(bpm), size=18) for bpm in TEMPOS)
    keys = (asking(key or "key of prompt", "key", key, size=18) for key in KEYS)
    quanta = (asking(f"at next {name}" if QUANTA[name] else "at once", "quantise", name, size=18) for name in QUANTA)
    glides = (
        asking(f"{name} to {target:g} in {beats:g} beats", RAMP_BEATS.path, name, target, beats)
        for name, target, beats in RAMPS
    )
    position = (
        ui.row(words(name), shown(f"{name} now", f"/mg/status/{name}", size=28)) for name in ("tempo", "bar", "beat")
    )
    return ui.column(
        ui.row(*position, shown("key", "/mg/key", size=28), shown("quantise", "/mg/quantise", size=28), gap=6),
        *(ui.row(*buttons, gap=6) for buttons in (tempos, keys, quanta, glides, with_others())),
        gap=8,
        pad=6,
        name="time",
    )


def with_others() -> tuple[Control, ...]:
    """Tap, whose beat is followed, and the lock, which brings the music's own beat onto it."""
    sources = (asking(f"beat of {name}", "sync", name) for name in SYNCS)
    locks = (asking(caption, "lock", value) for caption, value in (("lock", 1.0), ("no lock", 0.0)))
    shifts = (asking(f"shift {beats:g} beats", TABLE["lockshift"].path, beats) for beats in (0.0, 0.5))
    return (asking("tap", TAP.path, size=24), *sources, *locks, *shifts, shown("lock now", "/mg/status/lock", size=18))


def band() -> Control:
    """What only models with score inputs follow: chords, players, energy; and what MIDI knobs can be taught."""
    chords = (asking(name, "chord", name, size=20) for name in CHORDS)
    rounds = (asking(text or "no progression", "progression", text) for text in PROGRESSIONS)
    players = (
        [asking(f"{name} {word}", TABLE[f"player_{name}"].path, word) for name in PLAYERS]
        for word in ("on", "off", "auto")
    )
    learnt = (asking(f"learn {name}", LEARN.path, name, size=12) for name in LEARNT)
    left = ui.column(
        ui.row(*chords, gap=6),
        ui.row(*rounds, gap=6),
        *(ui.row(*row, gap=6) for row in players),
        ui.row(*learnt, gap=6),
        gap=8,
    )
    return ui.row(left, fader("energy", COLORS[4]), sizes=(9, 1), gap=8, pad=6, name="band")


def memory() -> Control:
    """Snapshots, undo, recordings, and other commands with arguments as somebody may send them. None that deletes."""
    saves = (asking(f"save {name}", SAVE.path, name, size=20) for name in SNAPSHOTS)
    loads = (asking(f"go to {name}", LOAD.path, name, MORPH_SECONDS, size=20) for name in SNAPSHOTS)
    here = {SAVE, LOAD, DELETE, UNDO, RECORD, FADE, WEIGHTS, RAMP_BEATS, TAP, LEARN}
    others = [command for command in COMMANDS if command not in here]
    middle = -(-len(others) // 2)
    more = [asking(" ".join(map(str, (c.path, *c.sample))), c.path, *c.sample, size=13) for c in others]
    return ui.column(
        ui.row(*saves, gap=6),
        ui.row(*loads, gap=6),
        ui.row(
            asking("undo", UNDO.path, size=24),
            asking("record take-1", RECORD.path, *RECORD.sample, size=20),
            asking("end the recording", RECORD.path, "0", size=20),
            gap=6,
        ),
        ui.row(*more[:middle], gap=6),
        ui.row(*more[middle:], gap=6),
        gap=8,
        pad=6,
        name="memory",
    )


def shown(name: str, address: str, *, size: int = 14) -> Control:
    """A label that shows the text or number which arrives at the address, and sends nothing."""
    arriving = ui.osc(address, args=[ui.value("text", conversion="STRING")], var="text", send=False)
    return py2tosc.label(name=name, text_size=size, text_clip=True, messages=[arriving])


def asking(caption: str, path: str, *arguments: Value, size: int = 14) -> Control:
    """A button that sends these arguments, or 1 where there are none, when it is pressed; edit them in the editor."""
    sent = [ui.const(str(a), conversion="STRING" if isinstance(a, str) else "FLOAT") for a in arguments]
    sending = ui.osc(f"/mg/{path}", args=sent or None, on="RISE", receive=False)
    return ui.labelled(py2tosc.button(name=caption, color="#264653", messages=[sending]), caption, size=size)


def fader(name: str, color: str) -> Control:
    path = TABLE[name].path
    moving = py2tosc.fader(name=name, color=color, messages=[ui.osc(f"/mg/{path}/norm")])
    return ui.column(
        words(name),
        moving,
        shown(f"{name} value", f"/mg/{path}/str"),
        sizes=(1, 8, 1),
    )


def action_button(name: str, color: str) -> Control:
    """Sends 1 when it is pressed; the 0 of its release, which the instrument ignores, is not even sent."""
    button = py2tosc.button(name=name, color=color, messages=[ui.osc(f"/mg/{name}", on="RISE", receive=False)])
    return ui.labelled(button, name, size=22)


def meter(name: str, caption: str) -> Control:
    return ui.row(words(caption, size=12), shown(name, f"/mg/status/{name}"))


def words(text: str, size: int = 14) -> Control:
    return ui.labelled(py2tosc.box(name=f"{text} caption", background=False, outline=False), text, size=size)


def give_lasting_ids(document: Document) -> None:
    """Replace the random node ids, so that the same table gives the same file."""
    for place, control in enumerate(document.walk()):
        control.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"musicgen-streamer.tosc/{place}"))


if __name__ == "__main__":
    layout().save(LAYOUT, validate=True)
