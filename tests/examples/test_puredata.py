"""The Pure Data patch, opened in Pure Data itself without a screen or a sound card."""

import shutil
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from streamer.control.table import PARAMETERS, SLOTS, STATUS, TABLE
from streamer.surfaces.commands import COMMANDS
from tests.examples.conftest import EXAMPLES, Instrument, Peer, load_script

PATCH = EXAMPLES / "puredata" / "musicgen-streamer.pd"
PD = shutil.which("pd")

NAMES = ["prompt", "temperature", "topk", "play", "panic", "tempo", "key", "prompt-2-text", "prompt-2-weight"]
NAMES += [command.path.replace("/", "-") for command in COMMANDS]


def around(port: int, control_port: int) -> str:
    """A patch as a musician would write it: ours as an abstraction, steered and overheard through its named sends."""
    boxes = [
        f"musicgen-streamer {port}",
        "r mg-reply",
        "print reply",
        f"netreceive -u {control_port}",
        f"route {' '.join(NAMES)}",
        *(f"s mg-{name}" for name in NAMES),
    ]
    cords = [(1, 0, 2), (3, 0, 4), *((4, place, 5 + place) for place in range(len(NAMES)))]
    lines = ["#N canvas 0 0 450 300 12;", *(f"#X obj 10 {10 + 30 * n} {box};" for n, box in enumerate(boxes))]
    return "\n".join([*lines, *(f"#X connect {source} {outlet} {to} 0;" for source, outlet, to in cords)]) + "\n"


@pytest.fixture
def pd(tmp_path: Path, instrument: Instrument, launch: Callable[..., Peer]) -> tuple[Peer, Callable[[str], None]]:
    """Pure Data with our patch in it, and a way to put its controls."""
    if PD is None:
        pytest.skip("Pure Data is not installed: apt install puredata-core")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        control_port = probe.getsockname()[1]
    patch = tmp_path / "around.pd"
    patch.write_text(around(instrument.server.port, control_port))
    quiet = ["-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr"]
    peer = launch([PD, *quiet, "-path", str(PATCH.parent), "-open", str(patch)])
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def put(message: str) -> None:
        sender.sendto(f"{message};\n".encode(), ("127.0.0.1", control_port))

    peer.wait(lambda: "reply: mg" in peer.printed, "the patch's subscription being answered")
    return peer, put


def test_the_patch_opens_without_a_complaint(pd: tuple[Peer, Callable[[str], None]]) -> None:
    peer, _ = pd
    for complaint in ("error", "couldn't create", "connection failed", "no method"):
        assert complaint not in peer.printed


def test_a_prompt_typed_into_the_patch_arrives_in_one_piece(
    instrument: Instrument, pd: tuple[Peer, Callable[[str], None]]
) -> None:
    peer, put = pd
    put("prompt deep house 122 bpm")
    peer.wait(lambda: instrument.heard("prompt"), "the prompt arriving")
    assert instrument.controls.get("prompt") == "deep house 122 bpm"


def test_faders_and_buttons_arrive(instrument: Instrument, pd: tuple[Peer, Callable[[str], None]]) -> None:
    peer, put = pd
    put("temperature 1.25")
    put("topk 40.7")
    put("play bang")
    peer.wait(lambda: instrument.heard("play"), "play arriving")
    assert instrument.controls.get("temperature") == pytest.approx(1.25)
    assert instrument.controls.get("topk") == 40


def test_every_command_can_be_asked_for_by_name(instrument: Instrument, pd: tuple[Peer, Callable[[str], None]]) -> None:
    peer, put = pd
    atoms = load_script(PATCH.with_name("make_patch.py")).atom
    for command in COMMANDS:
        put(" ".join([command.path.replace("/", "-"), *(map(atoms, command.sample) if command.sample else ["bang"])]))
        asked = (command.path, command.sample)
        peer.wait(partial(instrument.asked.__contains__, asked), f"{command.path} arriving")
    assert "error" not in peer.printed


def test_slots_tempo_and_key_go_both_ways(instrument: Instrument, pd: tuple[Peer, Callable[[str], None]]) -> None:
    peer, put = pd
    put("prompt-2-text 303 acid techno")
    put("prompt-2-weight 0.25")
    put("tempo 124")
    put("key D minor")
    peer.wait(lambda: instrument.controls.get("key") == "D minor", "the key arriving")
    assert instrument.controls.get("prompt2") == "303 acid techno"
    assert (instrument.controls.get("weight2"), instrument.controls.get("tempo")) == (0.25, 124)
    instrument.controls.set(prompt8="2 step garage", weight3=0.5, quantise="bar", tempo=90)
    instrument.server.publish("status/bar", 7)

    def came_back(reply: str) -> bool:
        return f"reply: mg {reply}\n" in peer.printed

    for reply in (r"prompt 8 text 2\ step\ garage", "prompt 3 weight 0.5", "quantise bar", "tempo 90", "status bar 7"):
        peer.wait(partial(came_back, reply), f"{reply} coming back")
    assert instrument.heard("weight3") == [0.5] and instrument.heard("tempo")[-1] == 90
    # A box that is banged sends what it shows.
    put("prompt-2-weight bang")
    put("prompt-2-text bang")
    peer.wait(lambda: len(instrument.heard("prompt2")) == 2, "the slot's box being sent")
    instrument.controls.set(prompt2="2 step garage", weight2=0.75)
    peer.wait(lambda: "reply: mg prompt 2 weight 0.75\n" in peer.printed, "the weight coming back")
    put("prompt-2-weight bang")
    put("prompt-2-text bang")
    peer.wait(lambda: len(instrument.heard("prompt2")) == 4, "its new words being sent")
    assert instrument.heard("prompt2") == ["303 acid techno"] * 2 + ["2 step garage"] * 2
    assert instrument.heard("weight2") == [0.25] * 2 + [0.75] * 2
    assert "error" not in peer.printed


def test_the_patch_is_the_one_its_script_writes() -> None:
    script = load_script(PATCH.with_name("make_patch.py"))
    assert PATCH.read_text(encoding="utf-8") == script.patch(), "run examples/puredata/make_patch.py"


def test_changes_made_elsewhere_come_back_into_the_patch(
    instrument: Instrument, pd: tuple[Peer, Callable[[str], None]]
) -> None:
    peer, _ = pd
    instrument.controls.set(cfg=4.5, prompt="lo-fi piano, rain")
    instrument.server.publish("status/rtf", 3.5)
    peer.wait(lambda: "reply: mg cfg 4.5" in peer.printed, "the new guidance coming back")
    peer.wait(lambda: r"reply: mg prompt lo-fi\ piano\,\ rain" in peer.printed, "the new prompt coming back")
    peer.wait(lambda: "reply: mg status rtf 3.5" in peer.printed, "the meters coming back")
    # Setting the fader from outside must not make it send: two clients would talk each other in circles.
    assert instrument.heard("cfg") == [4.5]
    assert "error" not in peer.printed


def test_the_faders_have_the_ranges_of_the_parameters() -> None:
    by_address = {parameter.path: parameter for parameter in PARAMETERS}
    sliders = [line.split() for line in PATCH.read_text().splitlines() if " hsl " in line]
    found = {words[12].removeprefix("mg-").replace("-", "/"): (float(words[7]), float(words[8])) for words in sliders}
    assert {"temperature", "volume", "tempo"} | {TABLE[weight].path for weight in SLOTS.values()} <= found.keys()
    assert found == {path: (by_address[path].low, by_address[path].high) for path in found}


def test_the_meters_are_ones_that_the_instrument_sends() -> None:
    (meters,) = [line for line in PATCH.read_text().splitlines() if "route level" in line]
    shown = set(meters.rstrip(";").split()[5:])
    assert {"level", "tempo", "beat", "bar"} <= shown <= set(STATUS)
