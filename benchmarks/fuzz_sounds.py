"""Damaged sound files by the thousand: each is heard or refused in a sentence, with less than 2 GB at hand.

Usage: python -m benchmarks.fuzz_sounds [--files 10000] [--seed 0]

On Linux the system refuses this process more than 2 GB beyond what it has at the start, so that an allocation which a
header asks for would end it. Prints one line of JSON; whatever is no sentence ends it with a traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.streamer.sound.damaged import mutants, seeds
from tests.streamer.sound.test_damaged import hear

MOST = 2 * 10**9  # bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    before = psutil.Process().memory_info()
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (before.vms + MOST, before.vms + MOST))
    heard, slowest, begun = 0, 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number, (ending, content) in enumerate(mutants(options.seed, options.files)):
            path = Path(folder) / f"sound.{ending}"
            path.write_bytes(content)
            start = time.process_time()
            try:
                heard += hear(path)
            except BaseException:
                Path(f"damaged-{number}.{ending}").write_bytes(content)
                raise
            slowest = max(slowest, time.process_time() - start)
    row = {
        "files": options.files,
        "kinds": len(seeds()),
        "heard": heard,
        "refused": options.files - heard,
        "slowest_ms_of_processor": round(1000 * slowest, 1),
        "memory_grew_mb": round((psutil.Process().memory_info().rss - before.rss) / 1e6, 1),
        "seconds": round(time.monotonic() - begun),
    }
    print(json.dumps(row))


if __name__ == "__main__":
    main()
