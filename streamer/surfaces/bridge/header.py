"""The plug-in's parameters, made from the table.

``python -m streamer.surfaces.bridge.header > plugin/parameters.hpp``
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import musicgen
from osc.parameter import TEXTS, Parameter
from osc.values import Value
from streamer.control.table import DESK, HOSTED, PARAMETERS, SLOTS

_LABELS = {"cfg": "Guidance", "topk": "Top K", "topp": "Top P", "lora": "LoRA", "lead": "Lead"}
_OWN = {"temperature": "temperature", "topk": "top_k", "cfg": "guidance_scale"}
_EXACT = 2.0**24 - 1
"""The largest whole number before which a host's float32 has them all."""
_WORDS = (
    "// Made from the table of parameters by `make docs`: python -m streamer.surfaces.bridge.header\n"
    "#pragma once\n"
    "\n"
    "namespace mg {\n"
    "\n"
    "enum Curve { LINEAR, LOG, WHOLE, SWITCH };\n"
    "\n"
    "/** A number of the table: a parameter of the host. */\n"
    "struct Number { const char *name, *label, *unit, *doc; float low, high, normal; Curve curve; };\n"
    "\n"
    "/** A text of the table: kept with the project. */\n"
    "struct Text { const char *name, *label, *doc, *normal; };\n"
)


def header() -> str:
    """The file's text."""
    defaults = _nanos()
    shown = [one for one in PARAMETERS if one.name not in DESK | HOSTED]
    numbers = [one for one in shown if one.kind not in TEXTS]
    texts = [one for one in shown if one.kind in TEXTS]
    return "\n".join(
        [
            _WORDS,
            "static const Number NUMBERS[] = {",
            *(_number(one, defaults.get(one.name, one.default)) for one in numbers),
            "};",
            f"enum {{ NUMBER_COUNT = {len(numbers)} }};",
            "",
            "static const Text TEXTS[] = {",
            *(_text(one) for one in texts),
            "};",
            f"enum {{ TEXT_COUNT = {len(texts)} }};",
            "",
            "/** Where the numbers are that the plug-in itself has a use for. */",
            f"enum {{ {', '.join(_places(numbers))} }};",
            "",
            "}  // namespace mg",
            "",
        ]
    )


def _nanos() -> dict[str, Value]:
    """The defaults that nano brings: a host shows one before any model is loaded."""
    path = Path(musicgen.__file__).parent / "models" / "nano" / "generation_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    return {name: config[field] for name, field in _OWN.items() if field in config}


def _number(one: Parameter, default: Value) -> str:
    curve = "LOG" if one.curve == "log" else {"int": "WHOLE", "bool": "SWITCH"}.get(one.kind, "LINEAR")
    low, high = (0.0, 1.0) if one.kind == "bool" else (float(one.low), min(float(one.high), _EXACT))
    words = ", ".join(json.dumps(word) for word in (one.name, _label(one), one.unit, one.doc))
    return f"    {{{words}, {low!r}f, {high!r}f, {float(default)!r}f, {curve}}},"


def _text(one: Parameter) -> str:
    return f"    {{{', '.join(json.dumps(word) for word in (one.name, _label(one), one.doc, str(one.default)))}}},"


def _label(one: Parameter) -> str:
    for number, (text, weight) in enumerate(SLOTS.items(), start=1):
        if one.name in (text, weight):
            return f"{'Prompt' if one.name == text else 'Weight'} {number}"
    return _LABELS.get(one.name, one.name.replace("_", " ").capitalize())


def _places(numbers: list[Parameter]) -> Iterator[str]:
    for place, one in enumerate(numbers):
        if one.name in ("weight1", "lead", "tempo"):
            yield f"{one.name.upper()} = {place}"
    weights = [place for place, one in enumerate(numbers) if one.name in SLOTS.values()]
    assert weights == list(range(weights[0], weights[0] + len(SLOTS)))


if __name__ == "__main__":
    print(header(), end="")
