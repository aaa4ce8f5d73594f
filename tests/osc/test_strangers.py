"""Clients on other machines: what they are sent before they confirm, who may do what, the secret."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from osc.access import Access, Right
from osc.hosts import Address, Client, networks
from osc.packet import BUNDLE, build
from osc.paths import CONFIRMED, FACTOR
from tests.osc.hall import Hall

TABLET: Address = ("192.168.1.20", 9000)
VICTIM: Address = ("203.0.113.9", 53)
HERE: Address = ("127.0.0.1", 9000)


# ---- amplification


def test_a_forged_subscription_brings_its_victim_nothing_but_a_cookie() -> None:
    hall = Hall()
    hall.say(VICTIM, "/mg/subscribe", 53, "/mg", 100)
    for second in range(120):
        hall.clock.now += 1
        hall.store.apply([("volume", -float(second % 60))])
        hall.desk.answers.publish("status/level", float(second))
        hall.desk.turn()
    assert set(hall.heard(VICTIM)) == {"/mg/confirm"}
    assert hall.sent[VICTIM[0]] <= FACTOR * hall.received[VICTIM[0]]
    assert hall.desk.held().subscribers == 0, "it takes nobody's place"


def test_forged_dumps_bring_their_victim_no_more_than_three_times_their_bytes() -> None:
    hall = Hall()
    dump = build("/mg/dump")
    bundle = BUNDLE + bytes(7) + b"\1" + (len(dump).to_bytes(4, "big") + dump) * 200
    for _ in range(20):
        hall.throw(VICTIM, bundle)
    assert hall.sent[VICTIM[0]] <= FACTOR * hall.received[VICTIM[0]]
    assert hall.desk.counts.withheld > 0


def test_a_receiver_that_sends_its_cookie_back_is_subscribed() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/subscribe")
    cookie = hall.heard(TABLET)["/mg/confirm"]
    hall.say(TABLET, "/mg/confirm", str(cookie))
    assert hall.heard(TABLET)["/mg/volume"] == 0.0, "without asking again"
    hall.clock.now += 1
    hall.store.apply([("volume", -6.0)])
    hall.desk.turn()
    assert hall.heard(TABLET)["/mg/volume"] == -6.0


def test_the_cookie_goes_to_the_port_that_is_subscribed_and_comes_back_from_any() -> None:
    hall = Hall()
    listener: Address = (TABLET[0], 9001)
    hall.say(TABLET, "/mg/subscribe", 9001)
    assert hall.heard(TABLET) == {}
    hall.say((TABLET[0], 51234), "/mg/confirm", str(hall.heard(listener)["/mg/confirm"]))
    assert "/mg/volume" in hall.heard(listener)


def test_the_smallest_subscription_is_enough_for_a_cookie() -> None:
    hall = Hall()
    far: Address = ("192.168.100.200", 65535)
    hall.throw(far, b"/mg/subscribe\0\0\0")  # without type tags
    assert "/mg/confirm" in hall.heard(far)


def test_a_question_that_is_too_small_for_its_answer_brings_the_cookie() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/dump")
    (cookie,) = hall.heard(TABLET).values()
    hall.say(TABLET, "/mg/confirm", str(cookie))
    hall.say(TABLET, "/mg/dump")
    assert "/mg/volume/str" in hall.heard(TABLET)


@pytest.mark.parametrize("forged", ["", "9000", "9000.", "9000.aaaaaaaaa", "70000.x", "99999999999999.x", "x", "²."])
def test_a_cookie_that_was_not_sent_confirms_nothing(forged: str) -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/subscribe")
    hall.say(TABLET, "/mg/confirm", forged)
    hall.say(TABLET, "/mg/subscribe")
    assert hall.desk.held().subscribers == 0


def test_one_hosts_cookie_is_no_other_hosts() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/subscribe")
    hall.say((VICTIM[0], TABLET[1]), "/mg/confirm", str(hall.heard(TABLET)["/mg/confirm"]))
    hall.say((VICTIM[0], TABLET[1]), "/mg/subscribe")
    assert hall.desk.held().subscribers == 0


def test_a_confirmation_ends_and_is_renewed_before_it_does() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/subscribe")
    hall.say(TABLET, "/mg/confirm", str(hall.heard(TABLET)["/mg/confirm"]))
    hall.clock.now += CONFIRMED * 0.6
    hall.say(TABLET, "/mg/subscribe")
    said = hall.heard(TABLET)
    assert {"/mg/confirm", "/mg/volume"} <= set(said)
    hall.clock.now += CONFIRMED * 0.6
    hall.say(TABLET, "/mg/subscribe")
    assert "/mg/volume" not in hall.heard(TABLET)
    assert hall.desk.held().subscribers == 0


def test_one_host_cannot_push_out_the_others() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/subscribe")
    hall.say(TABLET, "/mg/confirm", str(hall.heard(TABLET)["/mg/confirm"]))
    for port in range(1000, 1300):
        greedy: Address = ("192.168.1.66", port)
        hall.say(greedy, "/mg/subscribe")
        hall.say(greedy, "/mg/confirm", str(hall.heard(greedy)["/mg/confirm"]))
    hall.heard(TABLET)
    hall.clock.now += 1
    hall.store.apply([("volume", -6.0)])
    hall.desk.turn()
    assert hall.heard(TABLET)["/mg/volume"] == -6.0
    assert hall.desk.held().subscribers <= 17


def test_two_servers_that_are_told_of_each_other_fall_silent() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/error", "/mg/x", "is no address here")
    hall.say(TABLET, "/mg/pong")
    assert hall.heard(TABLET) == {}


def test_on_this_machine_nothing_has_to_be_confirmed() -> None:
    hall = Hall()
    hall.say(HERE, "/mg/subscribe")
    assert "/mg/volume" in hall.heard(HERE)


class Forgery(RuleBasedStateMachine):
    """Arbitrary messages from arbitrary addresses: nobody who has not confirmed is sent more than three times."""

    def __init__(self) -> None:
        super().__init__()
        self.hall = Hall()

    sources = st.tuples(st.sampled_from(["203.0.113.1", "203.0.113.2", "2001:db8::1"]), st.sampled_from([53, 9000]))
    prefixes = st.sampled_from(["/mg", "/mg/status", "/mg/prompt", "/other"])

    @rule(source=sources, port=st.sampled_from([0, 53, 9000, -1, 70000]), prefix=prefixes, hz=st.floats(-1, 200))
    def subscribe(self, source: Address, port: int, prefix: str, hz: float) -> None:
        self.hall.say(source, "/mg/subscribe", port, prefix, hz)

    @rule(
        source=sources,
        address=st.sampled_from(
            ["/mg/dump", "/mg/ping", "/mg/get/*", "/mg/get/prompt", "/mg/unsubscribe", "/mg/subscribe", "/mg/{a", "/x"]
        ),
        copies=st.integers(1, 40),
    )
    def ask(self, source: Address, address: str, copies: int) -> None:
        message = build(address)
        element = len(message).to_bytes(4, "big") + message
        self.hall.throw(source, message if copies == 1 else BUNDLE + bytes(7) + b"\1" + element * copies)

    @rule(source=sources, name=st.sampled_from(["volume", "prompt", "*", "topk/norm"]), value=st.floats(width=32))
    def turn_a_knob(self, source: Address, name: str, value: float) -> None:
        self.hall.say(source, f"/mg/{name}", value)

    @rule(source=sources, noise=st.binary(max_size=64))
    def throw_noise(self, source: Address, noise: bytes) -> None:
        self.hall.throw(source, noise)

    @rule(source=sources, cookie=st.text(max_size=20))
    def guess(self, source: Address, cookie: str) -> None:
        self.hall.say(source, "/mg/confirm", cookie)

    @rule(text=st.text(min_size=1, max_size=200), value=st.floats(-60, 12))
    def play_on_this_machine(self, text: str, value: float) -> None:
        self.hall.say(HERE, "/mg/prompt", text)
        self.hall.say(HERE, "/mg/volume", value)
        self.hall.desk.answers.publish("status/level", value)
        self.hall.desk.answers.error("/mg/prompt", text)

    @rule(seconds=st.floats(0, 8000))
    def wait(self, seconds: float) -> None:
        self.hall.clock.now += seconds
        self.hall.desk.turn()

    @invariant()
    def nobody_is_sent_more_than_three_times_what_came(self) -> None:
        for host in self.hall.sent:
            if host != HERE[0]:
                assert self.hall.sent[host] <= FACTOR * self.hall.received[host]


TestForgery = Forgery.TestCase


# ---- who may do what


@pytest.mark.parametrize(
    ("allow", "read_only", "rights"),
    [
        ([], [], {"127.0.0.1": 2, "::1": 2, "::ffff:127.0.0.1": 2, "10.0.0.1": 2, "fe80::1%eth0": 2}),
        (["192.168.1.0/24"], [], {"192.168.1.20": 2, "192.168.2.20": 0, "127.0.0.1": 2, "::ffff:192.168.1.20": 2}),
        (["192.168.1.20"], ["192.168.1.0/24"], {"192.168.1.20": 2, "192.168.1.21": 1, "10.0.0.1": 0}),
        ([], ["192.168.1.0/24"], {"192.168.1.20": 1, "10.0.0.1": 2, "127.0.0.1": 2}),
        (["192.168.1.0/24"], ["192.168.1.0/24"], {"192.168.1.20": 1}),
        (["2001:db8::/32"], [], {"2001:db8::1": 2, "2001:db9::1": 0, "192.168.1.20": 0}),
    ],
)
def test_the_narrowest_network_decides(allow: list[str], read_only: list[str], rights: dict[str, int]) -> None:
    access = Access(networks(allow), networks(read_only))
    assert {host: access.right(host) for host in rights} == {host: Right(right) for host, right in rights.items()}


def test_a_network_that_is_none_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"'192.168.1' is no network: write it like 192.168.1.0/24"):
        networks(["192.168.1"])


def test_who_is_not_allowed_is_neither_heard_nor_answered() -> None:
    hall = Hall(Access(allow=networks(["192.168.1.0/24"])))
    hall.say(VICTIM, "/mg/volume", -6.0)
    hall.say(VICTIM, "/mg/ping")
    assert (hall.store.values["volume"], hall.heard(VICTIM)) == (0.0, {})
    assert hall.desk.counts.ignored == 2
    hall.say(TABLET, "/mg/volume", -6.0)
    assert hall.store.values["volume"] == -6.0


def test_who_may_only_watch_changes_nothing_and_is_told_so() -> None:
    hall = Hall(Access(read_only=networks(["192.168.1.0/24"])))
    hall.say(TABLET, "/mg/subscribe", 9000)
    hall.say(TABLET, "/mg/confirm", str(hall.heard(TABLET)["/mg/confirm"]))
    hall.heard(TABLET)
    for address in ("/mg/volume", "/mg/volume/norm", "/mg/reset", "/mg/*"):
        hall.say(TABLET, address, 1.0)
        assert hall.heard(TABLET) == {"/mg/error": "may be watched from this address, and not changed"}
    assert hall.store.batches == []
    hall.say(TABLET, "/mg/get/lead")
    assert hall.heard(TABLET)["/mg/lead"] == 200.0


# ---- the secret


def test_before_the_secret_nothing_is_done() -> None:
    hall = Hall(Access(secret="open sesame"))
    hall.say(TABLET, "/mg/volume", -6.0)
    hall.say(TABLET, "/mg/secret", "open simsim")
    hall.say(TABLET, "/mg/volume", -6.0)
    assert hall.store.values["volume"] == 0.0
    hall.say(TABLET, "/mg/secret", "open", "sesame")  # as Pure Data sends it
    hall.say(TABLET, "/mg/volume", -6.0)
    assert hall.store.values["volume"] == -6.0


def test_a_bundle_may_begin_with_the_secret() -> None:
    hall = Hall(Access(secret="open sesame"))
    messages = build("/mg/secret", "open sesame"), build("/mg/volume", -6.0)
    hall.throw(TABLET, BUNDLE + bytes(7) + b"\1" + b"".join(len(m).to_bytes(4, "big") + m for m in messages))
    assert hall.store.values["volume"] == -6.0


def test_the_secret_unlocks_one_client_and_no_other() -> None:
    hall = Hall(Access(secret="open sesame"))
    hall.say(TABLET, "/mg/secret", "open sesame")
    hall.say((TABLET[0], 9001), "/mg/volume", -6.0)
    assert hall.store.values["volume"] == 0.0


def test_on_this_machine_no_secret_is_asked_for() -> None:
    hall = Hall(Access(secret="open sesame"))
    hall.say(HERE, "/mg/volume", -6.0)
    hall.say(HERE, "/mg/secret", "anything")
    assert hall.store.values["volume"] == -6.0
    assert hall.heard(HERE) == {}


def test_a_secret_that_is_soon_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 8 characters"):
        Access(secret="1234")


# ---- files


def test_the_store_is_told_whether_a_client_is_on_this_machine() -> None:
    hall = Hall()
    origins: list[object] = []
    hall.store.listen(lambda changed, origin: origins.append(origin))
    sources: list[Address] = [HERE, ("::1", 9000, 0, 0), TABLET]
    for source in sources:
        hall.say(source, "/mg/tune", "bach.wav")
    assert [(origin.source, origin.trusted) for origin in origins if isinstance(origin, Client)] == [
        (HERE, True),
        (("::1", 9000, 0, 0), True),
        (TABLET, False),
    ]


def test_a_stranger_is_told_a_files_name_and_not_its_place() -> None:
    hall = Hall()
    hall.store.apply([("tune", "/home/somebody/tunes/bach.wav")])
    for path, answer in (("/mg/get/tune", "bach.wav"), ("/mg/subscribe", "bach.wav")):
        hall.say(TABLET, path)
        hall.say(TABLET, "/mg/confirm", str(hall.heard(TABLET).get("/mg/confirm", "")))
        hall.say(TABLET, path)
        hall.clock.now += 1
        hall.desk.turn()
        assert hall.heard(TABLET)["/mg/tune"] == answer
    hall.say(HERE, "/mg/get/tune")
    assert hall.heard(HERE)["/mg/tune"] == "/home/somebody/tunes/bach.wav"


def test_what_is_wrong_with_a_file_is_told_on_this_machine_only() -> None:
    hall = Hall()
    hall.say(TABLET, "/mg/subscribe")
    hall.say(TABLET, "/mg/confirm", str(hall.heard(TABLET)["/mg/confirm"]))
    hall.say(HERE, "/mg/subscribe", "/mg/status")
    hall.heard(TABLET)
    hall.desk.answers.error("/mg/tune", "/home/somebody/bach.wav is no sound file")
    hall.desk.turn()
    assert hall.heard(TABLET)["/mg/error"] == "cannot be read as what it has to be"
    assert hall.heard(HERE)["/mg/error"] == "/home/somebody/bach.wav is no sound file"
