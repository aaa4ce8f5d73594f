"""What is played is heard elsewhere, whole or with what was missed left out; no reader can hold up the writer."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio.playback import Playback
from streamer.process.broadcast import Broadcast, Hearing, Place
from streamer.process.ring import Ring

ROOT = Path(__file__).parents[2]


def counter(start: int, samples: int, channels: int = 1) -> NDArray[np.float32]:
    """`samples` rows that count from `start`; every channel carries the same number."""
    return np.repeat(np.arange(start, start + samples, dtype=np.float32)[:, None], channels, axis=1)


@settings(deadline=None, max_examples=100)
@given(
    capacity=st.integers(1, 50),
    channels=st.integers(1, 3),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 120)), max_size=40),
)
def test_a_reader_hears_the_newest_in_order_and_knows_what_it_missed(
    capacity: int, channels: int, moves: list[tuple[bool, int]]
) -> None:
    broadcast = Broadcast(48000, channels, capacity)
    hearing = Hearing(broadcast.place)
    written = heard = missed = 0
    try:
        for write, size in moves:
            if write:
                broadcast.put(counter(written, size, channels))
                written += size
            else:
                got = hearing.read()
                missed += max(0, written - heard - capacity)
                np.testing.assert_array_equal(got, counter(max(heard, written - capacity), len(got), channels))
                assert len(got) == min(written - heard, capacity)
                heard = written
                assert (hearing.at, hearing.skipped) == (heard, missed)
    finally:
        hearing.close()
        broadcast.close()


def _put(pipe: Connection, channels: int, total: int) -> None:
    broadcast = Broadcast(48000, channels, 4801)
    pipe.send(broadcast.place)
    pipe.recv()
    for start in range(0, total, 128):
        broadcast.put(counter(start, 128, channels))
    pipe.send("done")
    pipe.recv()
    broadcast.close()


def test_another_process_hears_whole_blocks_however_fast_the_writer_is() -> None:
    """Against a writer without pause most is overwritten while it is copied: none of that may come through."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    total = 128 * 20_000
    writer = context.Process(target=_put, args=(theirs, 2, total), daemon=True)
    writer.start()
    hearing = Hearing(ours.recv())
    ours.send("begin")
    heard = 0
    while hearing.at < total:
        before = hearing.skipped
        got = hearing.read()
        heard += len(got)
        missed = hearing.skipped - before
        np.testing.assert_array_equal(got, counter(hearing.at - len(got), len(got), 2))
        assert missed >= 0
    assert heard + hearing.skipped == total
    assert ours.recv() == "done"
    ours.send("end")
    writer.join()
    hearing.close()


LISTENER = """
import sys
from streamer.process.broadcast import Hearing, Place
name, *numbers = sys.argv[1:]
hearing = Hearing(Place.read([name, *map(int, numbers)]))
print("here", flush=True)
sys.stdin.readline()
print(hearing.read()[:, 0].tolist())
"""


def test_a_listener_that_ends_leaves_the_broadcast_to_others() -> None:
    broadcast = Broadcast(48000, 1, 100)
    place = broadcast.place
    command = [sys.executable, "-c", LISTENER, place.name, *map(str, (place.rate, place.channels, place.capacity))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == "here\n"
        broadcast.put(counter(7, 3))
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "[7.0, 8.0, 9.0]\n"
    hearing = Hearing(place)  # nobody's end has removed it
    hearing.close()
    broadcast.close()
    with pytest.raises(OSError, match=place.name):
        Hearing(place)


def test_what_is_played_is_what_is_broadcast() -> None:
    ring = Ring(4800, 2)
    playback = Playback(ring, 48000)
    playback.broadcast = Broadcast(48000, 2)
    hearing = Hearing(playback.broadcast.place)
    ring.write(np.random.default_rng(0).uniform(-1, 1, (4800, 2)).astype(np.float32))
    blocks = []
    for _ in range(8):
        out = np.zeros((256, 2), np.float32)
        playback.fill(out)
        blocks.append(out)
    assert np.abs(blocks[-1]).max() > 0.5
    np.testing.assert_array_equal(hearing.read(), np.concatenate(blocks))
    hearing.close()
    playback.broadcast.close()
    ring.close()


@pytest.mark.parametrize(
    "values",
    [
        ["/etc/passwd", 48000, 2, 9600],
        ["streamer-0123456789abcdef", 48000, 2],
        ["streamer-0123456789abcdef", 48000, 0, 9600],
        ["streamer-0123456789abcdef", 48000, 2, 10**12],
        ["streamer-0123456789abcdef/../x", 48000, 2, 9600],
        [7, 48000, 2, 9600],
    ],
)
def test_no_other_memory_is_taken_for_a_broadcast(values: list[object]) -> None:
    with pytest.raises(ValueError, match="no broadcast's place"):
        Place.read(values)


def test_memory_that_is_smaller_than_said_is_refused() -> None:
    broadcast = Broadcast(48000, 1, 100)
    with pytest.raises(ValueError, match="smaller"):
        Hearing(replace(broadcast.place, capacity=5000))
    broadcast.close()
