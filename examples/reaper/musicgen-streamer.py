"""A ReaScript: sends the instrument what REAPER's pattern file cannot, like `ramp volume -20 8` or `undo`.

In REAPER: Actions, Show action list, New action, Load ReaScript. Run it, and it asks for a line: a command from the
table below and its arguments, with quotes around what has spaces. A copy of this file in which `LINE` is a line asks
for nothing, so a key or a toolbar button can send it: LINE = "rewind 8".
"""

import shlex
import socket
import struct

from reaper_python import RPR_GetExtState, RPR_GetUserInputs, RPR_SetExtState, RPR_ShowMessageBox

HOST, PORT, PREFIX = "127.0.0.1", 7770, "/mg"
LINE = ""
TITLE = "MusicGen Streamer"

# A command: what its arguments are (s a text, f a number), how many it needs, and what they mean.
# Written by make_script.py from the instrument's own table.
COMMANDS = {
    "ramp": ("sff", 2, "name, target, [seconds]"),
    "ramp/beats": ("sff", 3, "name, target, beats"),
    "tempo/tap": ("", 0, ""),
    "prompt/weights": ("f", 1, "weight..."),
    "prompt/fade": ("sf", 1, "prompt, [seconds]"),
    "prompt/fade/beats": ("sf", 2, "prompt, beats"),
    "snapshot/save": ("s", 1, "name"),
    "snapshot/load": ("sf", 1, "name, [seconds]"),
    "snapshot/delete": ("s", 1, "name"),
    "record": ("s", 1, "name"),
    "undo": ("", 0, ""),
    "continue": ("sff", 1, "file, [from], [to]"),
    "rewind": ("f", 1, "seconds"),
    "loop/capture": ("f", 1, "bars"),
    "loop/release": ("", 0, ""),
    "loop/overdub": ("", 0, ""),
    "midi/learn": ("s", 1, "name"),
    "midi/forget": ("s", 1, "name"),
    "sync/host": ("fff", 2, "bpm, beats, [playing]"),
    "fx/1/param": ("sf", 2, "name, value"),
    "fx/2/param": ("sf", 2, "name, value"),
    "fx/3/param": ("sf", 2, "name, value"),
    "fx/4/param": ("sf", 2, "name, value"),
}


def main() -> None:
    """Send one line, or say what is wrong with it."""
    line = LINE or asked()
    if line:
        try:
            packet = message(line)
        except ValueError as error:
            RPR_ShowMessageBox(str(error), TITLE, 0)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(packet, (HOST, PORT))


def asked() -> str:
    """The line that somebody types, beginning with the last one; empty where the dialog was left."""
    last = RPR_GetExtState(TITLE, "line") or "ramp volume -20 8"
    # A comma would end the field: no line holds the separator that is named here.
    answer = RPR_GetUserInputs(TITLE, 1, "Command:,extrawidth=300,separator=\n", last, 1024)
    if not answer[0]:
        return ""
    line = str(answer[4]).strip()
    RPR_SetExtState(TITLE, "line", line, False)
    return line


def message(line: str) -> bytes:
    """A line as an OSC message; ValueError, with a sentence, where it is none that the instrument knows."""
    name, _, rest = line.strip().partition(" ")
    if name not in COMMANDS:
        raise ValueError(f"There is no command {name}: choose one of {', '.join(COMMANDS)}.")
    kinds, least, usage = COMMANDS[name]
    words = [rest.strip()] if kinds == "s" and rest.strip() else split(name, rest)
    if usage.endswith("..."):
        kinds = kinds * max(1, len(words))
    if not least <= len(words) <= len(kinds):
        raise ValueError(f"{name} takes {usage or 'nothing'}; put quotes around what has spaces.")
    tags, data = ",", b""
    for kind, word in zip(kinds, words, strict=False):
        tags += kind
        data += padded(word) if kind == "s" else struct.pack(">f", number(name, word))
    return padded(f"{PREFIX}/{name}") + padded(tags) + data


def split(name: str, rest: str) -> list[str]:
    """The words of a line, of which some are quoted."""
    try:
        return shlex.split(rest)
    except ValueError:
        raise ValueError(f"{name} has a quote that does not end.") from None


def number(name: str, word: str) -> float:
    """A word as a number."""
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"{name} takes a number, and {word} is none.") from None


def padded(text: str) -> bytes:
    """A string as OSC has it: ended by zeros, up to a multiple of four bytes."""
    data = text.encode() + b"\0"
    return data + bytes(-len(data) % 4)


main()
