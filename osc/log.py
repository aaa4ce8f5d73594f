"""What osc has to say to whoever runs it, by Python's `logging`; nothing of it hurts the thread that says it."""

from __future__ import annotations

import contextlib
import logging

from osc.packet import clean

LONGEST = 1000
"""Bytes of an entry."""

_log = logging.getLogger("osc")
SILENT = logging.getLogger("osc.silent")
"""For libraries that would write a line for whatever strangers send."""
SILENT.disabled = True


def note(text: str) -> None:
    """Something that a person may want to know, on the level INFO."""
    with contextlib.suppress(Exception):  # a handler's stream may be closed, or its disk full
        _log.info("%s", clean(text, LONGEST))


def fault(text: str, error: Exception) -> None:
    """Something that should not happen, on the level ERROR: on one line, since an error's text may be a stranger's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    with contextlib.suppress(Exception):
        _log.error("%s", clean(f"{text}: {type(error).__name__}: {error}{where}", LONGEST))
