"""OSC 1.0 address patterns: one message for several addresses.

`*` and `?` stand for any characters and for one, `[a-c]` and `[!a-c]` for one of a set, `{volume,mute}` for one of
several texts; none of them crosses a slash. Matching keeps the set of places that a pattern may have come to, so its
time is bounded by the lengths of pattern and address, whatever a stranger sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from osc.packet import Message
from osc.values import BadValue

LONGEST = 256
"""Characters of a pattern."""
MOST_MATCHES = 1024
"""Addresses that the patterns of one bundle may stand for."""
_SPECIAL = frozenset("*?[]{}")

Piece = Callable[[str, set[int]], set[int]]
"""Places in an address before a piece of the pattern -> places behind it."""


def is_pattern(address: str) -> bool:
    """Whether an address may stand for several."""
    return not _SPECIAL.isdisjoint(address)


class Pattern:
    """A pattern, read once.

    Raises
    ------
    BadValue
        For a bracket without its end, and for a pattern of more than `LONGEST` characters.
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST:
            raise BadValue(f"is a pattern of {len(pattern)} characters: send at most {LONGEST}")
        self._pieces: list[Piece] = []
        index = 0
        while index < len(pattern):
            index = self._read(pattern, index)

    def matches(self, address: str) -> bool:
        """Whether the pattern stands for this address among others."""
        places = {0}
        for piece in self._pieces:
            places = piece(address, places)
            if not places:
                return False
        return len(address) in places

    def _read(self, pattern: str, index: int) -> int:
        """Add the piece that begins at `index`; returns where the next one begins."""
        first = pattern[index]
        if first == "*":
            self._pieces.append(_any_number)
        elif first == "?":
            self._pieces.append(_one(lambda character: character != "/"))
        elif first == "[":
            end = _end(pattern, index, "]")
            self._pieces.append(_one(_members(pattern[index + 1 : end])))
            return end + 1
        elif first == "{":
            end = _end(pattern, index, "}")
            self._pieces.append(_one_of(pattern[index + 1 : end].split(",")))
            return end + 1
        else:
            self._pieces.append(_one_of([first]))
        return index + 1


def expanded(message: Message, addresses: Callable[[], Iterable[str]], most: int) -> list[Message]:
    """A message as one for each address that it stands for, of at most so many; addresses are asked for at a pattern.

    Raises
    ------
    BadValue
        For a bad pattern, for one that matches nothing, and for one that matches too much.
    """
    if not is_pattern(message.address):
        return [message]
    pattern = Pattern(message.address)
    found = [Message(address, message.arguments) for address in addresses() if pattern.matches(address)]
    if not found:
        raise BadValue("matches no address here")
    if len(found) > most:
        raise BadValue(f"stands for too many addresses: a bundle's patterns may match {MOST_MATCHES}")
    return found


def _end(pattern: str, index: int, bracket: str) -> int:
    end = pattern.find(bracket, index)
    if end < 0:
        raise BadValue(f"is a pattern with a {pattern[index]} that is not closed by a {bracket}")
    return end


def _any_number(address: str, places: set[int]) -> set[int]:
    reached: set[int] = set()
    for place in sorted(places):
        while place not in reached:
            reached.add(place)
            if place < len(address) and address[place] != "/":
                place += 1
    return reached


def _one(fits: Callable[[str], bool]) -> Piece:
    def piece(address: str, places: set[int]) -> set[int]:
        return {place + 1 for place in places if place < len(address) and fits(address[place])}

    return piece


def _one_of(texts: list[str]) -> Piece:
    def piece(address: str, places: set[int]) -> set[int]:
        return {place + len(text) for place in places for text in texts if address.startswith(text, place)}

    return piece


def _members(inside: str) -> Callable[[str], bool]:
    """What stands in square brackets: single characters, ranges `a-c`, a `!` before them for all others."""
    negated = inside.startswith("!")
    rest = inside[negated:]
    singles: set[str] = set()
    ranges: list[tuple[str, str]] = []
    index = 0
    while index < len(rest):
        if index + 2 < len(rest) and rest[index + 1] == "-":
            ranges.append((rest[index], rest[index + 2]))
            index += 3
        else:
            singles.add(rest[index])
            index += 1

    def fits(character: str) -> bool:
        inside = character in singles or any(low <= character <= high for low, high in ranges)
        return character != "/" and inside != negated

    return fits
