"""`streamer doctor`: what works here, and what mends the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.table import Column, Table
from rich.text import Text

from streamer.cli.console import console, plain, tell_machine
from streamer.cli.options import Json

if TYPE_CHECKING:
    from streamer.doctor import Finding

NOTHING_PLAYS = 1
STYLES = {"works": "green", "slow": "yellow", "missing": "yellow", "broken": "red"}


def doctor(as_json: Json = False) -> None:
    """Say what works on this machine, and which command mends what does not.

    The exit code is 0 unless nothing can play.
    """
    from streamer.doctor import examine, machine

    findings: list[Finding] = []
    if not as_json:
        console.print(plain(machine()))
    with console.status("Listening to nano ...") as status:
        for finding in examine():
            findings.append(finding)
            if not as_json:
                console.print(_line(finding))
            status.update("Looking around ...")
    plays = findings[0].state != "broken"
    if as_json:
        tell_machine({"machine": machine(), "plays": plays, "findings": [asdict(finding) for finding in findings]})
    if not plays:
        raise typer.Exit(NOTHING_PLAYS)


def _line(finding: Finding) -> Table:
    table = Table(
        Column(width=7, no_wrap=True),
        Column(width=16, no_wrap=True),
        Column(overflow="fold"),
        box=None,
        show_header=False,
        padding=(0, 1, 0, 0),
    )
    state = Text(finding.state, style=STYLES[finding.state])
    table.add_row(state, plain(finding.name), plain(finding.sentence))
    if finding.remedy and finding.state != "works":
        table.add_row("", "", Text(finding.remedy, style="bold"))
    return table
