"""The REAPER pattern file: what REAPER would send by it does what it says."""

from pythonosc.udp_client import SimpleUDPClient

from tests.examples.conftest import EXAMPLES, Instrument, until

PATTERNS = EXAMPLES / "reaper" / "musicgen-streamer.ReaperOSC"


def patterns() -> dict[str, str]:
    """REAPER's actions and the pattern each is given: a type letter, then the address."""
    lines = [line.split() for line in PATTERNS.read_text().splitlines() if line and not line.startswith("#")]
    assert all(len(line) == 2 for line in lines)
    return {line[0]: line[1] for line in lines}


def test_transport_and_markers_reach_the_instrument(instrument: Instrument) -> None:
    pattern = {action: (text[0], text[1:]) for action, text in patterns().items()}
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    assert pattern["PLAY"][0] == pattern["STOP"][0] == "t" and pattern["LAST_MARKER_NAME"][0] == "s"
    # A state is told with 1 when it begins and with 0 when it ends.
    client.send_message(pattern["STOP"][1], 0.0)
    client.send_message(pattern["PLAY"][1], 1.0)
    client.send_message(pattern["LAST_MARKER_NAME"][1], "deep house, 122 bpm")
    client.send_message(pattern["PLAY"][1], 0.0)
    client.send_message(pattern["STOP"][1], 1.0)
    until(lambda: instrument.heard("stop"), "stop arriving")
    assert instrument.heard("play") == [True]
    assert instrument.heard("prompt") == ["deep house, 122 bpm"]
    assert instrument.heard("stop") == [True]
    assert instrument.server.counts.errors == 0


def test_a_projects_tempo_and_regions_reach_the_instrument(instrument: Instrument) -> None:
    pattern = {action: (text[0], text[1:]) for action, text in patterns().items()}
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    assert pattern["TEMPO"][0] == "f" and pattern["LAST_REGION_NAME"][0] == "s"
    client.send_message(pattern["TEMPO"][1], 122.5)
    client.send_message("/mg/snapshot/save", "second verse")
    client.send_message("/mg/tempo", 90.0)
    client.send_message(pattern["LAST_REGION_NAME"][1], "second verse")
    until(lambda: instrument.heard("tempo") == [122.5, 90.0, 122.5], "the region's snapshot being taken back")
    assert instrument.server.counts.errors == 0
