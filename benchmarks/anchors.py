"""How much of the past an anchor should know: does the music keep to its prompt, and what changes where one takes over?

    python -m benchmarks.anchors [--minutes 4] [--jury runs/evaluate/jury.pt] 16 32 64 256

Streams of all styles without the guard, for each number of frames that a lane knows when it takes over. A line of JSON
each: the style that a fitted jury recognises, minute by minute (training.evaluate leaves one behind), and how alike the
four seconds before and after an anchor are, beside places halfway between two anchors: pitch classes and attacks as
correlations, sound as the distance of mean log-mel spectra in nats.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicgen import Ensemble, MusicGen
from musicgen.past import StreamingPolicy
from streamer.engine.loading import load
from training import judge, loop
from training.codec import RATE
from training.compose.arrange import STYLES
from training.evaluate.playing import sound
from training.evaluate.studio import CLIP, Jury, read_jury

Audio = NDArray[np.float32]
Codes = NDArray[np.int64]

SIDE = 4.0  # seconds that are compared, before and after
AFTER = 2.0  # seconds of attacks that should come as those before them have
LEAST_LAG = 0.5  # seconds after which a groove may come again
SEED = 1000
FEATURES = ("pitch_classes", "sound", "attacks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keep", type=int, nargs="+", help="frames that a lane knows when it takes over")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--jury", type=Path, help="jury.pt of training.evaluate; without it styles are left out")
    options = parser.parse_args()
    jury = read_jury(loop.load(options.jury)) if options.jury else None
    model = load(options.model, options.backend)
    for keep in options.keep:
        policy = StreamingPolicy(keep, model.policy.max_position)
        codes, joins = played(model, policy, round(60 * options.minutes * model.frame_rate), options.seed)
        print(json.dumps({"keep": keep, **report(model, codes, joins, policy.life - keep, jury)}), flush=True)


def played(model: MusicGen, policy: StreamingPolicy, frames: int, seed: int) -> tuple[list[Codes], list[int]]:
    """Codes (K, frames) of a stream of each style, and the frames at which an anchor had taken over, alike in all."""
    streams = [
        model.stream(f"give me {style}", seed=seed + number, policy=policy) for number, style in enumerate(STYLES)
    ]
    ensemble = Ensemble(streams)
    codes = np.empty((len(streams), model.codebooks, frames), np.int64)
    joins, position = [], 0
    for frame in range(frames):
        codes[:, :, frame] = ensemble.next_frames()
        if streams[0].position < position:
            joins.append(frame)
        position = streams[0].position
    return list(codes), joins


def report(model: MusicGen, codes: list[Codes], joins: list[int], apart: int, jury: Jury | None) -> dict[str, object]:
    """Figures of all streams together."""
    audio = [sound(model, one) for one in codes]
    between = [join + apart // 2 for join in joins]
    found: dict[str, object] = {
        name: summary(likeness(before, after) for clip in audio for before, after in sides(clip, places, model.hop))
        for name, places in (("at_anchors", joins), ("between", between))
    }
    if jury is not None:
        kept = {
            style: by_minute(clip, number, jury) for number, (style, clip) in enumerate(zip(STYLES, audio, strict=True))
        }
        found["style_by_minute"] = np.mean([*kept.values()], axis=0).round(2).tolist()
        found["by_style"] = kept
    return found


def sides(clip: Audio, places: Iterable[int], hop: int) -> list[tuple[Audio, Audio]]:
    """The seconds before and after each place (a frame) that has as many on both sides."""
    long = round(SIDE * RATE)
    cuts = [place * hop for place in places if long <= place * hop <= len(clip) - long]
    return [(clip[cut - long : cut], clip[cut : cut + long]) for cut in cuts]


def likeness(before: Audio, after: Audio) -> tuple[float, float, float]:
    """How alike two neighbouring clips are, in each of `FEATURES`."""
    harmony = [judge.chroma(clip).numpy().ravel() for clip in (before, after)]
    mels = [judge.mel_frames(clip) for clip in (before, after)]
    half = len(mels[0]) // 2
    distance = float((mels[0][-half:].mean(0) - mels[1][:half].mean(0)).abs().mean())
    return alike(*harmony), distance, goes_on(*(judge.onset_curve(mel) for mel in mels))


def goes_on(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Correlation of the first attacks after a place with those a whole number of the earlier groove's periods before.

    The period is the lag at which the attacks before the place are most like themselves.
    """
    a_second = len(before) / SIDE
    least, count = round(LEAST_LAG * a_second), round(AFTER * a_second)
    lags = range(least, len(before) // 2)
    period = max(lags, key=lambda lag: alike(before[lag:], before[:-lag]))
    back = period * -(-count // period)
    if back > len(before):
        back = period
    whole = np.concatenate([before, after])
    start = len(before)
    return alike(whole[start : start + count], whole[start - back : start - back + count])


def alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's correlation; 0 where one of them stands still."""
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm else 0.0


def summary(found: Iterable[tuple[float, float, float]]) -> dict[str, object]:
    """Mean of each feature, and the value that the worst tenth of the places does not reach."""
    table = np.array(list(found)).reshape(-1, len(FEATURES))
    if not len(table):
        return {"places": 0}
    means = dict(zip(FEATURES, table.mean(0).round(3).tolist(), strict=True))
    least = np.quantile(table * (1, -1, 1), 0.1, axis=0) * (1, -1, 1)  # the more distant the sounds, the less alike
    return {
        "places": len(table),
        **means,
        "worst_tenth": dict(zip(FEATURES, least.round(3).tolist(), strict=True)),
    }


def by_minute(clip: Audio, style: int, jury: Jury) -> list[float]:
    """Share of the windows of each minute that are recognised as a style."""
    size = round(CLIP * RATE)
    features = [judge.features(clip[i : i + size]) for i in range(0, len(clip) - size + 1, size)]
    calls = [int(jury.style(one[None]).argmax()) == style for one in features]
    a_minute = round(60 / CLIP)
    return [round(float(np.mean(calls[i : i + a_minute])), 2) for i in range(0, len(calls), a_minute)]


if __name__ == "__main__":
    main()
