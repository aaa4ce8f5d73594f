"""Write musicgen-streamer.maxpat, the Max patch that steers the instrument.

The dials take their names, ranges and units from the instrument's own table of parameters, and what is asked for with
arguments from its commands, so after a change of those run this again::

    python examples/max/make_patch.py

py2max checks every cord against Max's reference data while it is drawn.
"""

from pathlib import Path
from typing import Any

from py2max import Box, Patcher
from py2max.core.common import Rect

from osc.command import Command
from osc.parameter import Parameter
from osc.values import Value
from streamer.control.score import PLAYERS
from streamer.control.table import ACTIONS, SLOTS, TABLE
from streamer.surfaces.commands import COMMANDS, RECORD

PATCH = Path(__file__).with_name("musicgen-streamer.maxpat")
HOST, SEND_PORT, REPLY_PORT = "127.0.0.1", 7770, 7771
DIALS = ("temperature", "topk", "cfg", "volume", "tempo")
WORDS = ("key", "quantise")
BAND = ("chord", "progression", "notes", "sync")
"""Typed on the right: what the band plays, and whose beat it is."""
CLICKED = (
    *(("player_" + name, word) for name in PLAYERS for word in ("on", "off", "auto")),
    *(("energy", value) for value in (0.1, 0.5, 1.0, "auto")),
    *(("lock", 1.0), ("lock", 0.0), ("lockshift", 0.5), ("lockshift", 0.0)),
)
"""Parameters and values that are a message each."""
COMMANDS_Y, COMMANDS_ROW = 500, 24
METERS = {
    "rtf": "times real time",
    "buffer_ms": "ms in the buffer",
    "xruns": "drop-outs",
    "latency_ms": "ms latency",
    "tempo": "bpm",
    "beat": "beat",
    "bar": "bar",
}

FLOAT_UNIT, DECIBEL_UNIT, INTEGER_UNIT = 1, 4, 0  # parameter_unitstyle of Max's live.* objects
FLOAT_TYPE = 0  # parameter_type: an integer there is 8 bits wide, too few for topk


def patch() -> Patcher:
    """The whole patch: controls on the left send, the replies on the right set the controls and the meters."""
    patcher = Patcher(title="MusicGen Streamer", on_invalid="raise")
    patcher.rect = Rect(80, 90, 2680, max(900, COMMANDS_Y + COMMANDS_ROW * (len(COMMANDS) + 2)))
    note(patcher, "MusicGen Streamer over OSC. Start the instrument first: make play", Rect(20, 15, 480, 20))
    send = patcher.add_textbox(
        f"udpsend {HOST} {SEND_PORT}", numinlets=1, numoutlets=0, outlettype=[], patching_rect=Rect(20, 700, 150, 22)
    )
    replies = reply_boxes(patcher)
    note(patcher, "prompt: type, then press Enter", Rect(20, 45, 300, 20))
    words(patcher, TABLE["prompt"], Rect(20, 68, 560, 40), send, replies["prompt"])
    for place, name in enumerate(DIALS):
        dial(patcher, TABLE[name], 20 + 115 * place, send, replies[name])
    for place, name in enumerate(WORDS):
        note(patcher, name, Rect(20, 320 + 64 * place, 80, 20))
        words(patcher, TABLE[name], Rect(100, 320 + 64 * place, 200, 24), send, replies[name])
    for place, action in enumerate(ACTIONS):
        button(patcher, action.name, 20 + 110 * place, send)
    level_meter(patcher, replies["level"])
    for place, (name, label) in enumerate(METERS.items()):
        number(patcher, label, 620 + 105 * (place % 4), 495 + 60 * (place // 4), replies[f"status/{name}"])
    slots(patcher, send, replies)
    for place, name in enumerate(BAND):
        note(patcher, name, Rect(1900, 45 + 32 * place, 90, 20))
        words(patcher, TABLE[name], Rect(2000, 45 + 32 * place, 140, 24), send, replies[name])
    for place, (name, value) in enumerate(CLICKED):
        sent = f"/mg/{TABLE[name].path} {value if isinstance(value, str) else format(value, 'g')}"
        box = patcher.add_message(sent, patching_rect=Rect(1900 + 170 * (place % 3), 220 + 28 * (place // 3), 160, 22))
        patcher.add_line(box, send)
    for place, command in enumerate(COMMANDS):
        ask(patcher, command, COMMANDS_Y + COMMANDS_ROW * place, send)
    end = Command(RECORD.path, "End the recording.", RECORD.takes, ("0",))
    ask(patcher, end, COMMANDS_Y + COMMANDS_ROW * len(COMMANDS), send)
    subscription(patcher, send)
    return patcher


def note(patcher: Patcher, text: str, rect: Rect) -> None:
    patcher.add_comment(text, patching_rect=rect)


def words(patcher: Patcher, parameter: Parameter, rect: Rect, send: Box, reply: tuple[Box, int]) -> None:
    """A text field whose Enter key sends; one symbol, so that commas and numbers arrive as they were typed."""
    field = patcher.add_textbox(
        "textedit", patching_rect=rect, keymode=1, outputmode=1, wordwrap=int(rect.h > 30), parameter_enable=0
    )
    x, y = (rect.x, rect.y + rect.h + 8) if rect.x < 1000 else (rect.x + rect.w + 10, rect.y)
    typed = patcher.add_textbox(
        "route text", numinlets=2, numoutlets=2, outlettype=["", ""], patching_rect=Rect(x, y, 70, 22)
    )
    # An empty field comes out as a bang, to which prepend would add the word "bang".
    empty = patcher.add_textbox(
        "route bang", numinlets=2, numoutlets=2, outlettype=["", ""], patching_rect=Rect(x + 75, y, 70, 22)
    )
    none = patcher.add_message(f'/mg/{parameter.path} ""', patching_rect=Rect(x + 150, y, 115, 22))
    address = patcher.add_textbox(f"prepend /mg/{parameter.path}", patching_rect=Rect(x + 270, y, 160, 22))
    shown = patcher.add_textbox("prepend set", patching_rect=Rect(x + 435, y, 75, 22))
    for source, target in [
        (field, typed),
        (typed, empty),
        (empty, none),
        (none, send),
        (address, send),
        (shown, field),
    ]:
        patcher.add_line(source, target)
    patcher.add_line(empty, address, outlet=1)
    patcher.add_line(reply[0], shown, outlet=reply[1])


def slots(patcher: Patcher, send: Box, replies: dict[str, tuple[Box, int]]) -> None:
    """The prompts of a blend, a row for each: its words, and its weight."""
    note(patcher, "prompts to blend, and their weights; slot 1 is the prompt on the left", Rect(1060, 15, 500, 20))
    for place, (text, weight) in enumerate(SLOTS.items()):
        y = 45 + 32 * place
        if text != "prompt":
            words(patcher, TABLE[text], Rect(1130, y, 220, 24), send, replies[text])
        share = patcher.add_textbox("flonum", patching_rect=Rect(1060, y, 55, 22), parameter_enable=0)
        address = patcher.add_textbox(
            f"prepend /mg/{TABLE[weight].path}", patching_rect=Rect(1060, 320 + 22 * place, 190, 22)
        )
        shown = patcher.add_textbox("prepend set", patching_rect=Rect(1260, 320 + 22 * place, 75, 22))
        for source, target in [(share, address), (address, send), (shown, share)]:
            patcher.add_line(source, target)
        patcher.add_line(replies[weight][0], shown, outlet=replies[weight][1])


def ask(patcher: Patcher, command: Command, y: float, send: Box) -> None:
    """A command as a message to click and to change, and what it does."""
    sample = " ".join([f"/mg/{command.path}", *map(atom, command.sample)])
    patcher.add_line(patcher.add_message(sample, patching_rect=Rect(1060, y, 260, 22)), send)
    note(patcher, command.doc, Rect(1330, y, 420, 20))


def atom(value: Value) -> str:
    """A value as an atom in a message: words are quoted, since a name of several is one."""
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def dial(patcher: Patcher, parameter: Parameter, x: float, send: Box, reply: tuple[Box, int]) -> None:
    """A live.dial in the parameter's real unit; a `set` from the instrument moves it without sending again."""
    knob = patcher.add_textbox(
        "live.dial",
        patching_rect=Rect(x, 175, 80, 48),
        numinlets=1,
        numoutlets=2,
        outlettype=["", "float"],
        parameter_enable=1,
        varname=parameter.name,
        saved_attribute_attributes={"valueof": range_of(parameter)},
    )
    address = patcher.add_textbox(f"prepend /mg/{parameter.path}", patching_rect=Rect(x, 240, 105, 22))
    shown = patcher.add_textbox("prepend set", patching_rect=Rect(x, 275, 80, 22))
    patcher.add_line(knob, address)
    patcher.add_line(address, send)
    patcher.add_line(reply[0], shown, outlet=reply[1])
    patcher.add_line(shown, knob)


def range_of(parameter: Parameter) -> dict[str, Any]:
    """Max's description of a parameter. No initial value: the instrument's state is asked for when the patch opens."""
    unit = DECIBEL_UNIT if parameter.unit == "dB" else INTEGER_UNIT if parameter.kind == "int" else FLOAT_UNIT
    return {
        "parameter_longname": parameter.name,
        "parameter_shortname": parameter.name,
        "parameter_annotation_name": parameter.doc,
        "parameter_type": FLOAT_TYPE,
        "parameter_mmin": float(parameter.low),
        "parameter_mmax": float(parameter.high),
        "parameter_unitstyle": unit,
    }


def button(patcher: Patcher, action: str, x: float, send: Box) -> None:
    face = patcher.add_box(
        Box(
            id=patcher.get_id("textbutton"),
            maxclass="textbutton",
            text=action,
            mode=0,
            numinlets=1,
            numoutlets=3,
            outlettype=["", "", "int"],
            parameter_enable=0,
            patching_rect=Rect(x, 470, 80, 26),
        )
    )
    message = patcher.add_message(f"/mg/{action}", patching_rect=Rect(x, 510, 80, 22))
    patcher.add_line(face, message)
    patcher.add_line(message, send)


def reply_boxes(patcher: Patcher) -> dict[str, tuple[Box, int]]:
    """Where each reply comes out, by the parameter's name; the level, and the other numbers of the status."""
    receive = patcher.add_textbox(f"udpreceive {REPLY_PORT}", patching_rect=Rect(620, 45, 120, 22))
    asked = ["prompt", *DIALS, *WORDS, *BAND]
    blend = [name for name in (*SLOTS, *SLOTS.values()) if name != "prompt"]
    main = router(patcher, [*(f"/mg/{TABLE[name].path}" for name in asked), "/mg/error"], Rect(620, 80, 420, 36))
    slot = router(patcher, [f"/mg/{TABLE[name].path}" for name in blend], Rect(620, 160, 420, 64))
    status = router(patcher, ["/mg/status/level", *(f"/mg/status/{name}" for name in METERS)], Rect(620, 240, 420, 50))
    refused = patcher.add_textbox("print musicgen-streamer", patching_rect=Rect(620, 128, 160, 22))
    patcher.add_line(receive, main)
    patcher.add_line(main, refused, outlet=len(asked))
    patcher.add_line(main, slot, outlet=len(asked) + 1)
    patcher.add_line(slot, status, outlet=len(blend))
    found = {name: (main, n) for n, name in enumerate(asked)} | {name: (slot, n) for n, name in enumerate(blend)}
    return found | {"level": (status, 0)} | {f"status/{name}": (status, 1 + n) for n, name in enumerate(METERS)}


def router(patcher: Patcher, addresses: list[str], rect: Rect) -> Box:
    outlets = len(addresses) + 1
    return patcher.add_textbox(
        f"route {' '.join(addresses)}",
        numinlets=outlets,
        numoutlets=outlets,
        outlettype=[""] * outlets,
        patching_rect=rect,
    )


def level_meter(patcher: Patcher, reply: tuple[Box, int]) -> None:
    note(patcher, "level, dB", Rect(620, 335, 90, 20))
    decibels = patcher.add_textbox("prepend db", patching_rect=Rect(620, 305, 80, 22))
    meter = patcher.add_textbox("live.meter~", patching_rect=Rect(620, 360, 14, 110), outlettype=["float", "int"])
    patcher.add_line(reply[0], decibels, outlet=reply[1])
    patcher.add_line(decibels, meter)


def number(patcher: Patcher, label: str, x: float, y: float, reply: tuple[Box, int]) -> None:
    note(patcher, label, Rect(x, y, 100, 20))
    box = patcher.add_textbox("flonum", patching_rect=Rect(x, y + 22, 70, 22), parameter_enable=0)
    patcher.add_line(reply[0], box, outlet=reply[1])


def subscription(patcher: Patcher, send: Box) -> None:
    """Ask for feedback on our own port, again every 2 s since a subscription is a lease; once, ask for every value."""
    note(patcher, "feedback: asked for again every 2 s", Rect(20, 560, 260, 20))
    start = patcher.add_textbox("loadmess 1", patching_rect=Rect(20, 585, 80, 22))
    clock = patcher.add_textbox("metro 2000", patching_rect=Rect(20, 615, 80, 22))
    subscribe = patcher.add_message(f"/mg/subscribe {REPLY_PORT}", patching_rect=Rect(20, 650, 140, 22))
    loaded = patcher.add_textbox("loadbang", patching_rect=Rect(190, 585, 70, 22))
    # After the subscription has gone out: the dump is answered to a subscriber's port only once it is known.
    later = patcher.add_textbox("delay 200", patching_rect=Rect(190, 615, 80, 22))
    dump = patcher.add_message("/mg/dump", patching_rect=Rect(190, 650, 80, 22))
    for source, target in [(start, clock), (clock, subscribe), (subscribe, send), (loaded, later), (later, dump)]:
        patcher.add_line(source, target)
    patcher.add_line(dump, send)


if __name__ == "__main__":
    patch().save_as(PATCH)
