"""What plays at a moment: on the days when clocks are set, over midnight, on leap days, where the sun does not set."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.surfaces.programme.calendar import Calendar, Clock, Place, Sun
from streamer.surfaces.programme.entries import EVERY_DAY, Entry, Evolve, Programme
from streamer.surfaces.programme.plan import Plan

BERLIN = Calendar(ZoneInfo("Europe/Berlin"), Place(52.5, 13.4))
TROMSO = Calendar(ZoneInfo("Europe/Oslo"), Place(69.65, 18.96))
CALENDARS = (
    BERLIN,
    TROMSO,
    Calendar(ZoneInfo("Australia/Lord_Howe"), Place(-31.5, 159.1)),  # its clocks move by half an hour
    Calendar(ZoneInfo("America/Santiago"), Place(-33.4, -70.7)),  # at midnight
    Calendar(ZoneInfo("Pacific/Apia"), Place(-13.8, -171.8)),  # had no 30 December 2011
    Calendar(ZoneInfo("UTC"), Place(89.9, 0.0)),
)


def at(calendar: Calendar, *parts: int) -> float:
    year, month, day, hour, minute = (*parts, 0, 0)[:5]
    return datetime(year, month, day, hour, minute, tzinfo=calendar.zone).timestamp()


def named(plan: Plan, moment: float) -> str:
    turn = plan.at(moment).turn
    return "" if turn is None else turn.entry.name


def hour(hours: float) -> Clock:
    return Clock(round(hours * 3600))


times = st.none() | st.builds(Clock, st.integers(0, 96).map(lambda quarter: quarter * 900))
suns = st.builds(Sun, st.sampled_from(["dawn", "sunrise", "noon", "sunset", "dusk"]), st.integers(-7200, 7200))
walks = st.none() | st.builds(
    lambda every, share: Evolve(every, every * share // 4), st.integers(60, 4000), st.integers(0, 4)
)


@st.composite
def entries(draw: st.DrawFn, name: str) -> Entry:
    evolve = draw(walks)
    return Entry(
        name,
        prompts=tuple((f"{name} {number}", 1 / 3) for number in range(3)),
        start=draw(times | suns),
        until=draw(times | suns),
        days=draw(st.just(EVERY_DAY) | st.frozensets(st.integers(0, 6), min_size=1)),
        lasts=draw(st.none() | st.integers(600, 30_000)),
        weight=draw(st.floats(0.1, 10)),
        evolve=evolve,
        silence=draw(st.sampled_from([0, 30, 600])),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    several = tuple(draw(entries(f"entry {number}")) for number in range(draw(st.integers(1, 4))))
    hours = st.dictionaries(st.integers(0, 23).map(lambda hour: 3600 * hour), st.floats(-30, -8), max_size=3)
    loudness = tuple(sorted(draw(hours).items()))
    return Plan(Programme(several, draw(st.sampled_from(CALENDARS)), loudness))


CHANGES = [datetime(2026, 3, 29), datetime(2026, 10, 25), datetime(2028, 2, 29), datetime(2026, 12, 31, 12)]
CHANGES += [datetime(2026, 4, 5), datetime(2026, 9, 6), datetime(2011, 12, 30), datetime(2026, 6, 21)]
moments = st.builds(
    lambda day, seconds: day.replace(tzinfo=ZoneInfo("UTC")).timestamp() + seconds,
    st.sampled_from(CHANGES),
    st.integers(-100_000, 100_000),
)


@settings(max_examples=60)
@given(plans(), moments, st.floats(0, 1))
def test_nothing_changes_before_a_scene_says_so(plan: Plan, moment: float, share: float) -> None:
    scene = plan.at(moment)
    assert moment < scene.until <= moment + 3 * 86_400
    if scene.turn is not None:
        assert scene.turn.begins <= moment < scene.turn.ends
    later = moment + min(share, 0.999999) * (scene.until - moment)
    other = plan.at(min(later, scene.until - 1e-3))
    assert (other.turn, other.silent, other.towards, other.loudness) == (
        scene.turn,
        scene.silent,
        scene.towards,
        scene.loudness,
    )
    assert other.until == pytest.approx(scene.until, abs=1e-3)
    if not scene.towards:
        assert other.blend == scene.blend


@settings(max_examples=40)
@given(plans(), moments)
def test_a_fade_arrives_where_the_next_scene_begins(plan: Plan, moment: float) -> None:
    scene = plan.at(moment)
    after = plan.at(scene.until)
    if scene.towards and after.turn == scene.turn and scene.until == scene.arrives:
        assert after.blend == scene.towards
    assert abs(sum(weight for _, weight in scene.blend) - 1) < 1e-9 or scene.silent


@settings(max_examples=60)
@given(plans(), moments)
def test_a_restart_goes_on_where_the_clock_is(plan: Plan, moment: float) -> None:
    """Whoever looks for the first time finds what one finds who has looked all the while."""
    watched = moment
    for _ in range(5):
        watched = plan.at(watched).until
    assert Plan(plan.programme).at(watched) == plan.at(watched)


@settings(max_examples=100)
@given(
    st.integers(0, 95),
    st.integers(0, 95),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 7 * 96 - 1),
    st.sampled_from([date(2026, 6, 1), date(2028, 2, 28), date(2026, 12, 28)]),
)
def test_clock_and_weekday_are_what_a_wall_shows(
    start: int, until: int, days: frozenset[int], quarter: int, monday: date
) -> None:
    """Held against the words themselves, on days on which no clock is set."""
    entry = Entry("shown", (("a", 1.0),), start=Clock(start * 900), until=Clock(until * 900), days=days)
    plan = Plan(Programme((entry,), BERLIN))
    moment = at(BERLIN, monday.year, monday.month, monday.day) + 900 * quarter + 450
    day, now = (monday.weekday() + quarter // 96) % 7, quarter % 96
    if start < until:
        shows = start <= now < until and day in days
    else:
        shows = (now >= start and day in days) or (now < until and (day - 1) % 7 in days)
    assert named(plan, moment) == ("shown" if shows else "")


def test_an_evening_ends_after_midnight() -> None:
    plan = Plan(Programme((Entry("bar", (("jazz", 1.0),), start=hour(18), until=hour(2)),), BERLIN))
    assert [named(plan, at(BERLIN, 2026, 5, day, hour)) for day, hour in ((5, 17), (5, 18), (6, 1), (6, 2))] == [
        "",
        "bar",
        "bar",
        "",
    ]
    assert plan.at(at(BERLIN, 2026, 5, 6, 1)).turn == plan.at(at(BERLIN, 2026, 5, 5, 19)).turn


def test_an_hour_that_is_left_out_is_later_and_one_that_comes_twice_is_the_first() -> None:
    plan = Plan(Programme((Entry("night", (("drone", 1.0),), start=hour(2.5), until=hour(4)),), BERLIN))
    spring = plan.at(at(BERLIN, 2026, 3, 29, 3, 45)).turn
    assert spring is not None and spring.begins == at(BERLIN, 2026, 3, 29, 3, 30)
    autumn = plan.at(at(BERLIN, 2026, 10, 25, 3, 45)).turn
    assert autumn is not None and autumn.ends - autumn.begins == 2.5 * 3600


def test_a_window_within_the_hour_that_is_left_out_moves_with_it() -> None:
    plan = Plan(Programme((Entry("short", (("a", 1.0),), start=hour(2.25), until=hour(2.75)),), BERLIN))
    assert named(plan, at(BERLIN, 2026, 3, 29, 3, 30)) == "short"
    assert named(plan, at(BERLIN, 2026, 3, 29, 1, 30)) == ""


def test_a_day_has_its_leap_day_and_the_weekday_of_it() -> None:
    plan = Plan(Programme((Entry("leap", (("a", 1.0),), days=frozenset({1})),), BERLIN))
    assert named(plan, at(BERLIN, 2028, 2, 29, 12)) == "leap"
    assert named(plan, at(BERLIN, 2028, 3, 1, 0)) == ""


def test_an_entry_that_waits_for_a_sun_that_does_not_set_does_not_play() -> None:
    plan = Plan(Programme((Entry("night", (("a", 1.0),), start=Sun("sunset"), until=Sun("sunrise")),), TROMSO))
    assert not any(named(plan, at(TROMSO, 2026, 6, 21, hour)) for hour in range(24))
    assert not any(named(plan, at(TROMSO, 2026, 12, 21, hour)) for hour in range(24))
    assert named(plan, at(TROMSO, 2026, 9, 21, 23)) == "night"


def test_sunset_is_where_an_almanac_has_it() -> None:
    """Berlin, 21 June: sunrise 4:43, sunset 21:33."""
    for event, hours, minutes in (("sunrise", 4, 43), ("sunset", 21, 33)):
        found = BERLIN.moment(date(2026, 6, 21), Sun(event))
        assert found is not None
        assert abs(found - at(BERLIN, 2026, 6, 21, hours, minutes)) < 120


@settings(max_examples=60)
@given(st.sampled_from(CALENDARS), st.integers(0, 1500))
def test_the_sun_of_a_day_rises_before_it_sets(calendar: Calendar, days: int) -> None:
    day = date(2026, 1, 1) + timedelta(days=days)
    order = [calendar.moment(day, Sun(event)) for event in ("sunrise", "noon", "sunset")]
    there = [moment for moment in order if moment is not None]
    assert there == sorted(there) and order[1] is not None
    assert abs(order[1] - at(calendar, day.year, day.month, day.day, 12)) < 6 * 3600


def test_what_has_a_time_goes_before_what_has_none() -> None:
    filler, noon = Entry("filler", (("a", 1.0),)), Entry("noon", (("b", 1.0),), start=hour(12), until=hour(13))
    plan = Plan(Programme((filler, noon), BERLIN))
    assert [named(plan, at(BERLIN, 2026, 5, 5, hour)) for hour in (11, 12, 13)] == ["filler", "noon", "filler"]


def test_weights_say_how_often_an_entry_is_drawn() -> None:
    often, seldom = (Entry(name, ((name, 1.0),), weight=weight, lasts=600) for name, weight in (("a", 3), ("b", 1)))
    third = replace(seldom, name="c", prompts=(("c", 1.0),))
    plan = Plan(Programme((often, seldom, third), BERLIN))
    start = at(BERLIN, 2026, 5, 4)
    played = [named(plan, start + 600 * number + 1) for number in range(1008)]
    assert all(first != second for first, second in itertools.pairwise(played) if first != "a")
    assert 0.40 < played.count("a") / len(played) < 0.50  # never twice in a row, so at most every other one
    assert abs(played.count("b") - played.count("c")) < 120


def test_a_seed_is_the_same_each_time_or_never_again() -> None:
    fixed, fresh = Entry("x", (("x", 1.0),), lasts=600, seed=7), Entry("y", (("y", 1.0),), lasts=600)
    plan = Plan(Programme((fixed, fresh), BERLIN))
    start = at(BERLIN, 2026, 5, 4)
    turns = {turn for number in range(500) if (turn := plan.at(start + 600 * number).turn)}
    seeds = [turn.seed for turn in turns if turn.entry is fresh]
    assert {turn.seed for turn in turns if turn.entry is fixed} == {7}
    assert len(set(seeds)) == len(seeds) > 200


def test_a_walk_goes_from_prompt_to_prompt_and_fades_at_the_end_of_each() -> None:
    prompts = (("a", 0.5), ("b", 0.25), ("c", 0.25))
    entry = Entry("walk", prompts, start=hour(8), until=hour(20), evolve=Evolve(600, 120))
    plan = Plan(Programme((entry,), BERLIN))
    start = at(BERLIN, 2026, 5, 4, 8)
    steps = [plan.at(start + 600 * number + 1).blend[0][0] for number in range(60)]
    assert all(first != second for first, second in itertools.pairwise(steps)) and set(steps) == {*"abc"}
    fading = plan.at(start + 540)
    assert fading.blend == ((steps[0], 0.5), (steps[1], 0.5))
    assert fading.towards == ((steps[1], 1.0),) and fading.arrives == start + 600


def test_silence_comes_before_an_entry() -> None:
    entry = Entry("x", (("x", 1.0),), start=hour(8), until=hour(9), silence=60)
    plan = Plan(Programme((entry,), BERLIN))
    start = at(BERLIN, 2026, 5, 4, 8)
    assert plan.at(start + 30).silent and not plan.at(start + 60).silent
    assert plan.at(start + 30).title == "" and plan.at(start + 60).title == "x"


def test_loudness_goes_evenly_from_hour_to_hour_around_the_clock() -> None:
    programme = Programme((Entry("x", (("x", 1.0),)),), BERLIN, ((hour(8).seconds, -14.0), (hour(20).seconds, -24.0)))
    plan = Plan(programme)
    found = [plan.at(at(BERLIN, 2026, 5, 4, hour)).loudness for hour in (8, 14, 20, 2)]
    assert found == pytest.approx([-14, -19, -24, -19], abs=0.3)
