"""The API and the pages of sessions, over HTTP: who may, what is refused in a sentence, and that sound arrives."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="install the extra serve")

from websockets.exceptions import ConnectionClosed, InvalidStatus

from musicgen import MusicGen
from streamer.control.table import PARAMETERS
from streamer.serve.keys import Key
from streamer.serve.session import SHARED
from streamer.serve.way import OWN
from tests.streamer.serve.served import PATIENCE, Served, eventually

CAFE, SHOP = "c" * 16, "s" * 16


@pytest.fixture(scope="module")
def keyed(nano: MusicGen) -> Iterator[Served]:
    """A server of two places, for whoever has a key."""
    with Served(nano, 2, [Key("cafe", CAFE, sessions=2, prompt=40), Key("shop", SHOP, requests=1000.0)]) as made:
        yield made


@pytest.fixture
def session(served: Served) -> Iterator[dict[str, Any]]:
    made = served.open(prompt="techno", seed=3)
    yield made
    served.drop(made)


def run(story: Awaitable[None]) -> None:
    async def told() -> None:
        await asyncio.wait_for(story, PATIENCE)

    asyncio.run(told())


def test_a_session_plays_with_its_own_values_and_the_next_waits_for_its_place(
    served: Served, session: dict[str, Any]
) -> None:
    assert session["state"] == "plays" and session["values"]["prompt"] == "techno" and session["values"]["seed"] == 3
    second = served.open(prompt="piano")
    assert second["place"] == 1 and "number 1 in the queue" in second["sentence"]
    status, told = served.ask("GET", f"/api/sessions/{second['id']}")
    assert status == 200 and "secret" not in told
    served.drop(second)
    assert served.ask("GET", f"/api/sessions/{second['id']}")[0] == 404


def test_a_change_needs_the_sessions_secret_and_is_held_to_the_table(served: Served, session: dict[str, Any]) -> None:
    path = f"/api/sessions/{session['id']}"
    change = {"values": {"volume": -6, "prompt": "deep house"}}
    assert served.ask("PATCH", path, change)[0] == 403
    assert served.ask("PATCH", path, change, "wrong")[0] == 403
    status, told = served.ask("PATCH", path, change, session["secret"])
    assert status == 200 and told["values"]["volume"] == -6.0 and told["values"]["prompt"] == "deep house"
    wrong = {
        "volume": 99,
        "nonsense": 1,
        "melody": "/etc/passwd",
        "lora": 1.0,
        "lead": 100,
        "seed": 1.5,
        "mute": "yes",
        "prompt": "x" * 257,
        "cfg": None,
    }
    for name, value in wrong.items():
        status, told = served.ask("PATCH", path, {"values": {name: value}}, session["secret"])
        assert (status, name) == ((422, name) if value is not None else (200, name))
        assert value is None or name in told["detail"]
    status, told = served.ask("PATCH", path, {"values": {"key": "H sharp"}}, session["secret"])
    assert status == 422 and "key" in told["detail"]
    assert served.ask("POST", f"{path}/reset", key=session["secret"])[0] == 200
    assert served.ask("POST", f"{path}/explode", key=session["secret"])[0] == 404


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"values": 3}', '{"valuez": {}}', "[" * 30000, '{"values": {"cfg": NaN}}']
)
def test_what_is_no_request_is_a_sentence(served: Served, body: str) -> None:
    status, told = served.ask("POST", "/api/sessions", body)
    assert status in (400, 422) and told["detail"]


def test_a_request_that_is_too_long_is_refused_before_it_is_read(served: Served) -> None:
    status, told = served.ask("POST", "/api/sessions", b"x" * 70_000)
    assert status == 413 and "65536" in told["detail"]


def test_openapi_describes_every_parameter_with_its_range(served: Served) -> None:
    described = served.ask("GET", "/openapi.json")[1]
    values = described["components"]["schemas"]["Values"]["properties"]
    assert set(values) == {own.name for own in PARAMETERS} - SHARED
    assert "Output gain" in values["volume"]["description"]
    assert {"/api/sessions", "/api/sessions/{id}", "/api/sessions/{id}/events"} <= set(described["paths"])


def test_keys_open_sessions_up_to_their_quota_and_see_their_own_alone(keyed: Served) -> None:
    assert keyed.ask("POST", "/api/sessions", {})[0] == 401
    assert keyed.ask("POST", "/api/sessions", {}, "d" * 16)[0] == 401
    assert keyed.ask("GET", "/api/server")[1]["needs_key"] is True
    status, told = keyed.ask("POST", "/api/sessions", {"values": {"prompt": "x" * 41}}, CAFE)
    assert status == 422 and "40 characters" in told["detail"]
    own = [keyed.open(CAFE), keyed.open(CAFE)]
    status, told = keyed.ask("POST", "/api/sessions", {}, CAFE)
    assert status == 429 and "close one" in told["detail"]
    other = keyed.open(SHOP)
    assert [one["id"] for one in keyed.ask("GET", "/api/sessions", key=SHOP)[1]] == [other["id"]]
    path = f"/api/sessions/{other['id']}"
    assert keyed.ask("PATCH", path, {"values": {"volume": -1}}, CAFE)[0] == 403
    assert keyed.ask("PATCH", path, {"values": {"volume": -1}}, SHOP)[0] == 200
    for one in (*own, other):
        keyed.drop(one)


def test_who_asks_too_fast_is_told_to_wait(nano: MusicGen) -> None:
    with Served(nano, 1, [Key("cafe", CAFE, requests=0.5)]) as slow:
        statuses = [slow.ask("GET", "/api/sessions", key=CAFE)[0] for _ in range(8)]
    assert statuses[:5] == [200] * 5 and 429 in statuses


def test_the_page_of_a_session_steers_with_the_secret_and_looks_without(
    served: Served, session: dict[str, Any]
) -> None:
    async def until(socket: Any, done: Callable[[dict[str, Any], list[Any]], object]) -> None:
        values, words = dict[str, Any](), list[Any]()
        while not done(values, words):
            received = await socket.recv()
            if isinstance(received, str):
                told = json.loads(received)
                values |= told["values"]
                words += told["words"]

    async def story() -> None:
        async with (
            served.socket(session, "ws", session["secret"]) as owner,
            served.socket(session, "ws") as guest,
        ):
            await until(guest, lambda values, words: {own.path for own in OWN} <= values.keys())
            await owner.send(json.dumps(["volume", -9]))
            await until(guest, lambda values, words: values.get("volume") == [-9.0])
            await guest.send(json.dumps(["volume", 3]))
            await until(guest, lambda values, words: any("looks and listens" in word[1] for word in words))
            await owner.send(json.dumps(["prompt/weights", 0.5, 0.5]))
            await until(owner, lambda values, words: values.get("prompt/2/weight") == [0.5])
            await owner.send(json.dumps(["melody", "/etc/passwd"]))
            await owner.send(json.dumps(["prompt", "x" * 300]))
            await until(owner, lambda values, words: len(words) >= 2)
            await owner.send(json.dumps(["undo"]))
            await until(owner, lambda values, words: values.get("prompt/2/weight") == [0.0])

    run(story())
    values = served.ask("GET", f"/api/sessions/{session['id']}")[1]["values"]
    assert values["volume"] == -9.0 and values["prompt"] == "techno"


@pytest.mark.realtime
def test_a_listener_hears_the_session_without_a_gap(served: Served, session: dict[str, Any]) -> None:
    async def story() -> None:
        async with served.socket(session, "sound") as socket:
            heard, last = 0, None
            loudest = 0
            while heard < 48_000 or not loudest:
                packet = await socket.recv()
                assert isinstance(packet, bytes)
                (at,) = struct.unpack_from("<d", packet)
                samples = np.frombuffer(packet, "<i2", offset=8).reshape(-1, 2)
                assert last is None or at == last
                last, heard = at + len(samples), heard + len(samples)
                loudest = max(loudest, int(np.abs(samples.astype(int)).max()))

    run(story())


def test_events_tell_what_changes(served: Served, session: dict[str, Any]) -> None:
    connection = HTTPConnection("127.0.0.1", served.server.port, timeout=PATIENCE)
    connection.request("GET", f"/api/sessions/{session['id']}/events")
    answer = connection.getresponse()
    assert answer.getheader("content-type", "").startswith("text/event-stream")

    def event() -> tuple[str, Any]:
        lines = dict[str, str]()
        while (line := answer.readline().decode().strip()) or not lines:
            name, _, rest = line.partition(": ")
            if rest:
                lines[name] = rest
        return lines["event"], json.loads(lines["data"])

    kind, values = event()
    assert kind == "values" and values["prompt"] == "techno"
    assert event()[0] == "state"
    served.ask("PATCH", f"/api/sessions/{session['id']}", {"values": {"tilt": 3.0}}, session["secret"])
    while (told := event()) != ("values", {"tilt": 3.0}):
        assert told[0] in ("state", "word")
    connection.close()


def test_who_is_refused_by_webrtc_does_not_keep_the_session_awake(
    served: Served, session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiortc", reason="install the extra webrtc")
    offer, path = {"sdp": "v=0", "type": "offer"}, f"/s/{session['id']}/webrtc"
    assert served.ask("POST", path, offer)[0] == 422
    monkeypatch.setattr("streamer.surfaces.page.rtc.MOST", 0)
    status, told = served.ask("POST", path, offer)
    assert status == 422 and "no more can" in told["detail"]
    own = served.stage.get(session["id"])
    assert own is not None and own.ears == 0


def test_another_sites_page_gets_nothing(served: Served, session: dict[str, Any]) -> None:
    assert served.ask("GET", "/", Origin="http://evil.example")[0] == 403
    assert served.ask("GET", "/", Host="evil.example")[0] == 403
    assert served.ask("POST", "/api/sessions", {}, Origin="null")[0] == 403

    async def story() -> None:
        async with served.socket(session, "ws", session["secret"], origin="http://evil.example"):
            pass

    with pytest.raises((InvalidStatus, ConnectionClosed)):
        run(story())


def test_every_file_of_a_page_is_served_under_a_strict_policy(served: Served) -> None:
    names = ("", "page.js", "picture.js", "listen.js", "feed.js", "ear.js", "page.css", "table.json")
    for path in ("/", "/front.js", "/page.css", *(f"/s/any/{name}" for name in names)):
        connection = HTTPConnection("127.0.0.1", served.server.port, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200 and "default-src 'none'" in answer.headers["content-security-policy"], path
        text = answer.read().decode()
        assert "innerHTML" not in text and "https://" not in text and "<script>" not in text
        connection.close()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
path = st.sampled_from(["volume", "prompt", "seed", "mute", "prompt/weights", "ramp", "rewind", "reset", "undo", "key"])
hostile = st.one_of(
    st.text(max_size=100), anything.map(json.dumps), st.tuples(path, anything).map(json.dumps), st.binary(max_size=20)
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(hostile, min_size=1, max_size=8))
def test_hostile_messages_harm_neither_the_session_nor_the_server(served: Served, messages: list[str | bytes]) -> None:
    session = served.open()

    async def story() -> None:
        async with served.socket(session, "ws", session["secret"]) as rude:
            for message in messages:
                try:
                    await rude.send(message)
                except ConnectionClosed:
                    break

    run(story())
    values = {"values": {"tilt": 1.5}}
    status, told = served.patient("PATCH", f"/api/sessions/{session['id']}", values, session["secret"])
    assert status == 200 and told["values"]["tilt"] == 1.5
    served.drop(session)


@pytest.mark.heavy
def test_hls_is_there_while_somebody_asks_for_it(served: Served, session: dict[str, Any]) -> None:
    pytest.importorskip("av", reason="install the extra serve")
    listed: list[bytes] = []

    def there() -> bool:
        status, told = served.ask("GET", session["hls"])
        if status == 200:
            listed.append(told)
        return status == 200

    eventually(there)
    names = [line for line in listed[0].decode().splitlines() if line and not line.startswith("#")]
    status, data = served.ask("GET", session["hls"].replace("live.m3u8", names[0]))
    assert status == 200 and len(data) > 1000 and data[:1] == b"G"  # a transport stream
    for name in ("../../../etc/passwd", "live-1-1.ts", "%2e%2e/live.m3u8"):
        assert served.ask("GET", session["hls"].replace("live.m3u8", name))[0] == 404
