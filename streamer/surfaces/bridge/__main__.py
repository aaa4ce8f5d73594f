"""What the plug-in starts where it finds no engine: ``python -m streamer.surfaces.bridge``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from streamer.errors import UserError
from streamer.reporting import complain
from streamer.surfaces.bridge import endpoint

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's products of some rows gain nothing from threads


def main() -> None:
    """Serve plug-ins until the last one has gone for a while."""
    from streamer.surfaces.bridge.engine import IDLE_SECONDS, serve
    from streamer.surfaces.osc import PORT

    parser = argparse.ArgumentParser(prog="streamer.surfaces.bridge", description=__doc__)
    parser.add_argument("--home", type=Path, default=endpoint.home(), help="the folder of the endpoint's files")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds without a plug-in before it ends")
    parser.add_argument("--osc-port", type=int, default=PORT)
    parser.add_argument("--spawned", action="store_true", help="a host has started it, whose files are not ours")
    options = parser.parse_args()
    if options.spawned:
        os.closerange(3, 4096)
    try:
        serve(options.model, options.home, options.idle, options.osc_port)
    except UserError as error:
        complain(str(error))
        with contextlib.suppress(UserError):
            if not endpoint.read(options.home / endpoint.RUNNING):  # another engine's is its own
                endpoint.write(options.home / endpoint.RUNNING, {"error": str(error)})
        sys.exit(2)


if __name__ == "__main__":
    main()
