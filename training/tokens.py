"""Encode the songs into codes, and their captions into token states, once: the model's training set.

    python -m training.tokens --codec runs/codec/codec.pt --data data/songs --out runs/tokens

Writes ``codes.npy`` int16 (frames, codebooks), all songs in a row; ``states.npy`` float16 (tokens, 384), all captions in
a row; ``index.json`` with each song's first frame and length and its captions' first token and length. Songs that an
interrupted run has encoded are not encoded again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training import loop, text
from training.codec import HOP, encode, load_codec


def encode_songs(codec: Path, data: Path, cache: Path) -> None:
    """This worker's share of the songs to ``cache/<song>.npy``, int16 (frames, codebooks).

    Whole songs at a time: the causal encoder starts from silence only where the song starts.
    """
    device = loop.pick_device()
    model = load_codec(codec).to(device)
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


def pack_codes(data: Path, cache: Path, out: Path) -> list[dict[str, Any]]:
    """Join the cached codes into ``codes.npy``; returns one entry a song."""
    songs, parts, first = [], [], 0
    for path in sorted(cache.glob("*.npy")):
        codes = np.load(path)
        facts = json.loads((data / path.name).with_suffix(".json").read_text())
        songs.append({**facts, "name": path.stem, "first": first, "frames": len(codes)})
        parts.append(codes)
        first += len(codes)
    np.save(out / "codes.npy", np.concatenate(parts))
    return songs


def pack_states(songs: list[dict[str, Any]], out: Path) -> None:
    """Encode every distinct caption into ``states.npy``; gives each song ``texts``: (first, tokens, names a bpm)."""
    captions = sorted({caption for song in songs for caption in song["captions"]})
    tokenizer, encoder = text.load()
    states = text.encode(captions, tokenizer, encoder.to(loop.pick_device()))
    ends = np.cumsum([len(s) for s in states])
    places = {c: (int(e) - len(s), len(s)) for c, s, e in zip(captions, states, ends, strict=True)}
    np.save(out / "states.npy", np.concatenate(states))
    for song in songs:
        song["texts"] = [(*places[c], str(round(song["bpm"])) in c) for c in song["captions"]]


def load(folder: Path) -> tuple[NDArray[np.int16], NDArray[np.float16], list[dict[str, Any]]]:
    """Codes, states and songs of a packed folder; memory-mapped, so that workers share them."""
    codes = np.load(folder / "codes.npy", mmap_mode="r")
    states = np.load(folder / "states.npy", mmap_mode="r")
    return codes, states, json.loads((folder / "index.json").read_text())


def main() -> None:
    """Read the command line, encode and pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", type=Path, default=Path("runs/codec/codec.pt"))
    parser.add_argument("--data", type=Path, default=Path("data/songs"))
    parser.add_argument("--out", type=Path, default=Path("runs/tokens"))
    parser.add_argument("--workers", type=int, default=1 if torch.cuda.is_available() else 2)
    arguments = parser.parse_args()
    cache = arguments.out / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    loop.launch(encode_songs, arguments.workers, arguments.codec, arguments.data, cache)
    songs = pack_codes(arguments.data, cache, arguments.out)
    pack_states(songs, arguments.out)
    (arguments.out / "index.json").write_text(json.dumps(songs))
    print(json.dumps({"songs": len(songs), "hours": sum(s["frames"] for s in songs) / 50 / 3600}))


if __name__ == "__main__":
    loop.tune_allocator("training.tokens")
    main()
