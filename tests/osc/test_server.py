"""The server as its clients see it: answers, feedback, leases, bundles in time, errors."""

from __future__ import annotations

import ipaddress
import math
import socket
import struct
import time
from collections.abc import Callable

import pytest

from osc.hosts import Client as Origin
from osc.packet import BUNDLE, Message, build, parse
from osc.server import OscServer
from osc.sockets import BindError
from tests.osc.desk import Client, Clock, Desk, tree

Connect = Callable[[OscServer], Client]


def bundle(time_tag: float, *messages: bytes) -> bytes:
    """A bundle for a time in seconds since 1970; 0 is at once."""
    tag = round((time_tag + 2_208_988_800) * 2**32) if time_tag else 1
    return BUNDLE + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(m)) + m for m in messages)


def float_message(address: str, value: float) -> bytes:
    return build(address, 0.0)[:-4] + struct.pack(">f", value)


# ---- setting and asking


def test_a_value_that_is_sent_is_set(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/temperature", 1.5)
    client.send("/mg/prompt", "deep", "house,", 122.0, "bpm")
    client.send("/mg/topk", 40.0)
    server.poll(1.0)
    assert desk.values["temperature"] == 1.5
    assert desk.values["prompt"] == "deep house, 122 bpm"
    assert desk.values["topk"] == 40
    assert client.messages() == []


def test_a_value_out_of_range_is_clamped_and_sent_back(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/volume", 99.0)
    server.poll(1.0)
    assert desk.values["volume"] == 12.0
    assert client.said() == {"/mg/volume": 12.0, "/mg/volume/norm": 1.0, "/mg/volume/str": "12 dB"}
    client.send("/mg/volume", 99.0)
    server.poll(1.0)
    assert client.said()["/mg/volume"] == 12.0, "also when it stands there already"


def test_a_get_is_answered_on_the_values_own_address(server: OscServer, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/get/lead")
    client.send("/mg/get/prompt/negative")
    server.poll(1.0)
    said = client.said()
    assert said["/mg/lead"] == 200.0
    assert said["/mg/lead/norm"] == pytest.approx(0.5)
    assert said["/mg/lead/str"] == "200 ms"
    assert said["/mg/prompt/negative"] == ""


def test_a_ping_is_answered_to_where_it_came_from(server: OscServer, connect: Connect) -> None:
    one, other = connect(server), connect(server)
    one.send("/mg/ping")
    server.poll(1.0)
    assert one.said() == {"/mg/pong": None}
    assert other.messages() == []


def test_a_dump_says_everything_in_small_datagrams(server: OscServer, desk: Desk, connect: Connect) -> None:
    desk.apply([("prompt", "é" * 512), ("negative", "x" * 1024)])
    server.publish("status/rtf", 3.25)
    server.poll(0)
    client = connect(server)
    client.send("/mg/dump")
    server.poll(1.0)
    datagrams = client.datagrams()
    assert max(map(len, datagrams)) < 1400
    client.send("/mg/dump")
    server.poll(1.0)
    said = client.said()
    assert {address.removeprefix("/mg/") for address in said} >= set(desk.values) - {"negative"}
    assert said["/mg/prompt"] == "é" * 512
    assert said["/mg/prompt/negative"] == "x" * 1024
    assert said["/mg/status/rtf"] == 3.25
    assert said["/mg/mute"] == 0


def test_a_button_fires_when_pressed_and_not_when_released(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    for argument in (1.0, 0.0, 1, 0):
        client.send("/mg/reset", argument)
    client.send("/mg/play")
    server.poll(1.0)
    assert desk.batches == [[("reset", None)], [("reset", None)], [("play", None)]]


def test_an_action_is_nothing_to_tell_others(server: OscServer, desk: Desk, clock: Clock, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/subscribe")
    server.poll(1.0)
    client.messages()
    clock.now += 1
    desk.apply([("play", None), ("topk", 7)])
    server.poll(0)
    assert set(client.said()) == {"/mg/topk", "/mg/topk/norm", "/mg/topk/str"}


# ---- errors


def test_nan_and_infinity_are_answered_with_an_error(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    for value in (math.nan, math.inf):
        client.send_bytes(float_message("/mg/volume", value))
    server.poll(1.0)
    messages = client.messages()
    assert [m.address for m in messages] == ["/mg/error"] * 2
    assert [m.arguments[0] for m in messages] == ["/mg/volume"] * 2
    assert all("finite" in m.arguments[1] for m in messages)
    assert desk.batches == []


@pytest.mark.parametrize(
    ("address", "suggestion"),
    [
        ("/mg/temprature", "/mg/temperature?"),
        ("/mg/get/temprature", "/mg/get/temperature?"),
        ("/mg/subscibe", "/mg/subscribe?"),
        ("/temperature", "/mg/temperature?"),
        ("/xyzzy", "no address here"),
    ],
)
def test_an_unknown_address_is_answered_with_the_nearest(
    server: OscServer, connect: Connect, address: str, suggestion: str
) -> None:
    client = connect(server)
    client.send(address, 1.0)
    server.poll(1.0)
    (message,) = client.messages()
    assert message.address == "/mg/error"
    assert message.arguments[0] == address
    assert message.arguments[1].endswith(suggestion)


def test_a_refused_datagram_is_counted_and_answered(server: OscServer, connect: Connect) -> None:
    client = connect(server)
    client.send_bytes(b"GET / HTTP/1.1\r\n")
    server.poll(1.0)
    (message,) = client.messages()
    assert message.address == "/mg/error"
    assert "neither an address" in message.arguments[1]
    assert (server.counts.received, server.counts.refused) == (1, 1)


def test_a_client_that_errs_all_the_time_is_told_now_and_then(
    server: OscServer, clock: Clock, connect: Connect
) -> None:
    def err(times: int) -> list[str]:
        for _ in range(times):
            client.send("/mg/nothing")
            server.poll(1.0)
        return [message.arguments[1] for message in client.messages()]

    client, other = connect(server), connect(server)
    assert len(err(100)) == 20
    clock.now += 0.2
    (reason,) = err(3)
    assert "(80 more errors were not reported)" in reason
    clock.now += 3600
    assert len(err(100)) == 20
    other.send("/mg/nothing")
    server.poll(1.0)
    assert len(other.messages()) == 1, "nobody else is silenced"
    assert server.counts.errors == 204


def test_any_number_of_clients_may_err_and_few_are_remembered(server: OscServer, connect: Connect) -> None:
    for _ in range(300):
        client = connect(server)
        client.send("/mg/nothing")
        server.poll(1.0)
        assert set(client.said()) == {"/mg/error"}
    assert server.desk.held().clients == 256


def test_a_store_that_refuses_is_reported_and_the_server_goes_on(
    server: OscServer, desk: Desk, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("the seed is locked while recording")

    client = connect(server)
    with monkeypatch.context() as patched:
        patched.setattr(desk, "apply", refuse)
        client.send("/mg/temperature", 1.5)
        server.poll(1.0)
    assert client.said() == {"/mg/error": "the seed is locked while recording"}


def test_a_failing_store_does_not_stop_the_server(
    running: OscServer, desk: Desk, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    client = connect(running)
    with monkeypatch.context() as patched:
        patched.setattr(desk, "apply", fail)
        client.send("/mg/temperature", 1.5)
        client.send("/mg/ping")
        assert client.said(5.0) == {"/mg/pong": None}


def test_an_error_of_the_instrument_reaches_all_subscribers(server: OscServer, connect: Connect) -> None:
    clients = [connect(server), connect(server)]
    for client in clients:
        client.send("/mg/subscribe", "/mg/status")
    server.poll(1.0)
    server.error("/mg/play", "the audio device is gone")
    server.poll(1.0)
    assert [client.said() for client in clients] == [{"/mg/error": "the audio device is gone"}] * 2


# ---- subscribers


def test_subscribers_hear_of_changes_but_not_of_their_own(server: OscServer, clock: Clock, connect: Connect) -> None:
    one, other = connect(server), connect(server)
    for client in (one, other):
        client.send("/mg/subscribe")
    server.poll(1.0)
    assert one.said()["/mg/temperature"] == other.said()["/mg/temperature"] == 1.0, "what stands is said at once"
    clock.now += 1
    one.send("/mg/temperature", 1.5)
    server.poll(1.0)
    assert one.messages() == []
    assert set(other.said()) == {"/mg/temperature", "/mg/temperature/norm", "/mg/temperature/str"}
    clock.now += 1
    other.send("/mg/mute", 1)
    server.poll(1.0)
    assert one.said()["/mg/mute"] == 1
    assert other.messages() == []


def test_an_originator_hears_of_its_value_when_it_was_clamped(
    server: OscServer, clock: Clock, connect: Connect
) -> None:
    one, other = connect(server), connect(server)
    for client in (one, other):
        client.send("/mg/subscribe", 0, "/mg/volume")
    server.poll(1.0)
    one.messages(), other.messages()
    clock.now += 1
    one.send("/mg/volume", 99.0)
    server.poll(1.0)
    assert one.said()["/mg/volume"] == other.said()["/mg/volume"] == 12.0


def test_a_change_from_inside_reaches_everyone(server: OscServer, desk: Desk, clock: Clock, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/subscribe")
    server.poll(1.0)
    client.messages()
    clock.now += 1
    desk.apply([("volume", -6.0), ("mute", True)])
    server.poll(0)
    (datagram,) = client.datagrams()
    assert datagram.startswith(BUNDLE), "one change, one datagram"


def test_feedback_goes_to_the_port_that_was_subscribed(server: OscServer, clock: Clock, connect: Connect) -> None:
    sender, listener = connect(server), connect(server)
    sender.send("/mg/subscribe", float(listener.port))
    server.poll(1.0)
    assert sender.messages() == []
    assert "/mg/temperature" in listener.said()
    clock.now += 1
    sender.send("/mg/ping")
    sender.send("/mg/topk", 9999)
    sender.send("/mg/temprature", 1)
    server.poll(1.0)
    assert sender.messages() == []
    said = listener.said()
    assert said["/mg/topk"] == 2048
    assert {"/mg/pong", "/mg/error"} <= set(said)


def test_only_what_lies_below_the_prefix_is_sent(server: OscServer, desk: Desk, clock: Clock, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/subscribe", "/mg/prompt/")
    server.poll(1.0)
    assert set(client.said()) == {"/mg/prompt", "/mg/prompt/negative"}
    clock.now += 1
    desk.apply([("negative", "drums"), ("topk", 7)])
    server.poll(0)
    assert client.said() == {"/mg/prompt/negative": "drums"}


def test_meters_come_no_faster_than_asked_and_with_the_last_value(
    server: OscServer, clock: Clock, connect: Connect
) -> None:
    fast, slow = connect(server), connect(server)
    fast.send("/mg/subscribe", "/mg/status", 100)
    slow.send("/mg/subscribe", "/mg/status", 2.0)
    server.poll(1.0)
    heard: dict[Client, list[object]] = {fast: [], slow: []}
    for tick in range(64):
        server.publish("status/level", float(tick))
        server.poll(0)
        for client, values in heard.items():
            values += [message.arguments[0] for message in client.messages()]
        clock.now += 1 / 32
    assert heard[fast] == [float(tick) for tick in range(64)]
    assert heard[slow] == [0.0, 16.0, 32.0, 48.0]


def test_the_last_of_many_changes_is_not_lost_to_the_rate(
    server: OscServer, desk: Desk, clock: Clock, connect: Connect
) -> None:
    client = connect(server)
    client.send("/mg/subscribe", "/mg/volume", 10)
    server.poll(1.0)
    client.messages()
    for level in range(-50, 0):
        desk.apply([("volume", float(level))])
        server.poll(0)
    assert client.messages() == []
    clock.now += 0.1
    server.poll(0)
    assert client.said()["/mg/volume"] == -1.0


def test_a_lease_ends_unless_it_is_renewed(server: OscServer, desk: Desk, clock: Clock, connect: Connect) -> None:
    silent, pinging, renewing = (connect(server) for _ in range(3))
    for client in (silent, pinging, renewing):
        client.send("/mg/subscribe", "/mg/volume")
    server.poll(1.0)
    clock.now += 40
    pinging.send("/mg/ping")
    renewing.send("/mg/subscribe", "/mg/volume")
    server.poll(1.0)
    for client in (silent, pinging, renewing):
        client.messages()
    clock.now += 40
    server.poll(0)
    desk.apply([("volume", -6.0)])
    server.poll(0)
    assert silent.messages() == []
    assert pinging.said()["/mg/volume"] == renewing.said()["/mg/volume"] == -6.0
    clock.now += 61
    server.poll(0)
    desk.apply([("volume", -7.0)])
    server.poll(0)
    assert pinging.messages() == renewing.messages() == []


def test_a_renewed_subscription_is_not_a_second_one(
    server: OscServer, desk: Desk, clock: Clock, connect: Connect
) -> None:
    listener = connect(server)
    for _ in range(5):  # as oscsend does it: from a new port each time
        connect(server).send("/mg/subscribe", listener.port, "/mg/volume")
    server.poll(1.0)
    listener.messages()
    clock.now += 1
    desk.apply([("volume", -6.0)])
    server.poll(0)
    assert len(listener.datagrams()) == 1
    assert server.desk.held().subscribers == 1


def test_an_unsubscribed_client_hears_nothing_more(
    server: OscServer, desk: Desk, clock: Clock, connect: Connect
) -> None:
    one, other = connect(server), connect(server)
    one.send("/mg/subscribe")
    other.send("/mg/subscribe")
    server.poll(1.0)
    one.send("/mg/unsubscribe")
    one.send("/mg/unsubscribe", other.port)
    one.send("/mg/unsubscribe")
    server.poll(1.0)
    assert one.said()["/mg/error"] == "finds no subscription from here: name the port that you subscribed with"
    other.messages()
    clock.now += 1
    desk.apply([("volume", -6.0)])
    server.poll(0)
    assert one.messages() == other.messages() == []


@pytest.mark.parametrize(
    "arguments", [(70000,), (-1,), (0.5,), ("/other",), (0, "/mg", 1, 2), ("port",), (0, "/mg", "fast")]
)
def test_a_subscription_that_makes_no_sense_is_an_error(
    server: OscServer, connect: Connect, arguments: tuple[float | str, ...]
) -> None:
    client = connect(server)
    client.send("/mg/subscribe", *arguments)
    server.poll(1.0)
    assert set(client.said()) == {"/mg/error"}


def test_the_65th_subscriber_is_turned_away(server: OscServer, connect: Connect) -> None:
    clients = [connect(server) for _ in range(65)]
    for client in clients:
        client.send("/mg/subscribe", "/mg/status")
        server.poll(1.0)
    assert [client.said() for client in clients[:64]] == [{}] * 64
    assert "64 subscribers at most" in str(clients[64].said()["/mg/error"])


# ---- bundles


def test_a_bundle_acts_at_one_moment_and_a_get_in_it_sees_it(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    client.send_bytes(bundle(0, build("/mg/get/topk"), build("/mg/topk", 7), build("/mg/prompt", "x")))
    server.poll(1.0)
    assert desk.batches == [[("topk", 7), ("prompt", "x")]]
    assert client.said()["/mg/topk"] == 7


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (build("/mg/nothing", 1), "is no address here"),
        (build("/mg/topk", "many"), "takes a number"),
        (build("/mg/x*", 1), "matches no address here"),
        (build("/mg/reset", 1, 2), "takes no argument or one number"),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_a_bundle_of_which_a_part_is_refused_changes_nothing_and_its_sender_is_told(
    running: OscServer, desk: Desk, connect: Connect, refused: bytes, reason: str, last: bool
) -> None:
    client = connect(running)
    whole = [build("/mg/volume", 99.0), build("/mg/reset"), build("/mg/get/lead")]
    client.send_bytes(bundle(0, *whole, refused) if last else bundle(0, refused, *whole))
    client.send("/mg/ping")
    said = list[Message]()
    while not said or said[-1].address != "/mg/pong":
        said += client.messages(5.0)
    assert desk.batches == []
    assert {message.address for message in said} == {
        "/mg/error",
        "/mg/lead",
        "/mg/lead/norm",
        "/mg/lead/str",
        "/mg/pong",
    }, "a question changes nothing, and is answered"
    (error,) = [message for message in said if message.address == "/mg/error"]
    address, sentence = error.arguments
    assert address == parse(refused)[0].messages[0].address
    assert reason in sentence and sentence.endswith("; nothing else that came with it was applied")


def test_what_is_refused_alone_is_told_without_more(server: OscServer, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/topk", "many")
    server.poll(1.0)
    assert client.said() == {"/mg/error": "takes a number, not the text 'many'"}


def test_a_bundle_is_handed_over_at_once_with_its_time_and_a_get_in_it_is_answered_then(
    server: OscServer, desk: Desk, clock: Clock, connect: Connect
) -> None:
    """When it is heard is the store's matter: only that can tell how long the sound is on its way."""
    client = connect(server)
    start = clock.now
    client.send_bytes(bundle(start + 4, build("/mg/topk", 4), build("/mg/get/lead")))
    client.send_bytes(bundle(start + 2, build("/mg/topk", 2), build("/mg/mute", True)))
    client.send("/mg/ping")
    server.poll(1.0)
    assert client.said() == {"/mg/pong": None}
    assert desk.batches == [[("topk", 4)], [("topk", 2), ("mute", True)]]
    assert desk.moments == pytest.approx([start + 4, start + 2], abs=1e-6)
    clock.now += 3.99
    server.poll(0)
    assert client.messages() == []
    clock.now += 0.02
    server.poll(0)
    assert client.said()["/mg/lead"] == 200.0


def test_a_late_bundle_is_handed_over_with_its_time_too(
    server: OscServer, desk: Desk, clock: Clock, connect: Connect
) -> None:
    client = connect(server)
    client.send_bytes(bundle(clock.now - 3600, build("/mg/topk", 7), build("/mg/get/topk")))
    server.poll(1.0)
    assert desk.moments == pytest.approx([clock.now - 3600], abs=1e-6)
    assert client.said()["/mg/topk"] == 7


def test_the_store_answers_the_client_whose_change_it_was(server: OscServer, connect: Connect) -> None:
    client, other = connect(server), connect(server)
    server.desk.answers.say(Origin(("127.0.0.1", client.port)), "late", 0.25)
    server.desk.answers.say(object(), "late", 0.5)
    server.poll(1.0)
    assert client.said() == {"/mg/late": 0.25}
    assert other.messages() == []


def test_a_bundle_too_far_ahead_is_an_error(server: OscServer, desk: Desk, clock: Clock, connect: Connect) -> None:
    client = connect(server)
    client.send_bytes(bundle(clock.now + 61, build("/mg/topk", 7)))
    server.poll(1.0)
    (message,) = client.messages()
    assert message.arguments == ("/mg/topk", "lies 61 s ahead: send it within 60 s")
    clock.now += 100
    server.poll(0)
    assert desk.batches == []


def test_only_so_many_messages_wait(server: OscServer, desk: Desk, clock: Clock, connect: Connect) -> None:
    client = connect(server)
    for _ in range(5):
        client.send_bytes(bundle(clock.now + 30, *[build("/mg/reset")] * 250))
    server.poll(1.0)
    assert "1024 messages wait already" in str(client.said()["/mg/error"])
    assert [len(batch) for batch in desk.batches] == [250] * 4
    clock.now += 31
    server.poll(0)
    client.send_bytes(bundle(clock.now + 30, *[build("/mg/reset")] * 250))
    server.poll(1.0)
    assert len(desk.batches) == 5


def test_what_a_waiting_bundle_asks_for_is_answered_on_the_real_clock(running: OscServer, connect: Connect) -> None:
    client = connect(running)
    client.send_bytes(bundle(time.time() + 0.3, build("/mg/get/prompt")))
    client.send("/mg/ping")
    assert client.said(5.0) == {"/mg/pong": None}
    assert client.said(5.0) == {"/mg/prompt": ""}


# ---- the socket


def test_only_this_machine_is_listened_to(server: OscServer) -> None:
    assert all(ipaddress.ip_address(host).is_loopback for host, *_ in server.addresses)


def test_localhost_is_heard_whatever_a_client_takes_it_for(server: OscServer, desk: Desk) -> None:
    if len(server.addresses) == 1:
        pytest.skip("this machine has no IPv6 loopback: switch IPv6 on")
    for place, address in enumerate(server.addresses):
        with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5.0)
            client.sendto(build("/mg/topk", 7 + place), address)
            client.sendto(build("/mg/ping"), address)
            server.poll(1.0)
            assert client.recv(100) == build("/mg/pong"), "answered from where it was asked"
            assert desk.values["topk"] == 7 + place


def test_a_multicast_group_is_joined(desk: Desk) -> None:
    group = "239.255.77.70"
    server = OscServer(tree(desk), group, 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            client.sendto(build("/mg/topk", 7), (group, server.port))
        server.poll(5.0)
    finally:
        server.close()
    assert desk.values["topk"] == 7


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=rf"UDP port {port} .* in use.*--osc-port"):
            OscServer(tree(Desk()), port=port)


@pytest.mark.parametrize(
    ("host", "port", "advice"),
    [
        ("203.0.113.1", 0, "give an address of this machine"),
        ("no such host", 0, "give an address of this machine"),
        ("127.0.0.1", 70000, "--osc-port"),
        ("127.0.0.1", -1, "--osc-port"),
    ],
)
def test_an_address_that_cannot_be_had_is_an_error_with_advice(host: str, port: int, advice: str) -> None:
    with pytest.raises(BindError, match=advice):
        OscServer(tree(Desk()), host, port)


def test_a_closed_server_frees_its_port_and_takes_no_offence_at_late_news(desk: Desk) -> None:
    first = OscServer(tree(desk), port=0)
    first.start()
    port = first.port
    first.close()
    desk.apply([("volume", -6.0)])
    first.publish("status/rtf", 1.0)
    second = OscServer(tree(desk), port=port)
    second.close()
    first.close()


def test_ipv6_clients_are_served(desk: Desk) -> None:
    try:
        server = OscServer(tree(desk), "::1", 0)
    except BindError:
        pytest.skip("this machine has no IPv6 loopback: switch IPv6 on")
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as listener,
    ):
        listener.bind(("::1", 0))
        listener.settimeout(5.0)
        client.sendto(build("/mg/subscribe", listener.getsockname()[1]), ("::1", server.port))
        server.poll(1.0)
        assert b"/mg/temperature" in listener.recv(65536)
    server.close()
