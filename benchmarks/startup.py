"""How soon nano is heard, and how much memory its processes hold.

    python -m benchmarks.startup [--runs 3]

Of `streamer play` into a file: seconds from its start to the first sample that is not silent, and the processor time of
all processes until then; resident and proportional memory a few seconds later, once the spare is there, and again while
and after it goes on from a sound file (`/mg/continue`). Of `streamer render --seconds 1`: seconds and processor time.
On a busy machine only the processor time tells something.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile
from pythonosc.udp_client import SimpleUDPClient

COMMAND = [sys.executable, "-m", "streamer.cli.start"]
RATE = 44100  # of the sound that it goes on from
WAV_HEADER = 80  # bytes, at the most
STEADY_MB = 2.0
SETTLED = 8.0  # seconds of music after which the spare is there


def family(number: int) -> list[psutil.Process]:
    """A process and all that came of it."""
    parent = psutil.Process(number)
    return [parent, *parent.children(recursive=True)]


def processor_time(number: int) -> float:
    """Seconds, of a process and all that came of it."""
    times = [own.cpu_times() for own in family(number)]
    return sum(own.user + own.system for own in times)


def sounds(path: Path) -> bool:
    """Whether a WAV file that is being written has a sample that is not silent."""
    return path.exists() and bool(np.frombuffer(path.read_bytes()[WAV_HEADER:], np.uint8).any())


def memory(number: int) -> tuple[int, int]:
    """Of a process and all that came of it: what the largest holds, and all together, in MB."""
    infos = [own.memory_full_info() for own in family(number)]
    return round(max(own.rss for own in infos) / 1e6), round(sum(own.pss for own in infos) / 1e6)


def go_on_from(folder: Path, port: int) -> None:
    """Have an instrument go on from half a minute of sound."""
    path = folder / "passage.wav"
    times = np.arange(30 * RATE) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * (220 + 55 * (times % 4 // 1)) * times) * (times % 0.5 < 0.4), RATE)
    SimpleUDPClient("127.0.0.1", port).send_message("/mg/continue", str(path))


def largest_until_settled(number: int) -> int:
    """The most that one of them held until it had held as much for some seconds, in MB."""
    end, most, last = time.perf_counter() + SETTLED, 0.0, 0.0
    while time.perf_counter() < end:
        largest = max(own.memory_info().rss for own in family(number)) / 1e6
        if abs(largest - last) > STEADY_MB:
            end, last = time.perf_counter() + SETTLED, largest
        most = max(most, largest)
        time.sleep(0.02)
    return round(most)


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def play(folder: Path) -> dict[str, float]:
    """One run of `streamer play`."""
    path = folder / "music.wav"
    path.unlink(missing_ok=True)
    start = time.perf_counter()
    command = [*COMMAND, "play", "--wav-out", str(path), "--osc-port", str(port := free_port())]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not sounds(path):
                if process.poll() is not None:
                    raise SystemExit("streamer play ended before it sounded")
                time.sleep(0.005)
            heard, worked = time.perf_counter() - start, processor_time(process.pid)
            time.sleep(SETTLED)
            largest, together = memory(process.pid)
            count = len(family(process.pid))
            go_on_from(folder, port)
            peak = largest_until_settled(process.pid)
            largest_then, together_then = memory(process.pid)
        finally:
            process.terminate()
    return {
        "first_sound_s": round(heard, 2),
        "processor_s": round(worked, 2),
        "largest_mb": largest,
        "all_pss_mb": together,
        "processes": count,
        "largest_while_it_continues_mb": peak,
        "largest_after_it_mb": largest_then,
        "all_pss_after_it_mb": together_then,
    }


def render(folder: Path) -> dict[str, float]:
    """One run of `streamer render --seconds 1`."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [*COMMAND, "render", str(folder / "second.wav"), "--seconds", "1", "--force"]
    subprocess.run(command, check=True, capture_output=True)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"render_s": round(took, 2), "processor_s": round(worked, 2)}


def main() -> None:
    """Print a line of JSON a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.runs):
            print(json.dumps(play(Path(folder))), flush=True)
            print(json.dumps(render(Path(folder))), flush=True)


if __name__ == "__main__":
    main()
