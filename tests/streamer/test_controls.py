"""The table of live parameters, and who hears of what when it changes."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.desk import Desk
from osc.packet import build
from osc.tree import Tree
from osc.values import BadValue, Value
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, PARAMETERS, SLOTS, TABLE
from streamer.reporting import mentioned

Heard = list[tuple[dict[str, Value], object]]


def heard_by(controls: Controls) -> Heard:
    heard: Heard = []
    controls.listen(lambda changed, origin: heard.append((changed, origin)))
    return heard


def test_every_control_has_an_address_of_its_own_and_says_what_it_does() -> None:
    paths = [parameter.path for parameter in PARAMETERS] + [action.name for action in ACTIONS]
    assert len(set(paths)) == len(paths)
    assert all(
        doc.endswith(".") for doc in [control.doc for control in PARAMETERS] + [action.doc for action in ACTIONS]
    )


def test_values_start_at_the_defaults_and_at_what_was_given() -> None:
    controls = Controls(prompt="deep house", volume=99)
    assert controls.get("prompt") == "deep house"
    assert controls.get("volume") == TABLE["volume"].high
    assert controls.get("loudness") == -16.0
    assert list(controls.values()) == list(TABLE)


def test_a_change_is_clamped_and_comes_back_as_it_is_now() -> None:
    controls = Controls()
    assert controls.set(temperature=9.0, topk=7.6) == {"temperature": 2.0, "topk": 8}
    assert controls.get("temperature") == 2.0
    assert controls.get("topk") == 8


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*TABLE, "play", "nothing"]),
            st.one_of(st.floats(), st.integers(), st.booleans(), st.text(), st.none()),
        )
    )
)
def test_whatever_arrives_the_values_stay_in_range(batch: list[tuple[str, Value | None]]) -> None:
    controls = Controls()
    before = controls.values()
    heard = heard_by(controls)
    try:
        changed = controls.apply(batch)
    except BadValue as refusal:
        assert str(refusal)
        assert controls.values() == before
        assert heard == []
    else:
        assert heard == ([(changed, None)] if batch else [])
    for name, value in controls.values().items():
        assert TABLE[name].clamp(value) == value


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("temprature", 1.0, "temprature"),
        ("temperature", math.nan, "temperature takes a finite number"),
        ("temperature", "warm", "temperature takes a number"),
        ("prompt", 3, "prompt takes a text"),
        ("volume", None, "volume needs a value"),
    ],
)
def test_a_batch_with_one_bad_value_changes_nothing_and_says_why(name: str, value: Value, sentence: str) -> None:
    controls = Controls()
    heard = heard_by(controls)
    with pytest.raises(BadValue, match=sentence):
        controls.apply([("volume", -6.0), (name, value)])
    assert controls.get("volume") == 0.0
    assert heard == []


def test_a_batch_is_told_once_in_its_order_with_its_origin() -> None:
    controls = Controls()
    heard = heard_by(controls)
    me = object()
    controls.apply([("seed", 1), ("volume", -3), ("reset", None), ("seed", 2)], me)
    assert heard == [({"volume": -3.0, "reset": True, "seed": 2}, me)]
    assert list(heard[0][0]) == ["volume", "reset", "seed"]


def test_an_action_is_told_but_is_no_value() -> None:
    controls = Controls()
    heard = heard_by(controls)
    controls.act("panic")
    assert heard == [({"panic": True}, None)]
    assert "panic" not in controls.values()


def test_a_listener_may_change_the_controls() -> None:
    controls = Controls()

    def no_louder(changed: dict[str, Value], _: object) -> None:
        if float(changed.get("volume", 0.0)) > 0:
            controls.set(volume=0.0)

    controls.listen(no_louder)
    heard = heard_by(controls)
    controls.set(volume=6.0)
    assert [changed["volume"] for changed, _ in heard] == [6.0, 0.0]
    assert controls.get("volume") == 0.0


def test_a_failing_listener_does_not_silence_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    controls = Controls()

    def broken(changed: dict[str, Value], origin: object) -> None:
        raise RuntimeError("out of tune")

    controls.listen(broken)
    heard = heard_by(controls)
    controls.set(volume=-1.0)
    controls.set(volume=-2.0)
    assert [changed for changed, _ in heard] == [{"volume": -1.0}, {"volume": -2.0}]
    mentioned()
    assert "out of tune" in capsys.readouterr().err


def test_many_hands_turn_knobs_and_all_hear_the_same_story() -> None:
    """No batch is seen half, none is lost, and the last one told is the one that stands."""
    controls = Controls()
    heard = heard_by(controls)
    torn = []

    def turn(hand: int) -> None:
        for step in range(200):
            controls.set(seed=hand * 1000 + step, topk=(hand * 1000 + step) % 2000)
            now = controls.values()
            torn.append(int(now["seed"]) % 2000 != now["topk"])

    hands = [threading.Thread(target=turn, args=(hand,)) for hand in range(1, 5)]
    for thread in hands:
        thread.start()
    for thread in hands:
        thread.join()
    assert not any(torn)
    assert len(heard) == 800
    assert heard[-1][0]["seed"] == controls.get("seed")
    for hand in range(1, 5):
        mine = [int(changed["seed"]) for changed, _ in heard if int(changed["seed"]) // 1000 == hand]
        assert mine == sorted(mine)


def test_a_models_defaults_stand_where_nobody_chose() -> None:
    controls = Controls(topk=10)
    controls.set(temperature=0.7)
    heard = heard_by(controls)
    assert controls.adopt(topk=50, temperature=1.3, cfg=4.5) == {"cfg": 4.5}
    assert (controls.get("topk"), controls.get("temperature"), controls.get("cfg")) == (10, 0.7, 4.5)
    assert heard == [({"cfg": 4.5}, None)]
    # What was adopted may be adopted anew from the next model.
    assert controls.adopt(cfg=2.0) == {"cfg": 2.0}


def test_a_pattern_moves_all_weights_and_leaves_the_prompts() -> None:
    controls = Controls()
    desk = Desk(Tree("/mg", PARAMETERS, ACTIONS, controls), lambda target, packet: True, lambda: None)
    for address, value in (("/mg/prompt/*/weight", 0.25), ("/mg/{volume,mute}", 1.0)):
        desk.receive(build(address, value), ("127.0.0.1", 9))
        desk.turn()
    values = controls.values()
    assert [values[weight] for weight in SLOTS.values()] == [0.25] * 8
    assert (values["volume"], values["mute"], values["prompt2"]) == (1.0, True, "")
