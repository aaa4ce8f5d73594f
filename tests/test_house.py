"""The house keeps its doors: which room may import which."""

from __future__ import annotations

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports


def test_rooms_import_only_through_their_doors() -> None:
    assert lint_imports(config_filename="pyproject.toml") == EXIT_STATUS_SUCCESS
