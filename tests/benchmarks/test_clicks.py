"""Clicks are found where they are, and a change of anchor is none: it stands out no more than any other place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import musicgen
from benchmarks.clicks import compare, elsewhere, prominence
from musicgen import Ensemble, MusicGen, StreamingPolicy
from musicgen.codec import open_decoder

RATE, HOP = 32_000, 640
LENGTH = 4 * HOP  # the codebooks of a frame come from the new lane one after the other
NANO = Path(musicgen.__file__).parent / "models" / "nano"


def noise(seconds: float, seed: int) -> NDArray[np.float32]:
    """Low noise that swells and ebbs."""
    random = np.random.default_rng(seed)
    smooth = np.convolve(random.normal(size=round(seconds * RATE)), np.hanning(32), "same")
    swell = 1 + 0.9 * np.sin(np.arange(len(smooth)) * 2 * np.pi / RATE)
    return (0.01 * smooth * swell).astype(np.float32)


@pytest.mark.parametrize("height", [0.0, 0.05])
def test_a_click_is_found_wherever_it_is_in_its_place(height: float) -> None:
    sound, random = noise(60, 0), np.random.default_rng(1)
    joins = [HOP * (50 + 50 * i) for i in range(55)]
    for join in joins:
        sound[join + random.integers(LENGTH)] += height
    others = elsewhere(joins, 500, HOP, LENGTH, len(sound), 2)
    assert min(abs(other - join) for other in others for join in joins) >= 2 * LENGTH
    report = compare(prominence(sound, joins, LENGTH, RATE), prominence(sound, others, LENGTH, RATE))
    assert report["elsewhere"]["places"] > 400
    if height:
        assert report["louder_at_joins"] > 0.95
        assert report["p"] < 1e-6
    else:
        assert abs(report["louder_at_joins"] - 0.5) < 4 * report["standard_error"]


def test_places_at_the_edge_are_left_out() -> None:
    sound = noise(1, 0)
    assert len(prominence(sound, [0, HOP, RATE - LENGTH], LENGTH, RATE)) == 0
    assert compare(np.zeros(0), np.zeros(0)) == {"joins": {"places": 0}, "elsewhere": {"places": 0}}


@pytest.fixture(scope="module")
def played() -> tuple[MusicGen, list[NDArray[np.int64]], list[list[int]]]:
    """Frames (K, F) of some streams of nano, and at which frame an anchor took over: oftener than it does on stage."""
    if not list(NANO.glob("*.safetensors")):
        pytest.skip("nano is not in this checkout: train it with the commands in training/")
    model = MusicGen.load("nano", threads=1)
    prompts = ("deep house, 122 bpm", "slow ambient pads", "solo piano", "orchestral strings, no drums")
    policy = StreamingPolicy(keep=64, max_position=128)
    streams = [model.stream(prompt, seed=seed, policy=policy) for seed, prompt in enumerate(prompts)]
    frames, positions = [], [0] * len(prompts)
    joins: list[list[int]] = [[] for _ in prompts]
    for number in range(1000):
        frames.append(Ensemble(streams).next_frames())
        for index, stream in enumerate(streams):
            if stream.position < positions[index]:
                joins[index].append(number + 1)  # the first frame that the new lane takes part in
            positions[index] = stream.position
    return model, [np.stack(own, axis=1) for own in zip(*frames, strict=True)], joins


@pytest.mark.parametrize("cut", [False, True])
def test_a_change_of_anchor_stands_out_no_more_than_any_other_place(
    played: tuple[MusicGen, list[NDArray[np.int64]], list[list[int]]], cut: bool
) -> None:
    """Of nano's music; while a codec that begins anew there (cut) is told by the same measure."""
    model, frames, joins = played
    at_joins, others = [], []
    for own, places in zip(frames, joins, strict=True):
        decoder, parts = open_decoder(model.codec), []
        for part in np.split(own, places, axis=1):
            parts.append(decoder.decode(part)[:, 0])
            if cut:
                decoder.reset()
        sound, samples = np.concatenate(parts), [place * HOP for place in places]
        at_joins.append(prominence(sound, samples, LENGTH, RATE))
        random = elsewhere(samples, 150, HOP, LENGTH, len(sound), 0)
        others.append(prominence(sound, random, LENGTH, RATE))
    report = compare(np.concatenate(at_joins), np.concatenate(others))
    assert report["joins"]["places"] > 50
    if cut:  # not every time: much of the music is too loud for it
        assert report["outstanding_p"] < 1e-3
        return
    assert report["outstanding_p"] > 1e-3
    assert abs(report["louder_at_joins"] - 0.5) < 3 * report["standard_error"]
