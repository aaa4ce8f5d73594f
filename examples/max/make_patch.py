"""Write musicgen-streamer.maxpat, the Max patch that steers the instrument.

The dials take their names, ranges and units from the instrument's own table of parameters, so after a change of that
table run this again::

    python examples/max/make_patch.py

py2max checks every cord against Max's reference data while it is drawn.
"""

from pathlib import Path
from typing import Any

from py2max import Box, Patcher
from py2max.core.common import Rect

from osc.parameter import Parameter
from streamer.control.table import PARAMETERS

PATCH = Path(__file__).with_name("musicgen-streamer.maxpat")
HOST, SEND_PORT, REPLY_PORT = "127.0.0.1", 7770, 7771
DIALS = ("temperature", "topk", "cfg", "volume")
ACTIONS = ("play", "stop", "reset", "panic")
METERS = {"rtf": "times real time", "buffer_ms": "ms in the buffer", "xruns": "drop-outs", "latency_ms": "ms latency"}

FLOAT_UNIT, DECIBEL_UNIT, INTEGER_UNIT = 1, 4, 0  # parameter_unitstyle of Max's live.* objects
FLOAT_TYPE = 0  # parameter_type: an integer there is 8 bits wide, too few for topk


def patch() -> Patcher:
    """The whole patch: controls on the left send, the replies on the right set the controls and the meters."""
    patcher = Patcher(title="MusicGen Streamer", on_invalid="raise")
    patcher.rect = Rect(80, 90, 1040, 600)
    note(patcher, "MusicGen Streamer over OSC. Start the instrument first: make play", Rect(20, 15, 480, 20))
    send = patcher.add_textbox(
        f"udpsend {HOST} {SEND_PORT}", numinlets=1, numoutlets=0, outlettype=[], patching_rect=Rect(20, 550, 150, 22)
    )
    replies = dict(zip(["prompt", *DIALS, "level", *METERS], reply_boxes(patcher), strict=True))
    prompt_box(patcher, send, replies["prompt"])
    table = {parameter.name: parameter for parameter in PARAMETERS}
    for place, name in enumerate(DIALS):
        dial(patcher, table[name], 20 + 110 * place, send, replies[name])
    for place, name in enumerate(ACTIONS):
        button(patcher, name, 20 + 110 * place, send)
    level_meter(patcher, replies["level"])
    for place, (name, label) in enumerate(METERS.items()):
        number(patcher, label, 620 + 105 * place, replies[name])
    subscription(patcher, send)
    return patcher


def note(patcher: Patcher, text: str, rect: Rect) -> None:
    patcher.add_comment(text, patching_rect=rect)


def prompt_box(patcher: Patcher, send: Box, reply: tuple[Box, int]) -> None:
    """A text field whose Enter key sends; one symbol, so that commas and numbers arrive as they were typed."""
    note(patcher, "prompt: type, then press Enter", Rect(20, 45, 300, 20))
    field = patcher.add_textbox(
        "textedit", patching_rect=Rect(20, 68, 470, 40), keymode=1, outputmode=1, wordwrap=1, parameter_enable=0
    )
    words = patcher.add_textbox(
        "route text", numinlets=2, numoutlets=2, outlettype=["", ""], patching_rect=Rect(20, 120, 70, 22)
    )
    # An empty field comes out as a bang, to which prepend would add the word "bang".
    empty = patcher.add_textbox(
        "route bang", numinlets=2, numoutlets=2, outlettype=["", ""], patching_rect=Rect(100, 120, 70, 22)
    )
    none = patcher.add_message("/mg/prompt", patching_rect=Rect(180, 120, 80, 22))
    address = patcher.add_textbox("prepend /mg/prompt", patching_rect=Rect(270, 120, 120, 22))
    patcher.add_line(field, words)
    patcher.add_line(words, empty)
    patcher.add_line(empty, none)
    patcher.add_line(empty, address, outlet=1)
    patcher.add_line(none, send)
    patcher.add_line(address, send)
    shown = patcher.add_textbox("prepend set", patching_rect=Rect(410, 120, 80, 22))
    patcher.add_line(reply[0], shown, outlet=reply[1])
    patcher.add_line(shown, field)


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
            patching_rect=Rect(x, 330, 80, 26),
        )
    )
    message = patcher.add_message(f"/mg/{action}", patching_rect=Rect(x, 370, 80, 22))
    patcher.add_line(face, message)
    patcher.add_line(message, send)


def reply_boxes(patcher: Patcher) -> list[tuple[Box, int]]:
    """Where each reply comes out: the prompt, the dials, then level and the other numbers of the status."""
    receive = patcher.add_textbox(f"udpreceive {REPLY_PORT}", patching_rect=Rect(620, 45, 120, 22))
    main = router(patcher, ["/mg/prompt", *(f"/mg/{name}" for name in DIALS), "/mg/error"], Rect(620, 80, 400, 22))
    status = router(patcher, ["/mg/status/level", *(f"/mg/status/{name}" for name in METERS)], Rect(620, 190, 400, 36))
    refused = patcher.add_textbox("print musicgen-streamer", patching_rect=Rect(620, 120, 160, 22))
    patcher.add_line(receive, main)
    patcher.add_line(main, refused, outlet=1 + len(DIALS))
    patcher.add_line(main, status, outlet=2 + len(DIALS))
    return [(main, n) for n in range(1 + len(DIALS))] + [(status, n) for n in range(1 + len(METERS))]


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
    note(patcher, "level, dB", Rect(620, 265, 90, 20))
    decibels = patcher.add_textbox("prepend db", patching_rect=Rect(620, 240, 80, 22))
    meter = patcher.add_textbox("live.meter~", patching_rect=Rect(620, 290, 14, 110), outlettype=["float", "int"])
    patcher.add_line(reply[0], decibels, outlet=reply[1])
    patcher.add_line(decibels, meter)


def number(patcher: Patcher, label: str, x: float, reply: tuple[Box, int]) -> None:
    note(patcher, label, Rect(x, 425, 100, 20))
    box = patcher.add_textbox("flonum", patching_rect=Rect(x, 450, 70, 22), parameter_enable=0)
    patcher.add_line(reply[0], box, outlet=reply[1])


def subscription(patcher: Patcher, send: Box) -> None:
    """Ask for feedback on our own port, again every 2 s since a subscription is a lease; once, ask for every value."""
    note(patcher, "feedback: asked for again every 2 s", Rect(20, 420, 260, 20))
    start = patcher.add_textbox("loadmess 1", patching_rect=Rect(20, 445, 80, 22))
    clock = patcher.add_textbox("metro 2000", patching_rect=Rect(20, 475, 80, 22))
    subscribe = patcher.add_message(f"/mg/subscribe {REPLY_PORT}", patching_rect=Rect(20, 510, 140, 22))
    loaded = patcher.add_textbox("loadbang", patching_rect=Rect(190, 445, 70, 22))
    # After the subscription has gone out: the dump is answered to a subscriber's port only once it is known.
    later = patcher.add_textbox("delay 200", patching_rect=Rect(190, 475, 80, 22))
    dump = patcher.add_message("/mg/dump", patching_rect=Rect(190, 510, 80, 22))
    for source, target in [(start, clock), (clock, subscribe), (subscribe, send), (loaded, later), (later, dump)]:
        patcher.add_line(source, target)
    patcher.add_line(dump, send)


if __name__ == "__main__":
    patch().save_as(PATCH)
