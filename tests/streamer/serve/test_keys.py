"""API keys: their file, and their limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import UserError
from streamer.serve.keys import DAY, Account, Key, Keys, TooMuch, read_keys

SECRET = "0123456789abcdef"


def test_a_file_of_keys_says_who_may_ask_and_for_how_much(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"- name: cafe\n  key: {'a' * 16}\n  sessions: 2\n  hours: 12.5\n- name: shop\n  key: {'b' * 20}\n")
    keys = Keys(read_keys(file))
    account = keys.account("a" * 16)
    assert account is not None and account.key == Key("cafe", "a" * 16, sessions=2, hours=12.5)
    assert keys.needed
    assert keys.account("") is None and keys.account("a" * 15) is None and keys.account("é") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("", "holds no list"),
        ("- cafe", "entry 1 of .* is no key"),
        (f"- name: cafe\n  key: {SECRET}\n  colour: red", "'colour', which no key has"),
        ("- name: cafe", "needs a text as its key"),
        ("- name: cafe\n  key: short", "at least 16 letters"),
        (f"- name: cafe\n  key: '{SECRET} {SECRET}'", "nothing else"),
        (f"- name: cafe\n  key: {SECRET}q\n  sessions: many", "sessions of entry 1 .* takes a number above 0"),
        (f"- name: cafe\n  key: {SECRET}q\n  sessions: 1.5", "takes a number above 0"),
        (f"- name: cafe\n  key: {SECRET}q\n  hours: .nan", "takes a number above 0"),
        (f"- name: a\n  key: {SECRET}q\n- name: b\n  key: {SECRET}q", "same key"),
    ],
)
def test_what_is_wrong_with_a_file_is_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=says):
        read_keys(file)


@given(st.lists(st.floats(0.0, 3.0), max_size=60))
def test_nobody_gets_more_requests_than_their_rate_whenever_they_ask(pauses: list[float]) -> None:
    now = [0.0]
    account = Account(Key("cafe", SECRET, requests=2.0), lambda: now[0])
    granted = 0
    for pause in pauses:
        now[0] += pause
        try:
            account.request()
            granted += 1
        except TooMuch as error:
            assert "2 times a second" in str(error)
        assert granted <= 20.0 + 2.0 * now[0] + 1e-6


def test_the_hours_of_a_day_run_out_and_come_back() -> None:
    now = [0.0]
    account = Account(Key("cafe", SECRET, hours=1.0), lambda: now[0])
    account.played(3599.0)
    assert not account.spent
    account.played(2.0)
    assert account.spent and "1 hours of today" in account.spent_sentence
    now[0] = DAY + 1.0
    assert not account.spent
