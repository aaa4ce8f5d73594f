"""The ring carries every sample once, in order, between processes; it is gone when its owner is."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.process.ring import Ring


def counter(start: int, samples: int, channels: int = 1) -> NDArray[np.float32]:
    """`samples` rows that count from `start`; every channel carries the same number."""
    return np.repeat(np.arange(start, start + samples, dtype=np.float32)[:, None], channels, axis=1)


@settings(deadline=None, max_examples=200)
@given(
    capacity=st.integers(1, 50),
    channels=st.integers(1, 3),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 70)), max_size=60),
)
def test_whatever_the_sizes_the_reader_gets_a_contiguous_counter(
    capacity: int, channels: int, moves: list[tuple[bool, int]]
) -> None:
    ring = Ring(capacity, channels)
    written = heard = 0
    try:
        for write, size in moves:
            if write:
                samples = min(size, ring.room)
                ring.write(counter(written, samples, channels))
                written += samples
            else:
                out = np.full((size, channels), -1, np.float32)
                got = ring.read_into(out)
                assert got == min(size, written - heard)
                np.testing.assert_array_equal(out[:got], counter(heard, got, channels))
                assert (out[got:] == -1).all()
                heard += got
            assert ring.fill == written - heard <= capacity
    finally:
        ring.close()


@settings(deadline=None, max_examples=50)
@given(lead=st.integers(-5, 120), reserve=st.integers(0, 120), fill=st.integers(0, 100))
def test_the_lead_bounds_what_waits_and_never_exceeds_the_memory(lead: int, reserve: int, fill: int) -> None:
    ring = Ring(100, 1)
    try:
        ring.write(counter(0, fill))
        ring.lead, ring.reserve = lead, reserve
        assert 1 <= ring.lead <= 100
        assert ring.lead >= min(reserve, 100)
        assert ring.room == max(0, min(100, max(lead, reserve, 1)) - fill)
    finally:
        ring.close()


def test_a_write_waits_for_the_reader_and_overwrites_nothing() -> None:
    ring = Ring(64, 1)
    ring.lead = 10
    writer = threading.Thread(target=ring.write, args=(counter(0, 200),))
    writer.start()
    heard: list[float] = []
    out = np.empty((7, 1), np.float32)
    while len(heard) < 200:
        assert ring.fill <= 10
        heard.extend(out[: ring.read_into(out), 0])
        time.sleep(0)
    writer.join()
    ring.close()
    assert heard == list(range(200))


def test_dropping_leaves_silence_and_room() -> None:
    ring = Ring(8, 1)
    ring.write(counter(0, 8))
    ring.drop()
    assert (ring.fill, ring.room) == (0, 8)
    ring.write(counter(8, 3))
    out = np.empty((8, 1), np.float32)
    assert ring.read_into(out) == 3
    assert out[:3, 0].tolist() == [8, 9, 10]
    ring.close()


@pytest.mark.parametrize(("capacity", "channels"), [(0, 1), (1, 0), (-3, 2)])
def test_an_impossible_ring_is_refused(capacity: int, channels: int) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Ring(capacity, channels)


def _write_counter(ring: Ring, total: int) -> None:
    sizes = np.random.default_rng(0).integers(1, 500, total)
    done = 0
    for size in sizes:
        samples = min(int(size), total - done)
        ring.write(counter(done, samples, ring.channels))
        done += samples
        if done == total:
            return


def _write_and_die(ring: Ring) -> None:
    ring.write(counter(0, 5, ring.channels))
    os.kill(os.getpid(), 9)


def test_two_processes_carry_a_counter_through_a_small_ring() -> None:
    context = multiprocessing.get_context("spawn")
    ring = Ring(1021, 2)
    total = 300_000
    producer = context.Process(target=_write_counter, args=(ring, total), daemon=True)
    producer.start()
    heard = 0
    out = np.empty((333, 2), np.float32)
    while heard < total:
        got = ring.read_into(out)
        np.testing.assert_array_equal(out[:got], counter(heard, got, 2))
        heard += got
        assert got or producer.is_alive() or ring.fill
    producer.join()
    ring.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs kill -9 (not on Windows)")
def test_the_memory_outlives_a_killed_writer_and_goes_with_its_owner() -> None:
    ring = Ring(16, 1)
    name = ring.__reduce__()[1][2]
    producer = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(ring,), daemon=True)
    producer.start()
    producer.join()
    assert producer.exitcode == -9
    out = np.empty((16, 1), np.float32)
    assert ring.read_into(out) == 5
    ring.write(counter(5, 3))  # a successor goes on where the dead one stopped
    assert ring.read_into(out) == 3
    ring.close()
    with pytest.raises(FileNotFoundError):
        SharedMemory(name=name)
