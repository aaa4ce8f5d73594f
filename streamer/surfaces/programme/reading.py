"""A programme as people write it: YAML, with a sentence and a line for whatever is wrong in it.

PyYAML finds the structure and the lines; what a word means is said here, so that 18:00 is a time and no number.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import yaml

from osc.values import BadValue, Value
from streamer.control.table import SLOTS, TABLE, clamp
from streamer.errors import UserError
from streamer.surfaces.programme.calendar import DAY, SUN, Calendar, Clock, Place, Sun, TimeOfDay
from streamer.surfaces.programme.entries import EVERY_DAY, Entry, Evolve, Programme, Prompts

LARGEST_BYTES = 1_000_000
MOST_ENTRIES, MOST_PROMPTS, MOST_BLENDED = 500, 200, len(SLOTS)
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_GROUPS = {"weekdays": "mon-fri", "weekends": "sat-sun", "daily": "mon-sun"}
_OWN = frozenset({*SLOTS, *SLOTS.values(), "seed", "lead", "volume", "mute", "loudness", "quantise"})
"""Parameters that a programme moves itself, or that belong to a machine."""
SETTABLE = tuple(name for name in TABLE if name not in _OWN)
"""Parameters that an entry may name."""

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\b")
_SUN = re.compile(rf"({'|'.join(SUN)})(?:\s*([+-])\s*(.+))?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}
_ENTRY = [
    "name",
    "prompt",
    "prompts",
    "snapshot",
    "values",
    "from",
    "until",
    "for",
    "days",
    "weight",
    "evolve",
    "every",
    "crossfade",
    "seed",
    "silence",
    "takeover",
]
_TOP = ["zone", "place", "loudness", "takeover", "entries", "outputs"]

Node = yaml.Node
T = TypeVar("T")


class Wrong(Exception):
    """A word that cannot be understood: why, as the end of a sentence."""


class Page:
    """A file of YAML, read by its nodes.

    Parameters
    ----------
    path
        For sentences.
    text
        What it holds.

    Attributes
    ----------
    path : Path
    root
        The whole of it.

    Raises
    ------
    UserError
        It is no YAML: which line.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        try:
            found = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self.error(mark.line if mark else 0, f"this is no YAML: {error.problem or error.context}") from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise self.error(0, f"this is no YAML: {str(error).splitlines()[0]}") from None
        if found is None:
            raise self.error(0, "there is nothing in it: write some entries")
        self.root: Node = found

    def error(self, line: int, sentence: str) -> UserError:
        """A sentence about a line, counted from 0."""
        return UserError(f"{self.path}, line {line + 1}: {sentence}")

    def wrong(self, node: Node, sentence: str) -> UserError:
        """A sentence about the line of a node."""
        return self.error(node.start_mark.line, sentence)

    def mapping(self, node: Node, known: Iterable[str] | None = None, what: str = "this") -> dict[str, Node]:
        """The parts of a node by name.

        Raises
        ------
        UserError
            It has no names, or one twice, or one that is not known.
        """
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(node, f"{what} has to be made of lines like `name: value`")
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = self.text(key)
            if name in found:
                raise self.wrong(key, f"{name!r} is said twice: leave one out")
            if known is not None and name not in (names := list(known)):
                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(names)}"
                raise self.wrong(key, f"{what} knows no {name[:60]!r}: {hint}")
            found[name] = value
        return found

    def items(self, node: Node, what: str) -> list[Node]:
        """The parts of a list.

        Raises
        ------
        UserError
            It is none, or empty.
        """
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.wrong(node, f"{what} has to be a list: lines that begin with a dash")
        return list(node.value)

    def text(self, node: Node) -> str:
        """A word or a line.

        Raises
        ------
        UserError
            It is neither.
        """
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(node, "a word or a number belongs here, no list and no names")
        return str(node.value).strip()

    def read(self, node: Node, parse: Callable[[str], T]) -> T:
        """A word, understood.

        Raises
        ------
        UserError
            It cannot be: why.
        """
        try:
            return parse(self.text(node))
        except (Wrong, BadValue) as error:
            raise self.wrong(node, str(error)) from None


def open_page(path: Path) -> Page:
    """A file of YAML.

    Raises
    ------
    UserError
        It cannot be read.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise UserError(f"the programme {path} is too large to be one: it may have {LARGEST_BYTES} bytes")
        return Page(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the programme {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"the programme {path} is no UTF-8 text: save it as that") from None


def read_programme(page: Page) -> Programme:
    """What a page says is to be played.

    Raises
    ------
    UserError
        It cannot be understood: which line, and what to do.
    """
    top = page.mapping(page.root, _TOP, "a programme")
    if "entries" not in top:
        raise page.wrong(page.root, "there are no entries: write `entries:` and what to play below it")
    place = _place(page, top["place"]) if "place" in top else None
    zone = page.read(top["zone"], _zone) if "zone" in top else local_zone()
    usual = page.read(top["takeover"], _seconds) if "takeover" in top else Entry.crossfade
    entries = [_entry(page, node, place, usual) for node in page.items(top["entries"], "entries")]
    if len(entries) > MOST_ENTRIES:
        raise page.wrong(top["entries"], f"a programme has {MOST_ENTRIES} entries at most, not {len(entries)}")
    loudness = _loudness(page, top["loudness"]) if "loudness" in top else ()
    return Programme(tuple(entries), Calendar(zone, place), loudness)


def local_zone() -> ZoneInfo:
    """Of this machine's clock: its changes of the year are known where its zone has a name, else there are none."""
    for named in (_read_line(Path("/etc/timezone")), _zone_link(Path("/etc/localtime"))):
        if named:
            try:
                return ZoneInfo(named)
            except (ValueError, OSError, KeyError):
                continue
    return ZoneInfo("UTC")


def _entry(page: Page, node: Node, place: Place | None, usual: float) -> Entry:
    parts = page.mapping(node, _ENTRY, "an entry")
    given = [name for name in ("prompt", "prompts", "snapshot") if name in parts]
    if not given:
        raise page.wrong(node, "this entry has nothing to play: give it a prompt, prompts or a snapshot")
    if "prompt" in parts and "prompts" in parts:
        raise page.wrong(parts["prompt"], "an entry has a prompt or prompts, not both")
    prompts = _prompts(page, parts.get("prompts", parts.get("prompt")))
    evolve = _evolve(page, parts, prompts)
    if evolve is None and len(prompts) > MOST_BLENDED:
        raise page.wrong(
            parts["prompts"],
            f"{MOST_BLENDED} prompts can be blended, not {len(prompts)}: add `evolve: true` to walk among them",
        )
    times = {name: page.read(parts[name], _time) for name in ("from", "until") if name in parts}
    for name, at in times.items():
        if isinstance(at, Sun) and place is None:
            raise page.wrong(parts[name], "the sun's times need a place: write `place: 52.5, 13.4` at the top")
    snapshot = page.text(parts["snapshot"]) if "snapshot" in parts else ""
    return Entry(
        name=page.text(parts["name"]) if "name" in parts else (prompts[0][0] if prompts else snapshot),
        prompts=prompts,
        snapshot=snapshot,
        values=_values(page, parts["values"]) if "values" in parts else (),
        start=times.get("from"),
        until=times.get("until"),
        days=_days(page, parts["days"]) if "days" in parts else EVERY_DAY,
        lasts=page.read(parts["for"], _lasting) if "for" in parts else None,
        weight=page.read(parts["weight"], _weight) if "weight" in parts else 1.0,
        evolve=evolve,
        seed=page.read(parts["seed"], _seed) if "seed" in parts else None,
        silence=page.read(parts["silence"], _seconds) if "silence" in parts else 0.0,
        crossfade=page.read(parts["takeover"], _seconds) if "takeover" in parts else usual,
    )


def _prompts(page: Page, node: Node | None) -> Prompts:
    if node is None:
        return ()
    if isinstance(node, yaml.ScalarNode):
        return ((page.read(node, _prompt), 1.0),)
    if isinstance(node, yaml.MappingNode):
        found = [(page.read(key, _prompt), page.read(value, _weight)) for key, value in node.value]
    else:
        found = [pair for item in page.items(node, "prompts") for pair in _prompts(page, _flat(page, item))]
    if len(found) > MOST_PROMPTS:
        raise page.wrong(node, f"an entry has {MOST_PROMPTS} prompts at most, not {len(found)}")
    if len({text for text, _ in found}) < len(found):
        raise page.wrong(node, "a prompt stands here twice: leave one out, or give it a weight")
    total = sum(weight for _, weight in found)
    return tuple((text, weight / total) for text, weight in found)


def _flat(page: Page, node: Node) -> Node:
    """An item of a list, which is a prompt alone."""
    page.text(node)
    return node


def _evolve(page: Page, parts: dict[str, Node], prompts: Prompts) -> Evolve | None:
    wanted = page.read(parts["evolve"], _switch) if "evolve" in parts else False
    for name in ("every", "crossfade"):
        if name in parts and not wanted:
            raise page.wrong(parts[name], f"{name!r} is about a walk among prompts: add `evolve: true`")
    if not wanted:
        return None
    if len(prompts) < 2:
        raise page.wrong(parts["evolve"], "a walk needs two prompts or more: list them under `prompts:`")
    every = page.read(parts["every"], _lasting) if "every" in parts else 600.0
    crossfade = page.read(parts["crossfade"], _seconds) if "crossfade" in parts else min(180.0, every)
    if crossfade > every:
        raise page.wrong(parts["crossfade"], "a crossfade cannot be longer than from one prompt to the next (`every`)")
    return Evolve(every, crossfade)


def _values(page: Page, node: Node) -> tuple[tuple[str, Value], ...]:
    named = page.mapping(node, SETTABLE, "an entry's list of values")
    return tuple((name, page.read(given, partial(_value, name))) for name, given in named.items())


def _days(page: Page, node: Node) -> frozenset[int]:
    words = [node] if isinstance(node, yaml.ScalarNode) else page.items(node, "days")
    return frozenset(day for word in words for day in page.read(word, _weekdays))


def _loudness(page: Page, node: Node) -> tuple[tuple[int, float], ...]:
    limits = TABLE["loudness"]

    def level(text: str) -> float:
        number = _number(text.removesuffix("LUFS"))
        if not limits.low <= number <= limits.high:
            raise Wrong(f"a loudness lies from {limits.low:g} to {limits.high:g} LUFS, not at {number:g}")
        return number

    if isinstance(node, yaml.ScalarNode):
        return ((0, page.read(node, level)),)
    points: dict[int, float] = {}
    for name, value in page.mapping(node, what="loudness").items():
        try:
            at = _clock(name)
        except Wrong as error:
            raise page.wrong(value, str(error)) from None
        if at.seconds % DAY in points:
            raise page.wrong(value, f"{name} is said twice: leave one out")
        points[at.seconds % DAY] = page.read(value, level)
    if not points:
        raise page.wrong(node, "loudness needs a level, or times with levels")
    return tuple(sorted(points.items()))


def _place(page: Page, node: Node) -> Place:
    words = page.text(node).split(",") if isinstance(node, yaml.ScalarNode) else [page.text(n) for n in node.value]
    try:
        latitude, longitude = (_number(word) for word in words)
    except (Wrong, ValueError):
        raise page.wrong(node, "a place is written as `52.5, 13.4`: degrees north and east") from None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise page.wrong(node, "a place lies within 90 degrees north or south and 180 east or west")
    return Place(latitude, longitude)


# ---- words


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        raise Wrong(f"there is no time zone {text[:60]!r}: write one like Europe/Berlin") from None


def _time(text: str) -> TimeOfDay:
    match = _SUN.fullmatch(text.lower())
    if not match:
        return _clock(text)
    event, sign, after = match.groups()
    seconds = _seconds(after) if after else 0
    if seconds > DAY / 2:
        raise Wrong("an hour of the sun can be moved by 12 hours at most")
    return Sun(event, -int(seconds) if sign == "-" else int(seconds))


def _clock(text: str) -> Clock:
    match = _CLOCK.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (99, 0, 0)
    at = 3600 * hours + 60 * minutes + seconds
    if at > DAY or minutes > 59 or seconds > 59:
        raise Wrong(f"{text[:60]!r} is no time of day: write one like 18:30, {SUN[1]} or {SUN[3]} - 30 min")
    return Clock(at)


def length_of_time(text: str) -> float:
    """Of words like 1 h 30 min, whole seconds.

    Raises
    ------
    Wrong
        It is none.
    """
    rest = _PART.sub("", text.lower()).strip(" ,")
    parts = _PART.findall(text.lower())
    if rest or not parts:
        raise Wrong(f"{text[:60]!r} is no length of time: write one like 45 min, 20 s or 1 h 30 min")
    return float(round(sum(float(number) * _UNITS[unit[0]] for number, unit in parts)))


def _seconds(text: str) -> float:
    """A length of time within a day."""
    seconds = length_of_time(text)
    if seconds > DAY:
        raise Wrong(f"{text[:60]!r} is longer than a day: choose less")
    return seconds


def _lasting(text: str) -> float:
    seconds = _seconds(text)
    if seconds < 10:
        raise Wrong(f"{text[:60]!r} is too short: choose 10 s or more")
    return seconds


def _weekdays(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, re.split(r"[,\s]+", re.sub(r"\s*-\s*", "-", text.lower()))):
        ends = [_weekday(end) for end in _GROUPS.get(part, part).split("-")]
        if len(ends) > 2:
            raise Wrong(f"{part[:60]!r} is no range of days: write one like mon-fri")
        count = (ends[-1] - ends[0]) % 7 + 1
        found |= {(ends[0] + day) % 7 for day in range(count)}
    if not found:
        raise Wrong("there is no day here: write days like mon-fri, sat")
    return frozenset(found)


def _weekday(text: str) -> int:
    names = [number for number, day in enumerate(WEEK) if text.startswith(day)]
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    if not names or not full[names[0]].startswith(text):
        raise Wrong(f"{text[:60]!r} is no day: write {', '.join(WEEK)}, weekdays or weekends")
    return names[0]


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Wrong(f"{text[:60]!r} is no number")
    return number


def _weight(text: str) -> float:
    number = _number(text)
    if not 0 < number <= 1e6:
        raise Wrong(f"a weight is a number above 0, not {text[:60]}")
    return number


def _seed(text: str) -> int | None:
    if text == "fresh":
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) >= 2**31:
        raise Wrong(f"a seed is `fresh` or a whole number below 2147483648, not {text[:60]!r}")
    return int(text)


def _value(name: str, text: str) -> Value:
    """Of a parameter."""
    parameter = TABLE[name]
    if parameter.kind == "bool":
        return _switch(text)
    if parameter.kind not in ("float", "int"):
        return clamp(name, text)
    number = _number(text)
    if not parameter.low <= number <= parameter.high:
        raise Wrong(f"{name} lies from {parameter.low:g} to {parameter.high:g}, not at {number:g}")
    return clamp(name, number)


def _switch(text: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise Wrong(f"{text[:60]!r} is neither true nor false")
    return words[text.lower()]


def _prompt(text: str) -> str:
    if not text:
        raise Wrong("a prompt needs words")
    return str(clamp("prompt", text))


def _read_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _zone_link(path: Path) -> str:
    """The zone's name in where a link leads to."""
    try:
        return str(path.resolve()).rpartition("zoneinfo/")[2] if path.is_symlink() else ""
    except OSError:
        return ""
