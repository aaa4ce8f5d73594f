"""A player to ill-treat: an instrument that counts, in a process of its own. A line read is a question how it goes."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from streamer.instrument import Instrument
from streamer.reporting import silence_harm
from tests.streamer import counter


def main() -> None:
    """Play until there is nothing more to read."""
    with silence_harm():
        instrument = Instrument(counter.job(8000), {"lead": 200.0}, port=0)
        instrument.start()
        try:
            print(instrument.server.port, *instrument.worker.pids, flush=True)
            for _ in sys.stdin:
                print(json.dumps(asdict(instrument.status())), flush=True)
        finally:
            instrument.close()


if __name__ == "__main__":
    main()
