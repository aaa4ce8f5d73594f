"""API keys: who may ask for streams, for how many, and how fast."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from streamer.errors import UserError

SHORTEST = 16
"""Characters of a key, at least."""
LONGEST_PROMPT = 256
"""Characters, where a key says nothing else."""
DAY = 86_400.0
NOBODY = "anyone"
"""The name of whoever needs no key."""


@dataclass(frozen=True)
class Key:
    """Somebody who may ask.

    Parameters
    ----------
    name : str
        For sentences and figures.
    key : str
        The secret; "" where none is needed.
    sessions : int
        Open at a time.
    hours : float
        Of music within a day.
    requests : float
        A second, over ten seconds.
    prompt : int
        Characters of a prompt.
    """

    name: str
    key: str
    sessions: int = 8
    hours: float = 192.0
    requests: float = 20.0
    prompt: int = LONGEST_PROMPT


class TooMuch(Exception):
    """A limit of a key is reached: a sentence."""


class Account:
    """What a key has used.

    Parameters
    ----------
    key : Key
    clock : callable
        Seconds.
    """

    def __init__(self, key: Key, clock: Callable[[], float] = time.monotonic) -> None:
        self.key = key
        self._clock = clock
        self._room = 10.0 * key.requests
        self._last = self._day = clock()
        self.seconds = 0.0

    def request(self) -> None:
        """Count a request.

        Raises
        ------
        TooMuch
            They come too fast.
        """
        now = self._clock()
        self._room = min(10.0 * self.key.requests, self._room + (now - self._last) * self.key.requests)
        self._last = now
        if self._room < 1.0:
            raise TooMuch(f"{self.key.name} asks more than {self.key.requests:g} times a second: wait a moment.")
        self._room -= 1.0

    def played(self, seconds: float) -> None:
        """Count music."""
        self._renew()
        self.seconds += seconds

    @property
    def spent(self) -> bool:
        """Whether the music of this day is used up."""
        self._renew()
        return self.seconds >= 3600.0 * self.key.hours

    @property
    def spent_sentence(self) -> str:
        """What to say then."""
        return f"{self.key.name} has heard its {self.key.hours:g} hours of today: the music goes on tomorrow."

    def _renew(self) -> None:
        now = self._clock()
        if now - self._day >= DAY:
            self._day, self.seconds = now, 0.0


class Keys:
    """All keys.

    Parameters
    ----------
    keys : iterable of Key
        One of them without a secret lets everybody in, in its name.
    """

    def __init__(self, keys: Iterable[Key], clock: Callable[[], float] = time.monotonic) -> None:
        self.accounts = {key.name: Account(key, clock) for key in keys}

    @property
    def needed(self) -> bool:
        """Whether nobody may ask without one."""
        return all(account.key.key for account in self.accounts.values())

    def account(self, secret: str) -> Account | None:
        """Whose key it is; None for nobody's. Takes the same time whichever it is."""
        found = None
        for account in self.accounts.values():
            own = account.key.key
            if not own or hmac.compare_digest(own.encode(), secret.encode(errors="replace")):
                found = account
        return found


def for_anybody() -> Keys:
    """Everybody may ask, as on a machine that others do not reach, and nothing is counted against them."""
    return Keys([Key(NOBODY, "", sessions=64, hours=24 * 64)])


def read_keys(path: Path) -> list[Key]:
    """Keys out of a YAML file: a list, each with `name`, `key`, and whatever limits are to differ.

    Raises
    ------
    UserError
        It cannot be read, or what stands there is no list of keys.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise UserError(f"the keys in {path} cannot be read ({type(error).__name__}): name a YAML file") from None
    if not isinstance(found, list) or not found:
        raise UserError(f"{path} holds no list of keys: write `- name: cafe` and `  key: ...` for each")
    keys = [_read(entry, f"entry {number} of {path}") for number, entry in enumerate(found, 1)]
    for what in ("name", "key"):
        if len({getattr(key, what) for key in keys}) < len(keys):
            raise UserError(f"two keys of {path} have the same {what}: give each its own")
    return keys


def _read(entry: Any, where: str) -> Key:
    if not isinstance(entry, dict):
        raise UserError(f"{where} is no key: write `name: cafe` and `key: ...`")
    kinds = {field.name: str(field.type) for field in fields(Key)}
    if unknown := sorted(str(name) for name in entry if name not in kinds):
        raise UserError(f"{where} has {unknown[0]!r}, which no key has: choose among {', '.join(kinds)}")
    for name in ("name", "key"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise UserError(f"{where} needs a text as its {name}")
    if len(entry["key"]) < SHORTEST or not entry["key"].isascii() or not entry["key"].isalnum():
        raise UserError(f"the key of {where} needs at least {SHORTEST} letters and digits, and nothing else")
    for name, value in entry.items():
        number = isinstance(value, int) or (kinds[name] == "float" and isinstance(value, float))
        if kinds[name] != "str" and (not number or isinstance(value, bool) or not 0 < value < 1e9):
            raise UserError(f"{name} of {where} takes a number above 0, not {str(value)[:40]!r}")
    return Key(**entry)
