"""The one place from which anything is said to people: no sentence hurts whoever says it, nor the terminal it lands on.

What cannot be written (a full disk, a reader that has gone or is asleep, a letter that the encoding lacks) is left out.
The command line's tables go through here too, by the streams that `silence_harm` puts in place of the process's own.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import re
import select
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from osc.packet import clean
from streamer.errors import UserError

Say = Callable[[str], None]
"""Takes a sentence for a person."""

LONGEST = 1000
"""Characters of a sentence, or of a name within a table; of longer ones the middle is left out."""
WAITING = 64
"""Sentences that wait to be said; what comes then is left out, and counted."""
AT_ONCE, PER_SECOND = 20.0, 5.0
"""Sentences that a voice says in a burst, and steadily: a stranger's refused messages must not fill the screen."""
ASLEEP_SECONDS = 0.25
"""That a reader of what is said on stderr is waited for."""
_PIECE = 1000  # characters, so at most 4000 bytes: of a pipe that is ready so many never block

_HARM = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")
# What rich draws with: colours, the cursor shown and hidden, a line erased, and the way to another one.
_DRAWING = re.compile("(\x1b\\[[0-9;]*[mABCDGK]|\x1b\\[\\?25[lh]|\r)")


def harmless(text: object, most: int = LONGEST) -> str:
    """Any text as it may stand on a terminal, in a log or in a table: on one line, and obeyed by nothing.

    Control characters (of C0 and C1, so escape sequences too) and line separators become spaces, what turns the
    direction of writing is left out, bytes of a name that are no text become visible.

    Parameters
    ----------
    text
        Anything that has a `str`.
    most
        Characters; of a longer text the middle is left out.
    """
    try:
        words = str(text)
    except Exception:  # an error whose text cannot be made is no reason for another one
        words = f"something of the kind {type(text).__name__}"
    words = words.encode("utf-8", "backslashreplace").decode()
    if len(words) > most:
        words = f"{words[: most - most // 3 - 1]}…{words[len(words) - most // 3 :]}"
    return clean(words, 4 * len(words))


def as_json(entry: object) -> str:
    """JSON on one line, in printable ASCII: what terminals obey is escaped, and is the same when it is read again."""
    return json.dumps(entry).replace("\x7f", "\\u007f")


def explained(error: BaseException) -> str:
    """An error as one sentence: our own are sentences already, anything else says what and where."""
    if isinstance(error, UserError):
        return harmless(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return harmless(" ".join(f"{type(error).__name__}: {harmless(error)}{where}".split()))


def traced(error: BaseException) -> Iterator[str]:
    """The lines of a traceback, each harmless."""
    for block in traceback.format_exception(error):
        yield from map(harmless, block.splitlines())


class Unfailing:
    """A stream of text that nobody who writes to it needs to fear, and that carries nothing which terminals obey.

    Parameters
    ----------
    stream
        Where the text goes; None where the process was started without.
    patience
        Seconds that a reader is waited for who takes nothing; None for ever, as a pager may want.

    Attributes
    ----------
    problem : OSError or None
        What kept text from being written, the first time; the stream is given up then.
    """

    def __init__(self, stream: Any, patience: float | None = None) -> None:
        self.problem: OSError | None = None
        if stream is None:
            self.problem = OSError(errno.EBADF, os.strerror(errno.EBADF))
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 (it lasts as long as the process)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # ASCII and cp1252 lack most of what we draw
        self._stream = stream
        self._patience = patience
        self._draws = "FORCE_COLOR" in os.environ or _is_terminal(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write if that can be; the number of characters, in any case."""
        shown = _disarmed(text, self._draws)
        try:
            if self._patience is None:
                self._stream.write(shown)
            else:
                self._write_patiently(shown, self._patience)
        except BlockingIOError:  # somebody made it so that it never blocks: what does not fit is lost
            pass
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write now what waits."""
        try:
            if self._patience is None or self._ready(self._patience):
                self._stream.flush()
        except BlockingIOError:
            pass
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _write_patiently(self, text: str, patience: float) -> None:
        for start in range(0, len(text), _PIECE):
            if not self._ready(patience):
                return
            self._stream.write(text[start : start + _PIECE])
            self._stream.flush()

    def _ready(self, seconds: float) -> bool:
        """Whether a little can be written without waiting, so many seconds from now at the latest."""
        if not hasattr(select, "poll"):  # Windows has no such question for pipes
            return True
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError, AttributeError):
            return True  # it is no file: writing will tell
        question = select.poll()
        question.register(descriptor, select.POLLOUT)
        return bool(question.poll(1000 * seconds))

    def _give_up(self, error: Exception) -> None:
        self.problem = self.problem or (error if isinstance(error, OSError) else OSError(errno.EBADF, str(error)))
        with contextlib.suppress(OSError, ValueError):
            # What waits in the buffer would be tried again, at the interpreter's end, too.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (OSError, ValueError, AttributeError):
        return False


def _disarmed(text: str, draws: bool) -> str:
    """Without what terminals obey, lines apart; where we draw, with what we draw by."""
    if not _HARM.search(text):
        return text
    parts = _DRAWING.split(text) if draws else [text]
    # Every second part is what was split at.
    return "".join(part if number % 2 else _HARM.sub(_shown, part) for number, part in enumerate(parts))


def _shown(found: re.Match[str]) -> str:
    return clean(found[0].encode("utf-8", "backslashreplace").decode())


class Voice:
    """Says sentences in a thread of its own: whoever has something to say waits for nobody, and nothing comes back.

    It is called from any thread, with a sentence.

    Parameters
    ----------
    say
        What says them: it may wait, and raise.
    clock
        Monotonic seconds.
    """

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._speaking = False
        self._closed = False
        self._left, self._updated, self._spared = AT_ONCE, clock(), 0
        self._thread = threading.Thread(target=self._run, name="voice", daemon=True)
        self._thread.start()

    def __call__(self, sentence: str) -> None:
        """Have a sentence said soon, unless there are too many."""
        with self._changed:
            now = self._clock()
            self._left = min(AT_ONCE, self._left + (now - self._updated) * PER_SECOND)
            self._updated = now
            if self._left < 1 or len(self._waiting) >= WAITING:
                self._spared += 1
                return
            self._left -= 1
            more = f" ({self._spared} more sentences were left out before this.)" if self._spared else ""
            self._spared = 0
            self._waiting.append(harmless(sentence) + more)
            self._changed.notify_all()

    def finish(self, seconds: float = 1.0) -> None:
        """Wait until all is said, so many seconds at the most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._speaking, seconds)

    def close(self) -> None:
        """Say what waits, if that takes no longer than a second, and no more."""
        self.finish()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._speaking = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                sentence, self._speaking = self._waiting.popleft(), True
            with contextlib.suppress(Exception):  # who listens is not ours, and may raise
                self._say(sentence)


def complain(sentence: str) -> None:
    """Write a sentence that a person should know to stderr, on a line of its own."""
    with contextlib.suppress(Exception):
        sys.stderr.write(harmless(sentence) + "\n")
        sys.stderr.flush()


def mention(sentence: str) -> None:
    """As `complain`, from a thread that must not wait: what stderr does not take soon is left out."""
    _aside()(sentence)


def mentioned() -> None:
    """Wait until all that was mentioned is said, for a second at the most."""
    _aside().finish()


@functools.cache
def _aside() -> Voice:
    return Voice(complain)


@contextlib.contextmanager
def silence_harm() -> Iterator[Unfailing]:
    """Both streams of the process are unfailing in here, and threads that die are told of; gives stdout's."""
    for number in range(3):  # a file that is opened later must not become what everyone takes for a terminal
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr, threading.excepthook, sys.unraisablehook
    output, complaints = Unfailing(sys.stdout), Unfailing(sys.stderr, ASLEEP_SECONDS)
    sys.stdout, sys.stderr = output, complaints
    tell_of_lost_threads(complain)
    try:
        yield output
    finally:
        mentioned()
        output.flush()
        complaints.flush()
        sys.stdout, sys.stderr, threading.excepthook, sys.unraisablehook = before


def tell_of_lost_threads(say: Say) -> None:
    """From now on a thread that nobody looks after, and what goes wrong where nobody can hear of it, is a sentence."""

    def lost(found: threading.ExceptHookArgs) -> None:
        name = "that has ended" if found.thread is None else found.thread.name
        if found.exc_value is not None and not isinstance(found.exc_value, SystemExit):
            say(f"The thread {name!r} has ended ({explained(found.exc_value)}): please report it.")

    def unheard(found: Any) -> None:
        if isinstance(found.exc_value, (SystemExit, KeyboardInterrupt)):
            _ask_again(found.exc_value)
        elif found.exc_value is not None:
            say(f"Something went wrong, and nothing hangs on it ({explained(found.exc_value)}).")

    threading.excepthook = lost
    sys.unraisablehook = unheard


def _ask_again(ending: SystemExit | KeyboardInterrupt) -> None:
    """A signal came where what it raises ends nothing, in a finaliser or a library's callback: send it once more."""
    code = ending.code if isinstance(ending, SystemExit) else None
    number = code - 128 if isinstance(code, int) and code > 128 else int(signal.SIGINT)
    again = threading.Timer(0.05, os.kill, (os.getpid(), number))  # `streamer.threads` stands on this file
    again.daemon = True
    again.start()
