"""The Pure Data patch, opened in Pure Data itself without a screen or a sound card."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.control.table import PARAMETERS, STATUS
from tests.examples.conftest import EXAMPLES, Instrument, Peer

PATCH = EXAMPLES / "puredata" / "musicgen-streamer.pd"
PD = shutil.which("pd")

# A patch as a musician would write it: ours as an abstraction, steered and overheard through its named sends.
AROUND = """#N canvas 0 0 450 300 12;
#X obj 10 10 musicgen-streamer {port};
#X obj 10 40 r mg-reply;
#X obj 10 70 print reply;
#X obj 200 10 netreceive -u {control_port};
#X obj 200 40 route prompt temperature topk play panic;
#X obj 200 70 s mg-prompt;
#X obj 280 70 s mg-temperature;
#X obj 360 70 s mg-topk;
#X obj 440 70 s mg-play;
#X obj 520 70 s mg-panic;
#X connect 1 0 2 0;
#X connect 3 0 4 0;
#X connect 4 0 5 0;
#X connect 4 1 6 0;
#X connect 4 2 7 0;
#X connect 4 3 8 0;
#X connect 4 4 9 0;
"""


@pytest.fixture
def pd(tmp_path: Path, instrument: Instrument, launch: Callable[..., Peer]) -> tuple[Peer, Callable[[str], None]]:
    """Pure Data with our patch in it, and a way to put its controls."""
    if PD is None:
        pytest.skip("Pure Data is not installed: apt install puredata-core")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        control_port = probe.getsockname()[1]
    around = tmp_path / "around.pd"
    around.write_text(AROUND.format(port=instrument.server.port, control_port=control_port))
    quiet = ["-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr"]
    peer = launch([PD, *quiet, "-path", str(PATCH.parent), "-open", str(around)])
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
    table = {parameter.name: parameter for parameter in PARAMETERS}
    sliders = [line.split() for line in PATCH.read_text().splitlines() if " hsl " in line]
    assert len(sliders) == 4
    for words in sliders:
        low, high, name = float(words[7]), float(words[8]), words[12].removeprefix("mg-")
        assert (low, high) == (table[name].low, table[name].high), name


def test_the_meters_are_ones_that_the_instrument_sends() -> None:
    (meters,) = [line for line in PATCH.read_text().splitlines() if "route level" in line]
    assert set(meters.rstrip(";").split()[5:]) <= set(STATUS)
