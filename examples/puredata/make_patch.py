"""Write musicgen-streamer.pd, the Pure Data patch that steers the instrument.

Ranges, slots and commands come from the instrument's own table, so after a change of that table run this again::

    python examples/puredata/make_patch.py

Everything in the patch is also received by name from other patches: `mg-` and the address, its slashes as hyphens.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from osc.command import Command
from osc.parameter import Parameter
from osc.values import Value
from streamer.control.table import ACTIONS, SLOTS, TABLE
from streamer.surfaces.commands import COMMANDS, RECORD

PATCH = Path(__file__).with_name("musicgen-streamer.pd")
PORT = 7770
FADERS = ("temperature", "topk", "cfg", "volume", "tempo")
WORDS = ("key", "quantise")
BAND = ("chord", "progression", "notes", "player_drums", "player_bass", "player_chords", "player_lead", "sync", "lock")
"""What is typed on the right: what the band plays, and whose beat it is."""
METERS = {
    "level": "level dB",
    "rtf": "x real time",
    "buffer_ms": "buffer ms",
    "xruns": "xruns",
    "latency_ms": "latency ms",
    "tempo": "bpm",
    "beat": "beat",
    "bar": "bar",
}
COLORS = "#fcfcfc #000000 #000000"


class Patch:
    """The lines of a patch: objects are counted as they are added, and cords refer to those numbers."""

    def __init__(self, width: int, height: int) -> None:
        self._lines = [f"#N canvas 60 60 {width} {height} 12;"]
        self._cords: list[str] = []

    def add(self, kind: str, x: int, y: int, text: str) -> int:
        """An object, a message, a text or a box; its number."""
        self._lines.append(f"#X {kind} {x} {y} {text};")
        return len(self._lines) - 2

    def obj(self, x: int, y: int, text: str) -> int:
        return self.add("obj", x, y, text)

    def text(self, x: int, y: int, text: str) -> None:
        self.add("text", x, y, text.replace(",", r" \,").replace(";", r" \;"))

    def cord(self, source: int, target: int, outlet: int = 0, inlet: int = 0) -> None:
        self._cords.append(f"#X connect {source} {outlet} {target} {inlet};")

    def chain(self, *boxes: int) -> None:
        for source, target in pairwise(boxes):
            self.cord(source, target)

    def sender(self, x: int, y: int, path: str) -> int:
        """What makes a message to an address of the instrument and sends it; the box to feed."""
        address = self.obj(x, y, f"oscformat mg {path.replace('/', ' ')}")
        self.cord(address, self.obj(x + 200, y, r"s \$0-osc"))
        return address

    def written(self) -> str:
        return "\n".join([*self._lines, *self._cords]) + "\n"


def named(path: str) -> str:
    """What other patches send to."""
    return "mg-" + path.replace("/", "-")


def patch() -> str:
    """The whole patch: faders, words and buttons on the left, slots and commands on the right, replies below."""
    made = Patch(2400, 820)
    made.text(20, 12, "MusicGen Streamer, steered over OSC (vanilla Pd 0.52 or later)")
    made.text(20, 32, "Start the instrument first: make play. Type words in a box and press Enter.")
    shown: dict[str, list[int]] = {"prompt": words(made, TABLE["prompt"], 20, 62, 40)}
    for place, name in enumerate(FADERS):
        shown[name] = fader(made, TABLE[name], 20, 98 + 32 * place)
    for place, name in enumerate(WORDS):
        shown[name] = words(made, TABLE[name], 20, 262 + 32 * place, 20)
    for place, action in enumerate(ACTIONS):
        button(made, action.name, 20 + 150 * place, 340)
    for place, (text, weight) in enumerate(SLOTS.items()):
        if text != "prompt":
            shown[text] = words(made, TABLE[text], 960, 44 * place + 12, 30)
        shown[weight] = share(made, TABLE[weight], 960, 44 * place + 12)
    for place, name in enumerate(BAND):
        box = words(made, TABLE[name], 1740, 62 + 44 * place, 20)
        if TABLE[name].kind == "text":
            shown[name] = box
    shown["energy"] = fader(made, TABLE["energy"], 1740, 62 + 44 * len(BAND))
    for place, command in enumerate(COMMANDS):
        ask(made, command, 960, 380 + 28 * place)
    end = 380 + 28 * len(COMMANDS)
    made.text(960, end, "end the recording")
    made.chain(made.add("msg", 1160, end, "0"), made.sender(1340, end, RECORD.path))
    connection(made, replies(made, shown))
    return made.written()


def fader(made: Patch, parameter: Parameter, x: int, y: int) -> list[int]:
    """A slider in the parameter's own unit; what a reply has to set."""
    made.text(x, y, f"{parameter.name} {parameter.unit}".strip())
    ends = f"{parameter.low:g} {parameter.high:g}"
    slider = made.obj(
        x + 110, y + 2, f"hsl 180 15 {ends} 0 0 empty {named(parameter.path)} empty -2 -8 0 10 {COLORS} 0 1"
    )
    number = made.add("floatatom", x + 310, y, "7 0 0 0 - - - 0")
    moved = slider
    if parameter.kind == "int":
        moved = made.obj(x + 370, y, "int")
        made.cord(slider, moved)
    made.cord(moved, number)
    made.cord(moved, made.sender(x + 410, y, parameter.path))
    return [slider, number]


def words(made: Patch, parameter: Parameter, x: int, y: int, width: int) -> list[int]:
    """A box for a text, which may also be sent by name; what a reply has to set."""
    made.text(x, y, parameter.path.removesuffix("/text"))
    box = made.add("listbox", x + 80, y, f"{width} 0 0 0 - - - 0")
    beside = x + 90 + 8 * width
    heard = made.obj(beside, y, f"r {named(parameter.path)}")
    whole = made.obj(beside, y + 18, "list")
    made.chain(heard, whole, box, made.sender(beside + 130, y, parameter.path))
    return [box]


def share(made: Patch, parameter: Parameter, x: int, y: int) -> list[int]:
    """A slot's weight; what a reply has to set."""
    slider = made.obj(x - 120, y + 2, f"hsl 100 15 0 1 0 0 empty {named(parameter.path)} weight -2 -8 0 8 {COLORS} 0 1")
    made.cord(slider, made.sender(x - 120, y + 18, parameter.path))
    return [slider]


def button(made: Patch, name: str, x: int, y: int) -> None:
    face = made.obj(x, y, f"bng 28 250 50 0 empty {named(name)} {name} 34 14 0 12 {COLORS}")
    made.cord(face, made.sender(x, y + 36, name))


def ask(made: Patch, command: Command, x: int, y: int) -> None:
    """A command as a message to click and to change; the command alone is received by name."""
    if command.takes:
        face = made.add("msg", x, y, " ".join(map(atom, command.sample)))
    else:
        face = made.obj(x, y, f"bng 20 250 50 0 empty empty {command.path} 26 10 0 12 {COLORS}")
    whole = made.obj(x + 330, y, "list")  # words at the front are a list's, and no message's name
    made.chain(face, whole, made.sender(x + 380, y, command.path))
    made.cord(made.obj(x + 200, y, f"r {named(command.path)}"), whole)


def atom(value: Value) -> str:
    """A value as an atom in a message: a text is one, its spaces escaped."""
    return value.replace(" ", r"\ ") if isinstance(value, str) else f"{value:g}"


def replies(made: Patch, shown: dict[str, list[int]]) -> int:
    """What comes back sets the boxes, without sending again; the box that takes the network's lists."""
    parse = made.obj(520, 840, "oscparse")
    trim = made.obj(520, 865, "list trim")
    ours = made.obj(520, 890, "route mg")
    made.chain(parse, trim, ours)
    made.cord(trim, made.obj(620, 865, "s mg-reply"))
    heads = [name for name in shown if TABLE[name].path == name and name != "prompt"]
    heads += ["prompt", "status", "error"]
    top = made.obj(520, 915, f"route {' '.join(heads)}")
    made.cord(ours, top)
    for place, name in enumerate(heads[:-3]):
        show(made, top, place, TABLE[name], shown[name])
    slots(made, top, len(heads) - 3, shown)
    status = made.obj(520, 1020, f"route {' '.join(METERS)}")
    made.cord(top, status, len(heads) - 2)
    for place, caption in enumerate(METERS.values()):
        number = made.add("floatatom", 520 + 54 * place, 640, "6 0 0 0 - - - 0")
        made.text(520 + 54 * place, 662, caption)
        made.cord(status, number, place)
    made.cord(top, made.obj(620, 960, "print musicgen-error"), len(heads) - 1)
    return parse


def slots(made: Patch, top: int, outlet: int, shown: dict[str, list[int]]) -> None:
    """`prompt TEXT` is the first slot's text; `prompt N text TEXT` and `prompt N weight SHARE` are the slots'."""
    short = made.obj(760, 940, "list split 2")
    made.cord(top, short, outlet)
    show(made, short, 2, TABLE["prompt"], shown["prompt"])
    again, parts = made.obj(760, 965, "list append"), made.obj(760, 990, "list split 1")
    made.cord(short, again, 1, 1)
    made.chain(short, again, parts)
    # The number comes as a symbol or as a float, as the version of Pure Data has it: its digit's code is one for both.
    kind = made.obj(850, 940, "route symbol float")
    code, digit = made.obj(850, 965, "list fromsymbol"), made.obj(990, 965, "+ 48")
    numbered = made.obj(850, 990, "list append")
    made.cord(parts, numbered, 1, 1)
    made.chain(parts, kind, code, numbered)
    made.cord(kind, digit, 1)
    made.cord(digit, numbered)
    by_number = made.obj(760, 1020, f"route {' '.join(str(ord('1') + place) for place in range(len(SLOTS)))}")
    made.cord(numbered, by_number)
    for place, (text, weight) in enumerate(SLOTS.items()):
        leaf = made.obj(760 + 90 * place, 1050, "route text weight")
        made.cord(by_number, leaf, place)
        if text != "prompt":
            show(made, leaf, 0, TABLE[text], shown[text])
        show(made, leaf, 1, TABLE[weight], shown[weight])


def show(made: Patch, source: int, outlet: int, parameter: Parameter, boxes: list[int]) -> None:
    """A value into its boxes. Besides the plain number come `norm` and `str`, which say the same."""
    if parameter.kind in ("text", "path"):
        set_ = made.obj(300, 960, "list prepend set")
        trim = made.obj(420, 960, "list trim")
        made.cord(source, set_, outlet)
        made.chain(set_, trim)
    else:
        plain = made.obj(300, 990, "route float")
        trim = made.add("msg", 420, 990, r"set \$1")
        made.cord(source, plain, outlet)
        made.chain(plain, trim)
    for box in boxes:
        made.cord(trim, box)


def connection(made: Patch, parse: int) -> None:
    """To the instrument's port, and the subscription, asked for again every 2 s since it is a lease."""
    made.text(20, 420, f"Port {PORT}, or this patch's first argument where it is used as an abstraction.")
    start = made.obj(20, 445, "loadbang")
    both = made.obj(20, 470, "t b b")
    given = made.obj(120, 470, r"f \$1")
    none = made.obj(120, 495, "sel 0")
    usual = made.add("msg", 120, 520, str(PORT))
    connect = made.add("msg", 190, 520, r"connect 127.0.0.1 \$1")
    network = made.obj(190, 555, "netsend -u -b")
    made.chain(start, both)
    made.cord(both, given, 1)
    made.chain(given, none, usual, connect, network)
    made.cord(none, connect, 1)
    outgoing = made.obj(340, 470, r"r \$0-osc")
    made.chain(outgoing, made.obj(340, 495, "list prepend send"), made.obj(340, 520, "list trim"), network)
    on = made.add("msg", 20, 545, "1")
    subscribe = made.obj(20, 595, "oscformat mg subscribe")
    made.chain(both, on, made.obj(20, 570, "metro 2000"), subscribe, made.obj(190, 595, r"s \$0-osc"))
    made.cord(network, parse, 1)


if __name__ == "__main__":
    PATCH.write_text(patch(), encoding="utf-8")
