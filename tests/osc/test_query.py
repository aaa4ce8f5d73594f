"""OSCQuery: what is described is what is served, to clients that we did not write."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonoscquery.osc_query_client import OSCQueryClient
from pythonoscquery.shared.osc_access import OSCAccess
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as websocket
from websockets.typing import Origin
from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from osc.access import NO_RULES, Access
from osc.announce import OSC, QUERY
from osc.command import Argument, Command
from osc.hosts import networks
from osc.packet import build, parse
from osc.query import Directory
from osc.query_server import QueryServer
from osc.server import OscServer
from osc.sockets import BindError
from osc.tree import Tree
from osc.view import View
from tests.osc.desk import ACTIONS, PARAMETERS, Desk

RAMP = Command("ramp", "Glide.", (Argument("name", "text"), Argument("seconds", "float", needed=False)))
TOLD = {"status/level": "How loud."}


def described(desk: Desk) -> Tree:
    return Tree("/mg", PARAMETERS, ACTIONS, desk, [(RAMP, lambda arguments, asker: lambda: ())])


class Stage:
    """A server with its description, both running."""

    def __init__(self, desk: Desk, host: str = "localhost", access: Access = NO_RULES) -> None:
        tree = described(desk)
        self.said: list[str] = []
        self.server = OscServer(tree, host, 0, access)
        self.query = QueryServer(tree, self.server, access, 0, f"Desk {self.server.port}", TOLD, self.said.append)
        self.server.start()
        self.query.start()

    def close(self) -> None:
        self.query.close()
        self.server.close()

    def get(self, target: str, host: str = "127.0.0.1", **headers: str) -> Any:
        address = f"[{host}]" if ":" in host else host
        request = urllib.request.Request(f"http://{address}:{self.query.port}{target}", headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def status(self, target: str, **headers: str) -> int:
        try:
            self.get(target, **headers)
        except urllib.error.HTTPError as error:
            return error.code
        return 200


@pytest.fixture
def stage(desk: Desk) -> Iterator[Stage]:
    made = Stage(desk)
    yield made
    made.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


class Passers(ServiceListener):
    """Who looks around by multicast DNS."""

    def __init__(self) -> None:
        self.found: dict[str, ServiceInfo] = {}

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name)
        if info is not None:
            self.found[name] = info

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.found.pop(name, None)


def test_who_looks_around_finds_it_asks_it_and_sees_it_go(desk: Desk) -> None:
    """zeroconf's own browser finds it, and python-oscquery's client reads it."""
    stage = Stage(desk)
    passers = Passers()
    looking = Zeroconf(interfaces=["127.0.0.1"])
    try:
        ServiceBrowser(looking, [OSC, QUERY], passers)
        mine = {f"Desk {stage.server.port}.{kind}" for kind in (OSC, QUERY)}
        until(lambda: mine <= passers.found.keys())
        assert passers.found[f"Desk {stage.server.port}.{OSC}"].port == stage.server.port
        client = OSCQueryClient(passers.found[f"Desk {stage.server.port}.{QUERY}"])
        host = client.get_host_info()
        assert host is not None and (host.osc_ip, host.osc_port) == ("127.0.0.1", stage.server.port)
        desk.apply([("volume", -6.0)])
        volume = client.query_node("/mg/volume")
        assert volume is not None
        assert (volume.full_path, volume.access, volume.value) == ("/mg/volume", OSCAccess.READWRITE_VALUE, [-6.0])
        assert client.query_node("/mg/volumes") is None
        stage.close()
        until(lambda: not mine & passers.found.keys())
    finally:
        looking.close()
        stage.close()
    assert stage.said == []


def test_it_describes_values_actions_commands_and_what_is_published(stage: Stage) -> None:
    root = stage.get("/")
    mg = root["CONTENTS"]["mg"]["CONTENTS"]
    assert mg["volume"]["RANGE"] == [{"MIN": -60.0, "MAX": 12.0}]
    assert (mg["volume"]["TYPE"], mg["volume"]["UNIT"], mg["volume"]["ACCESS"]) == ("f", ["dB"], 3)
    assert "CONTENTS" not in mg["volume"]  # clients take what holds others for something without a value
    assert (mg["mute"]["TYPE"], mg["mute"]["VALUE"], mg["mute"]["RANGE"]) == ("i", [0], [{"VALS": [0, 1]}])
    assert mg["prompt"]["DESCRIPTION"] == "What to play."
    assert mg["prompt"]["CONTENTS"]["negative"]["FULL_PATH"] == "/mg/prompt/negative"  # a value with values below it
    assert (mg["play"]["TYPE"], mg["play"]["ACCESS"]) == ("I", 2)
    assert (mg["ramp"]["TYPE"], mg["ramp"]["ACCESS"], "VALUE" in mg["ramp"]) == ("sf", 2, False)
    assert mg["status"]["CONTENTS"]["level"]["VALUE"] == []
    stage.server.publish("status/level", -3.0)
    until(lambda: stage.get("/mg/status/level?VALUE") == {"VALUE": [-3.0]})
    assert stage.get("/mg/status/level?TYPE") == {"TYPE": "f"}


def test_every_address_of_the_tree_is_described(stage: Stage) -> None:
    def walk(node: Any) -> Iterator[str]:
        yield node["FULL_PATH"]
        for child in node.get("CONTENTS", {}).values():
            yield from walk(child)

    known = {*(p.path for p in PARAMETERS), *(a.name for a in ACTIONS), "ramp", *TOLD}
    assert {f"/mg/{path}" for path in known} | {"/", "/mg", "/mg/status"} == set(walk(stage.get("/")))


def test_one_attribute_is_asked_for_by_its_name(stage: Stage) -> None:
    assert stage.get("/mg/topk?RANGE") == {"RANGE": [{"MIN": 0, "MAX": 2048}]}
    assert stage.get("/mg/prompt/negative?FULL_PATH") == {"FULL_PATH": "/mg/prompt/negative"}
    assert stage.get("/mg/play?VALUE") is None  # 204: an action has none
    assert [stage.status(target) for target in ("/mg/volume?COLOUR", "/mg/nothing", "/favicon.ico")] == [400, 404, 404]


def test_localhost_answers_on_both_kinds_of_address(stage: Stage) -> None:
    hosts = [str(own[0]) for own in stage.server.addresses]
    assert [stage.get("/?HOST_INFO", host)["OSC_IP"] for host in hosts] == hosts


def test_who_listens_hears_what_changes_until_it_ignores_it(stage: Stage, desk: Desk) -> None:
    with websocket(f"ws://127.0.0.1:{stage.query.port}/") as guest:
        for address in ("/mg/volume", "/mg/nothing", "/mg/play", "/mg/status/level"):
            guest.send(json.dumps({"COMMAND": "LISTEN", "DATA": address}))
        guest.send("{")
        guest.send(json.dumps({"COMMAND": "LISTEN", "DATA": ["/mg/topk"]}))
        guest.send(b"\0")
        heard: dict[str, Any] = {}

        def heard_all() -> bool:
            desk.apply([("volume", -9.0 if heard else -8.0), ("topk", 7)])
            stage.server.publish("status/level", -1.0)
            with contextlib.suppress(TimeoutError):
                packet = guest.recv(timeout=0.1)
                assert isinstance(packet, bytes)
                for bundle in parse(packet):
                    heard.update({message.address: message.arguments[0] for message in bundle.messages})
            return heard.keys() >= {"/mg/volume", "/mg/status/level"}

        until(heard_all)
        assert heard.keys() == {"/mg/volume", "/mg/status/level"}
        guest.send(json.dumps({"COMMAND": "IGNORE", "DATA": "/mg/volume"}))
        guest.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/mg/mute"}))
        told: list[str] = []

        def ignores() -> bool:
            desk.apply([("volume", -20.0 - len(told) % 5), ("mute", not desk.values["mute"])])
            with contextlib.suppress(TimeoutError):
                packet = guest.recv(timeout=0.1)
                assert isinstance(packet, bytes)
                told.extend(message.address for bundle in parse(packet) for message in bundle.messages)
            return told.count("/mg/mute") >= 3

        until(ignores)
        after = told[told.index("/mg/mute") :]
        assert "/mg/volume" not in after


def test_other_sites_pages_and_names_that_point_here_are_refused(stage: Stage) -> None:
    assert stage.status("/", Origin="http://example.com") == 403
    assert stage.status("/", Host="evil.example.com") == 403
    assert stage.status("/", Host="localhost:1", Origin="http://127.0.0.1:3000") == 200
    elsewhere = Origin("http://example.com")
    with pytest.raises(InvalidStatus), websocket(f"ws://127.0.0.1:{stage.query.port}/", origin=elsewhere):
        pass


def test_strangers_see_of_a_file_its_name_alone(desk: Desk) -> None:
    desk.values["tune"] = "/home/me/secret/tune.wav"
    tree = described(desk)
    directory = Directory(tree, View(tree), TOLD)
    assert directory.answer("/mg/tune?VALUE", trusted=False) == (200, {"VALUE": ["tune.wav"]})
    assert directory.answer("/mg/tune?VALUE", trusted=True) == (200, {"VALUE": ["/home/me/secret/tune.wav"]})


def test_the_rules_of_osc_say_who_may_look() -> None:
    rules = Access(allow=networks(["192.0.2.0/24"]), read_only=networks(["198.51.100.0/24"]))
    assert [rules.opens(host) for host in ("127.0.0.1", "192.0.2.7", "198.51.100.7", "203.0.113.1")] == [
        True,
        True,
        True,
        False,
    ]
    # nobody says a secret by HTTP
    assert [Access(secret="rosebud-sled").opens(host) for host in ("::1", "192.0.2.7")] == [True, False]


def test_a_port_that_is_taken_is_a_sentence(desk: Desk, stage: Stage) -> None:
    with pytest.raises(BindError, match="OSCQuery"):
        QueryServer(described(desk), stage.server, NO_RULES, stage.query.port, "Desk", TOLD, print)
    with pytest.raises(BindError, match="no TCP port"):
        QueryServer(described(desk), stage.server, NO_RULES, 70000, "Desk", TOLD, print)


@given(st.text(max_size=60))
def test_whatever_is_asked_is_answered(target: str) -> None:
    tree = described(Desk())
    status, body = Directory(tree, View(tree), TOLD).answer(target, trusted=False)
    assert status in (200, 204, 400, 404)
    json.dumps(body)


def test_what_is_no_http_hurts_nobody(stage: Stage) -> None:
    for rubbish in (
        b"\0" * 100,
        b"POST / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
        build("/mg/x"),
    ):
        with socket.create_connection(("127.0.0.1", stage.query.port), timeout=20) as stranger:
            stranger.sendall(rubbish)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(20)
            try:
                while stranger.recv(4096):
                    pass
            except ConnectionError:
                pass
    assert stage.get("/mg/volume?ACCESS") == {"ACCESS": 3}


def test_many_that_ask_a_letter_at_a_time_keep_nobody_out_and_take_few_files(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osc.tcp.most", lambda: 5)
    stage = Stage(desk)
    try:
        with contextlib.ExitStack() as there, websocket(f"ws://127.0.0.1:{stage.query.port}/") as guest:
            slow = []
            for _ in range(12):
                slow.append(there.enter_context(socket.create_connection(("127.0.0.1", stage.query.port), timeout=20)))
                slow[-1].sendall(b"GET / HT")
            for gone in slow[:7]:
                with contextlib.suppress(ConnectionResetError):
                    assert gone.recv(100) == b""
            assert stage.get("/mg/volume?VALUE") == {"VALUE": [0.0]}
            guest.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/mg/volume"}))

            def heard() -> bool:
                desk.apply([("volume", -1.0 - float(desk.values["volume"]))])
                with contextlib.suppress(TimeoutError):
                    return bool(guest.recv(timeout=0.1))
                return False

            until(heard)
    finally:
        stage.close()


def test_silence_where_nothing_can_be_announced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: object) -> None:
        await asyncio.sleep(0)
        raise OSError("no such network")

    monkeypatch.setattr("osc.announce.Announcement.make", fails)
    stage = Stage(desk)
    until(lambda: stage.said)
    assert "no such network" in stage.said[0]
    assert stage.get("/mg/mute?VALUE") == {"VALUE": [0]}
    stage.close()
