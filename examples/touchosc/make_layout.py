"""Write musicgen-streamer.tosc, a TouchOSC layout that steers the instrument.

The faders come from the instrument's own table of parameters and use its ``/norm`` addresses, since a TouchOSC fader
speaks 0 to 1; the numbers beside them show ``/str``, the value with its unit. After a change of the table run again::

    python examples/touchosc/make_layout.py
"""

import uuid
from pathlib import Path

import py2tosc
from py2tosc import Control, Document, ui

from streamer.control.table import TABLE

LAYOUT = Path(__file__).with_name("musicgen-streamer.tosc")
FADERS = ("temperature", "topk", "topp", "cfg", "volume", "loudness", "lead")
COLORS = ("#3a86ff", "#8338ec", "#b5179e", "#ff006e", "#fb5607", "#ffbe0b", "#2a9d8f")
ACTIONS = {"play": "#2a9d8f", "stop": "#e9c46a", "reset": "#457b9d", "panic": "#e63946"}
PROMPTS = (
    "ambient pads, slow, warm",
    "lo-fi hip hop, mellow piano, 80 bpm",
    "deep house, 122 bpm, driving bass",
    "drum and bass, 174 bpm, energetic",
)
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
METERS = {"level": "level dB", "rtf": "x real time", "buffer_ms": "buffer ms", "xruns": "drop-outs"}


def layout() -> Document:
    """The whole layout: what plays, four prompts, the faders, the actions, the meters."""
    root = ui.column(
        shown("prompt", "/mg/prompt", size=24),
        ui.row(*(prompt_button(number, text) for number, text in enumerate(PROMPTS, start=1)), gap=6),
        ui.row(*(fader(name, color) for name, color in zip(FADERS, COLORS, strict=True)), gap=6),
        ui.row(*(action_button(name, color) for name, color in ACTIONS.items()), gap=6),
        ui.row(*(meter(name, caption) for name, caption in METERS.items()), gap=6),
        sizes=(1, 1.5, 6, 1.5, 1),
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


def shown(name: str, address: str, *, size: int = 14) -> Control:
    """A label that shows the text or number which arrives at the address, and sends nothing."""
    arriving = ui.osc(address, args=[ui.value("text", conversion="STRING")], var="text", send=False)
    return py2tosc.label(name=name, text_size=size, text_clip=True, messages=[arriving])


def prompt_button(number: int, text: str) -> Control:
    """Sends its caption as the prompt when it is pressed; edit PROMPTS above, or the argument in TouchOSC's editor."""
    sending = ui.osc("/mg/prompt", args=[ui.const(text)], on="RISE", receive=False)
    button = py2tosc.button(name=f"prompt{number}", color="#264653", messages=[sending])
    return ui.labelled(button, text, size=14)


def fader(name: str, color: str) -> Control:
    path = TABLE[name].path
    moving = py2tosc.fader(name=name, color=color, messages=[ui.osc(f"/mg/{path}/norm")])
    return ui.column(
        ui.labelled(py2tosc.box(name=f"{name} caption", background=False, outline=False), name, size=14),
        moving,
        shown(f"{name} value", f"/mg/{path}/str"),
        sizes=(1, 8, 1),
    )


def action_button(name: str, color: str) -> Control:
    """Sends 1 when it is pressed; the 0 of its release, which the instrument ignores, is not even sent."""
    button = py2tosc.button(name=name, color=color, messages=[ui.osc(f"/mg/{name}", on="RISE", receive=False)])
    return ui.labelled(button, name, size=22)


def meter(name: str, caption: str) -> Control:
    words = ui.labelled(py2tosc.box(name=f"{name} caption", background=False, outline=False), caption, size=12)
    return ui.row(words, shown(name, f"/mg/status/{name}"))


def give_lasting_ids(document: Document) -> None:
    """Replace the random node ids, so that the same table gives the same file."""
    for place, control in enumerate(document.walk()):
        control.id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"musicgen-streamer.tosc/{place}"))


if __name__ == "__main__":
    layout().save(LAYOUT, validate=True)
