"""The house keeps its doors: which room may import which, and that a private name stays in its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("streamer", "musicgen", "osc", "training", "benchmarks")
PUBLIC = {"_exit", "_replace", "_asdict", "_fields", "_make"}
"""Names of the standard library that are public in spite of their look."""
OTHERS = ("sounddevice", "torch", "AutoModelForTextEncoding")
"""Libraries that have no public way to something we need."""


def test_rooms_import_only_through_their_doors() -> None:
    assert lint_imports(config_filename="pyproject.toml") == EXIT_STATUS_SUCCESS


def test_no_private_name_is_used_across_modules() -> None:
    modules = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(modules) > 100
    assert [found for path in modules for found in _foreign(path.read_text(encoding="utf-8"), path)] == []


def test_one_would_be_found() -> None:
    text = "from a import _b\nclass C(D):\n    def f(self, other):\n        return self._mine, other._theirs\n"
    assert list(_foreign(text, ROOT / "a.py")) == ["a.py:1: _b", "a.py:4: other._theirs"]


def _foreign(text: str, path: Path) -> Iterator[str]:
    """Private names that a module uses and does not make; a class may use those of the one that it is made from."""
    tree = ast.parse(text)
    own = set(_made(tree)) | PUBLIC
    where = path.relative_to(ROOT)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own:
            owner = ast.unparse(node.value)
            if owner not in ("self", "cls", "super()") and not any(name in owner for name in OTHERS):
                yield f"{where}:{node.lineno}: {owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{where}:{node.lineno}: {name.name}" for name in node.names if _is_private(name.name))


def _made(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
