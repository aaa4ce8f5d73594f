"""Encode the songs into codes, and their captions into token states, once: the model's training set.

    python -m training.tokens --codec runs/codec/codec.pt --text runs/text/text.pt --data data/songs --out runs/tokens

Writes all songs' codes in a row, int16 (frames, codebooks), their scores, int16 (frames, fields), see `training.score`,
and what nano may be told of them, float32 (frames, fields), see `training.told`; all captions' token states in a row,
float16 (tokens, 384); the codec's codebooks, float32 (codebooks, 1024, 64); and ``index.json``, which names the first
four files and holds each song's first frame and length and its captions' first token and length. Run it again when
songs were added: those encoded before are not encoded again, and a trainer that reads the set meanwhile sees either the
old one or the new one.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from musicgen.score import Fields
from training import loop, score, text, told
from training.captions import plain_captions
from training.codec import HOP, codebooks, encode, load_codec
from training.render import again

FILES = ("codes", "scores", "told", "states")


def encode_songs(codec: Path, data: Path, cache: Path) -> None:
    """This worker's share of the songs to ``cache/<song>.npy``, int16 (frames, codebooks).

    Whole songs at a time: the causal encoder starts from silence only where the song starts.
    """
    device = loop.pick_device()
    model: Any = load_codec(codec)
    model.to(device)
    paths = sorted(data.glob("*.npy"))[loop.rank() :: loop.workers()]
    for done, path in enumerate(paths):
        target = cache / path.name
        if target.exists():
            continue
        audio = torch.from_numpy(np.load(path).astype(np.float32) / 32768)
        audio = audio[: len(audio) // HOP * HOP].to(device)
        codes = encode(model, audio[None])[0].T.cpu().numpy().astype(np.int16)
        partial = target.with_suffix(".partial")
        with partial.open("wb") as file:
            np.save(file, codes)
        partial.replace(target)
        if done % 50 == 0:
            print(json.dumps({"encoded": done, "of": len(paths)}), flush=True)


def write_scores(data: Path, cache: Path, out: Path) -> None:
    """This worker's share of the encoded songs' scores, to ``scores/<song>.npy``, and of what is told, to ``told``.

    Raises
    ------
    ValueError
        If the composer no longer writes a song as it was when it was rendered.
    """
    for path in sorted(cache.glob("*.npy"))[loop.rank() :: loop.workers()]:
        scores, inputs = (out / name / path.name for name in ("scores", "told"))
        if inputs.exists() and scores.exists() and np.load(scores, mmap_mode="r").shape[1] == score.FIELDS:
            continue
        facts = json.loads((data / path.name).with_suffix(".json").read_text())
        song = again(facts)
        if any(facts[name] != getattr(song, name) for name in ("style", "bpm", "tonic", "mode")):
            raise ValueError(f"{path.stem} is not the song that the composer writes now: render the songs again.")
        frames = len(np.load(path, mmap_mode="r"))
        for target, fields in ((scores, score.of_song(song, frames)), (inputs, told.of_song(song, frames))):
            with target.with_suffix(".partial").open("wb") as file:
                np.save(file, fields)
            target.with_suffix(".partial").replace(target)


def pack_frames(data: Path, cache: Path, out: Path, files: dict[str, str]) -> list[dict[str, Any]]:
    """Join the cached codes, the scores and what is told into a file each; returns one entry a song."""
    songs: list[dict[str, Any]] = []
    parts: list[NDArray[np.int16]] = []
    first = 0
    paths = sorted(cache.glob("*.npy"))
    for path in paths:
        codes = np.load(path)
        facts = json.loads((data / path.name).with_suffix(".json").read_text())
        songs.append({**facts, "name": path.stem, "first": first, "frames": len(codes)})
        parts.append(codes)
        first += len(codes)
    np.save(out / files["codes"], np.concatenate(parts))
    for name in ("scores", "told"):
        np.save(out / files[name], np.concatenate([np.load(out / name / path.name) for path in paths]))
    return songs


def encode_captions(tuned: Path | None, captions: Sequence[str], out: Path) -> None:
    """This worker's share of the captions to ``out/states-<worker>.npy`` and their token counts to ``tokens-...``."""
    tokenizer, encoder = text.load(tuned, loop.pick_device())
    states = text.encode(captions[loop.rank() :: loop.workers()], tokenizer, encoder)
    np.save(out / f"states-{loop.rank()}.npy", np.concatenate(states))
    np.save(out / f"tokens-{loop.rank()}.npy", [len(s) for s in states])


def pack_states(songs: list[dict[str, Any]], tuned: Path | None, target: Path, workers: int) -> None:
    """Encode every distinct caption into one file; gives each song ``texts``: (first, tokens), the plain ones last."""
    for song in songs:
        song["captions"] += plain_captions(song, np.random.default_rng(song["seed"]))
    captions = sorted({caption for song in songs for caption in song["captions"]})
    with tempfile.TemporaryDirectory(dir=target.parent) as parts:
        loop.launch(encode_captions, workers, tuned, captions, Path(parts))
        states, lengths = ([np.load(f"{parts}/{n}-{w}.npy") for w in range(workers)] for n in ("states", "tokens"))
    np.save(target, np.concatenate(states))
    order = [caption for worker in range(workers) for caption in captions[worker::workers]]
    counts = np.concatenate(lengths)
    places = {c: (int(e - n), int(n)) for c, n, e in zip(order, counts, np.cumsum(counts), strict=True)}
    for song in songs:
        song["texts"] = [places[c] for c in song["captions"]]


def write_codebooks(codec: Path, target: Path) -> None:
    """What each code means to the codec: near codes sound alike."""
    books = torch.stack([book.embed for book in codebooks(load_codec(codec))])
    np.save(target, books.numpy())


def pack(data: Path, cache: Path, tuned: Path | None, out: Path, workers: int) -> None:
    """Write the set under new names, then point the index at it and remove the sets before the last."""
    version = len(list(cache.glob("*.npy")))
    files = {name: f"{name}-{version}.npy" for name in FILES}
    songs = pack_frames(data, cache, out, files)
    pack_states(songs, tuned, out / files["states"], workers)
    index, partial = out / "index.json", out / "index.partial"
    last = json.loads(index.read_text()) if index.exists() else {}
    partial.write_text(json.dumps({**files, "songs": songs}))
    partial.replace(index)
    kept = {*files.values(), *(last.get(name) for name in files)}
    for path in (path for name in files for path in out.glob(f"{name}-*.npy")):
        if path.name not in kept:
            path.unlink()
    print(json.dumps({"songs": len(songs), "hours": sum(s["frames"] for s in songs) / 50 / 3600}))


def load_codebooks(folder: Path) -> NDArray[np.float32]:
    """The codec's codebooks, (codebooks, 1024, 64)."""
    books: NDArray[np.float32] = np.load(folder / "codebooks.npy")
    return books


class Packed(NamedTuple):
    """A packed folder; its arrays are memory-mapped, so that workers share them."""

    codes: NDArray[np.int16]
    scores: NDArray[np.int16]
    told: Fields
    states: NDArray[np.float16]
    songs: list[dict[str, Any]]


def load(folder: Path) -> Packed:
    """Read what `pack` wrote."""
    index = json.loads((folder / "index.json").read_text())
    codes, scores, told_, states = (np.load(folder / index[name], mmap_mode="r") for name in FILES)
    return Packed(codes, scores, told_, states, index["songs"])


def main() -> None:
    """Read the command line, encode and pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", type=Path, default=Path("runs/codec/codec.pt"))
    parser.add_argument("--text", type=Path, help="what training.text wrote; without, the encoder as published")
    parser.add_argument("--data", type=Path, default=Path("data/songs"))
    parser.add_argument("--out", type=Path, default=Path("runs/tokens"))
    parser.add_argument("--workers", type=int, default=1 if torch.cuda.is_available() else 2)
    arguments = parser.parse_args()
    cache = arguments.out / "cache"
    for name in ("cache", "scores", "told"):
        (arguments.out / name).mkdir(parents=True, exist_ok=True)
    loop.launch(encode_songs, arguments.workers, arguments.codec, arguments.data, cache)
    loop.launch(write_scores, arguments.workers, arguments.data, cache, arguments.out)
    write_codebooks(arguments.codec, arguments.out / "codebooks.npy")
    pack(arguments.data, cache, arguments.text, arguments.out, arguments.workers)


if __name__ == "__main__":
    loop.tune_allocator("training.tokens")
    main()
