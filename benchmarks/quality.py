"""What a backend's quantised weights do to a model: its own logits against the reference's, under teacher forcing.

Both are fed the same tokens, so their logits are compared step by step: how often the likeliest token is the same, with
guidance as it is played; how far the distributions are apart; and how well each predicts the tokens (perplexity, of the
conditional row alone, as a model is trained). The tokens are of songs that the model was not trained on, as
training.tokens packs them, or, for a model without such songs, drawn by the reference itself. One JSON line a backend.

    python -m benchmarks.quality [--model nano] [--tokens runs/tokens] [--songs 8] [--frames 250] [native onnx ...]
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen import Ensemble, ModelError, MusicGen, StreamingPolicy
from musicgen.backends import NAMES, obstacle
from musicgen.sampling import guide

PROMPTS = (
    "lo-fi hip hop, mellow electric piano, soft drums",
    "deep house, 122 bpm, warm bass",
    "slow ambient strings in D minor",
    "solo jazz piano",
    "techno, 130 bpm, dark",
    "acoustic guitar, calm and bright",
    "drum and bass, 174 bpm",
    "orchestral film music, brass and timpani",
)
NOTHING = -1  # where a delayed codebook has no frame yet


@dataclass(frozen=True)
class Song:
    """Frames (T, K) int64 and the prompt that goes with them."""

    prompt: str
    frames: NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    others = [name for name in NAMES if name not in ("torch", "cuda")]
    parser.add_argument("backends", nargs="*", help=f"default: those of {', '.join(others)} that can run here")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--tokens", type=Path, help="a folder of training.tokens; without, the reference's own draws")
    parser.add_argument("--songs", type=int, default=8)
    parser.add_argument("--frames", type=int, default=250)
    options = parser.parse_args()
    reference = MusicGen.load(options.model, backend="torch")
    songs = held_out(options.tokens, options.songs, options.frames) if options.tokens else []
    songs = songs or drawn(reference, options.songs, options.frames)
    pads, targets = teacher(reference, songs)
    expected = logits_of(reference, songs, pads)
    facts = {"model": options.model, "songs": len(songs), "frames": options.frames}
    facts["tokens"] = "held out" if options.tokens else "drawn"
    for name in options.backends or [name for name in others if not obstacle(name)]:
        try:
            model = MusicGen.load(options.model, backend=name)
        except ModelError as error:
            print(json.dumps({**facts, "backend": name, "refused": str(error)}))
            continue
        found = logits_of(model, songs, pads)
        figures = compare(expected, found, targets, reference.defaults.guidance)
        print(json.dumps({**facts, "backend": name, **figures}), flush=True)


def held_out(folder: Path, count: int, frames: int) -> list[Song]:
    """The beginnings of songs that are kept apart from training, each with its first caption."""
    from training.model import load_corpus

    _, corpus = load_corpus(folder)
    chosen = [song for song in corpus.songs if song["frames"] >= frames][:count]
    return [
        Song(song["captions"][0], np.asarray(corpus.codes[song["first"] : song["first"] + frames], np.int64))
        for song in chosen
    ]


def drawn(model: MusicGen, count: int, frames: int) -> list[Song]:
    """What the model itself plays."""
    streams = [model.stream(PROMPTS[seed % len(PROMPTS)], seed=seed, policy=policy(frames)) for seed in range(count)]
    ensemble = Ensemble(streams)
    played = [ensemble.next_frames() for _ in range(frames)]
    return [Song(stream.prompt, np.stack([step[index] for step in played])) for index, stream in enumerate(streams)]


def policy(frames: int) -> StreamingPolicy:
    """No shadow within these frames."""
    return StreamingPolicy(keep=1, max_position=frames + 16)


def teacher(model: MusicGen, songs: Sequence[Song]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Input columns and their targets, (steps, songs, K) each; ``NOTHING`` in the targets where there is none."""
    delays = np.array(model.pattern.delays)
    frames = np.stack([song.frames for song in songs], 1)
    own = np.arange(len(frames))[:, None] - delays  # the frame that a step predicts of a codebook
    delayed = np.stack([frames[np.maximum(own[:, k], 0), :, k] for k in range(len(delays))], -1)
    targets = np.where((own >= 0)[:, None], delayed, NOTHING)
    before = np.concatenate([np.full_like(targets[:1], NOTHING), targets[:-1]])
    return np.where(before == NOTHING, model.pattern.pad, before), targets


def logits_of(model: MusicGen, songs: Sequence[Song], columns: NDArray[np.int64]) -> Tensor:
    """(steps, songs, 2, K, V)."""
    states = [model.backend.new_state(policy(len(columns))) for _ in songs]
    prompts = [(model.encode_prompt(song.prompt).kv, None) for song in songs]
    steps = []
    for column in columns:
        steps.append(model.backend.step(states, [own[None] for own in column], prompts))
        for state in states:
            state.count()
    return torch.from_numpy(np.stack(steps))


def compare(expected: Tensor, found: Tensor, targets: NDArray[np.int64], guidance: float) -> dict[str, float]:
    """See this module."""
    guided = [torch.from_numpy(guide(logits.movedim(2, 0).numpy(), guidance)) for logits in (expected, found)]
    wanted = torch.from_numpy(targets)
    told = wanted != NOTHING
    losses = [
        F.cross_entropy(logits[:, :, 0][told], wanted[told], reduction="none").mean() for logits in (expected, found)
    ]
    sure, likely = (logits[:, :, 0][told].log_softmax(-1) for logits in (expected, found))
    same = guided[0].argmax(-1) == guided[1].argmax(-1)
    return {
        "same_likeliest": round(float(same[told].float().mean()), 4),
        "same_likeliest_codebook_0": round(float(same[..., 0][told[..., 0]].float().mean()), 4),
        "least_cosine": round(float(torch.cosine_similarity(expected.flatten(-2), found.flatten(-2), -1).min()), 5),
        "kl_nats": round(float((sure.exp() * (sure - likely)).sum(-1).mean()), 5),
        "perplexity": round(float(losses[1].exp()), 3),
        "perplexity_reference": round(float(losses[0].exp()), 3),
        "perplexity_change_percent": round(100 * float((losses[1] - losses[0]).exp() - 1), 3),
    }


if __name__ == "__main__":
    main()
