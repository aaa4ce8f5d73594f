"""The way into `streamer`: the engine's process starts before the command line imports what it needs itself."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """The entry point, see `streamer.cli.main.main`."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _end)
    # numpy's products of some rows gain nothing from threads, which wait in a spin; the engine inherits this
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] == ["play"] and "--help" not in sys.argv:
        from streamer.process.newborn import begin_early

        begin_early()
    from streamer.cli.main import main as run

    run()


def _end(number: int, frame: object) -> None:
    """While all else is imported there is nothing to tidy up; process 1 of a container is left alone by default."""
    os._exit(128 + number)


if __name__ == "__main__":
    main()
