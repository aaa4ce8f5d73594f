"""The way into `streamer`: the engine's process starts before the command line imports what it needs itself."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The entry point, see `streamer.cli.main.main`."""
    # numpy's products of some rows gain nothing from threads, which wait in a spin; the engine inherits this
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if sys.argv[1:2] == ["play"] and "--help" not in sys.argv:
        from streamer.process.newborn import begin_early

        begin_early()
    from streamer.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
