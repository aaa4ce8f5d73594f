"""Train nano's language model: MusicGen's decoder, exactly, on the songs' codes.

    python -m training.model --tokens runs/tokens --out runs/model --minutes 55

Every training crop is laid out as a stream that has just begun: the pad column at position 0, then the delayed
frames, wherever in a song it was cut. An endless stream re-anchors its last frames in just this way, so it never leaves
what was trained.

Many crops change over to another song at a beat, and to that song's caption up to a beat earlier: so the model learns
that a new prompt takes over at the next beat, and that the prompt counts for more than what was heard. Others read the
second caption from the start, and only the second song is asked of them: so a stream that has strayed from its prompt
finds back to it. What others hear first is what nano itself played when asked for that style (`training.stray`).

Every crop may be told what is played beside the caption, frame by frame (`training.told`, the inputs of
`musicgen.score`): more or less of it, or nothing at all, and nothing where there is no caption either.

Beside the codes the lower half of the layers learns what the composer wrote (`training.score`): it has to count beats,
and to know in every frame which key, style and players the caption asks for.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from transformers import MusicgenDecoderConfig, MusicgenForCausalLM

from musicgen.score import FEATURES, Fields, features, features_of, unknown
from musicgen.score import FIELDS as INPUTS
from training import captions, loop, score, stray, text, tokens
from training.codec import CODEBOOKS, CODES
from training.compose.arrange import STYLES, frames_a_beat
from training.muon import Muon
from training.telling import OF_TAKES, differing, told_of

PAD = CODES
LENGTH = 512  # columns of a crop, and so the farthest position a stream may reach
# Columns of the short crops: where little has been heard, the caption has most to say. Long enough for a bar at 63 bpm,
# and for a beat and what follows.
SHORT, SHORTEST = 192, 96
COLUMNS = 4096  # of a step on each worker: in turn 8 crops of 512, 21 of 192 and 42 of 96
SPLICED = 0.35  # of the crops change over to another song
ASTRAY = 0.5  # of these have read the second song's caption all along: what was heard before had gone astray
OWN = 0.2  # of the crops have heard what nano itself played when asked for the song's style, if there is any
SWITCHED = 0.35  # of the crops go from one take of a song over to another again and again, if there are takes
STAYS = (12, 120)  # frames from one such change to the next
CORRUPTED = 0.05  # of the input codes are replaced at random: a stream has to live with its own mistakes
# Of the crops, and of the short ones, begin where a song does: there tempo and key are a matter of the caption alone.
SONG_STARTS, SHORT_STARTS = 0.2, 0.75
CAPTION_DROPOUT = 0.1
PLAIN = 0.5  # of the captions are those that many songs share, see `captions.plain_captions`
# What else keeps captions from being learnt by heart with their songs: tokens left out, states disturbed.
TOKEN_DROPOUT, STATE_NOISE = 0.15, 0.2
# Styles that kept their tempo or themselves least are drawn twice as often.
OFTEN = ("jazz trio", "orchestral", "solo piano", "bossa nova", "funk", "chiptune", "folk guitar")
# The first codebook carries the notes and the beat, the last one mostly noise.
CODEBOOK_WEIGHTS = (2.0, 1.0, 0.7, 0.5)
SCORE_WEIGHT = 0.1  # of a nat missed in the score, see `score.WEIGHTS`
SCORE_RATE = 5e-3  # learning rate of the score inputs: they are new where all else goes on
URGENT = 5.0  # what a frame counts where other players or another energy are told than just before, see `urgency`
HALF_A_SECOND = 25  # frames
FEATURES_OF_THE_BAND = features_of("play_drums", "play_bass", "play_chords", "play_lead", "energy")
KEPT = 3.0  # how much more than its codes a crop that is told nothing counts for what earlier weights expect there
VALIDATION_SHARE = 32  # one song in this many is kept apart


def decoder_config(width: int = 256, layers: int = 8) -> MusicgenDecoderConfig:
    """MusicGen's decoder with heads of 64, no dropout: there is more music than time to train on it."""
    return MusicgenDecoderConfig(
        vocab_size=CODES,
        num_codebooks=CODEBOOKS,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        ffn_dim=4 * width,
        max_position_embeddings=LENGTH,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        layerdrop=0.0,
        pad_token_id=PAD,
        bos_token_id=PAD,
        audio_channels=1,
    )


class Nano(nn.Module):
    """The trained parts of the shipped model: decoder and text projection, under transformers' names; score inputs.

    ``score`` starts at zero: until it is trained, a score changes nothing.
    """

    def __init__(self, config: MusicgenDecoderConfig) -> None:
        super().__init__()
        self.decoder = MusicgenForCausalLM(config)
        self.enc_to_dec_proj = nn.Linear(text.WIDTH, config.hidden_size)
        self.score = nn.Linear(FEATURES, config.hidden_size, bias=False)
        nn.init.zeros_(self.score.weight)


# --- a faster forward over the same weights -----------------------------------------------------------------------


def _split(x: torch.Tensor, parts: int) -> tuple[torch.Tensor, ...]:
    """(batch, time, parts * width) to ``parts`` tensors (batch, heads, time, 64)."""
    batch, time_, width = x.shape
    return x.view(batch, time_, parts, width // parts // 64, 64).permute(2, 0, 3, 1, 4).unbind(0)


def _attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Attention with an additive bias, written out: torch's fused kernel is slow backwards on CPU."""
    with torch.autocast(q.device.type, enabled=False):  # it would compute the softmax's operands in float32
        scores = torch.matmul(q * q.shape[-1] ** -0.5, k.mT) + bias.to(q.dtype)
        return torch.matmul(torch.softmax(scores, -1), v)


def _attend_causally(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
    """Causal self-attention in two halves: the first half's queries need not meet the second half's keys."""
    time_ = q.shape[2]
    half = time_ // 2
    early = _attend(q[:, :, :half], k[:, :, :half], v[:, :, :half], future[:half, :half])
    return torch.cat([early, _attend(q[:, :, half:], k, v, future[half:])], 2)


def hidden_states(
    model: Nano, columns: torch.Tensor, states: torch.Tensor, mask: torch.Tensor, told: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the middle layer and the last one make of every position, each (batch, time, width).

    Parameters
    ----------
    model
        Weights.
    columns
        int64, (batch, codebooks, time): delayed codes, `PAD` where there is none.
    states
        float, (batch, tokens, 384): token states of the captions.
    mask
        bool, (batch, time or 1, tokens): which tokens each position reads. A row without any True is the null
        condition: its cross-attention contributes exactly nothing, as in transformers' guidance.
    told
        float32, (batch, time, `FEATURES`): the score of the frame whose first codebook each position predicts; None
        if nothing is known.
    """
    decoder: Any = model.decoder.model.decoder
    x = sum(table(columns[:, k]) for k, table in enumerate(decoder.embed_tokens))
    x = x + decoder.embed_positions.weights[: columns.shape[-1]]
    if told is not None:
        x = x + model.score(told)
    # transformers zeroes masked states after the projection, bias and all: keys and values of the null row are 0.
    memory = model.enc_to_dec_proj(states) * mask.any(1)[..., None]
    # A row without any True keeps all its keys: they are 0, and so is what attention makes of them.
    hidden = torch.where(mask | ~mask.any(-1, keepdim=True), 0.0, -1e4)[:, None]
    future = torch.full((columns.shape[-1],) * 2, -1e4, device=x.device).triu(1)
    middle = x
    for number, layer in enumerate(decoder.layers):
        middle = x if number == len(decoder.layers) // 2 else middle
        attention, cross = layer.self_attn, layer.encoder_attn
        fused = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
        q, k, v = _split(F.linear(layer.self_attn_layer_norm(x), fused), 3)
        x = x + attention.out_proj(_attend_causally(q, k, v, future).transpose(1, 2).flatten(2))
        (q,) = _split(cross.q_proj(layer.encoder_attn_layer_norm(x)), 1)
        k, v = _split(F.linear(memory, torch.cat([cross.k_proj.weight, cross.v_proj.weight])), 2)
        x = x + cross.out_proj(_attend(q, k, v, hidden).transpose(1, 2).flatten(2))
        x = x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))
    return middle, decoder.layer_norm(x)


def forward(
    model: Nano, columns: torch.Tensor, states: torch.Tensor, mask: torch.Tensor, told: torch.Tensor | None = None
) -> list[torch.Tensor]:
    """Logits of every position, for each codebook (batch, time, 1024); parameters as for `hidden_states`."""
    _, last = hidden_states(model, columns, states, mask, told)
    return [head(last) for head in model.decoder.lm_heads]


def losses(logits: list[torch.Tensor], targets: torch.Tensor, weights: torch.Tensor | float = 1.0) -> torch.Tensor:
    """Cross entropy in nats, (codebooks,), over the targets (batch, codebooks, time) that are not `PAD`.

    weights: what each frame counts, (batch, time).
    """
    parts = []
    for values, wanted in zip(logits, targets.unbind(1), strict=True):
        missed = F.cross_entropy(values.float().mT, wanted, ignore_index=PAD, reduction="none")
        counted = weights * (wanted != PAD)
        parts.append((missed * counted).sum() / counted.sum().clamp(min=1))
    return torch.stack(parts)


def unlike(logits: list[torch.Tensor], kept: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """Cross entropy in nats, (codebooks,), of ``logits`` against what other weights expect (``kept``).

    Over the positions whose targets (batch, codebooks, time) are not `PAD`; both as `forward` returns them.
    """
    parts = []
    for values, other, wanted in zip(logits, kept, targets.unbind(1), strict=True):
        missed = -(torch.softmax(other.float(), -1) * torch.log_softmax(values.float(), -1)).sum(-1)
        counted = wanted != PAD
        parts.append((missed * counted).sum() / counted.sum().clamp(min=1))
    return torch.stack(parts)


def urgency(told: torch.Tensor) -> torch.Tensor:
    """What each frame (batch, time) counts: `URGENT` for the first half second in which the players or the energy
    that are told (batch, time, `FEATURES`) are others, 1 elsewhere.

    Once they have been heard the codes before say as much: only there is anything to be learnt from being told.
    """
    band = told[..., FEATURES_OF_THE_BAND]
    other = (band != F.pad(band, (0, 0, 1, 0))[:, :-1]).any(-1).float()
    return 1 + (URGENT - 1) * F.max_pool1d(F.pad(other, (HALF_A_SECOND - 1, 0)), HALF_A_SECOND, 1)


# --- data ---------------------------------------------------------------------------------------------------------


def delay(frames: NDArray[np.int16], given: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets of a fresh stream of frames (time, codebooks), each (codebooks, time).

    Input column c holds frame c - 1 - k of codebook k, or `PAD` before the first; its target is column c + 1, or `PAD`
    if that belongs to the first ``given`` frames.
    """
    time_ = len(frames)
    delayed = np.full((CODEBOOKS, time_ + 1), PAD, np.int64)
    for k in range(CODEBOOKS):
        delayed[k, 1 + k :] = frames[: time_ - k, k]
    targets = delayed[:, 1:].copy()
    for k in range(CODEBOOKS):
        targets[k, : given + k if given else 0] = PAD
    return delayed[:, :-1], targets


Read = list[tuple[NDArray[np.float16], int, int]]  # a caption's token states, and the columns that read it: from, to


class Crop(NamedTuple):
    """What one row of a batch is made of.

    Attributes
    ----------
    frames
        int16 (time, `CODEBOOKS` + `score.FIELDS`): codes and their score.
    told
        float32 (time, fields): everything that is known of them.
    songs
        What they come from.
    read
        The captions.
    given
        How many of the frames are only to be heard.
    """

    frames: NDArray[np.int16]
    told: Fields
    songs: list[dict[str, Any]]
    read: Read
    given: int


@dataclass(frozen=True)
class Corpus:
    """Packed songs, and what nano itself played, see `stray`."""

    codes: NDArray[np.int16]
    scores: NDArray[np.int16]
    told: Fields
    states: NDArray[np.float16]
    songs: list[dict[str, Any]]
    strays: Sequence[stray.Stray] = ()
    takes: "Corpus | None" = None

    def batch(
        self, rng: np.random.Generator, length: int, spliced: float = SPLICED, columns: int = COLUMNS
    ) -> tuple[torch.Tensor, ...]:
        """Columns, targets, scores, what is told, caption states and their mask: ``columns`` columns in all.

        In crops of ``length``, of which a share ``spliced`` goes from one song over to another.
        """
        crops, reads, told = [], [], []
        for _ in range(columns // length):
            draw = rng.random()
            takes = self.takes if self.takes and rng.random() < SWITCHED else None
            if takes:
                crop = takes.switched(rng, length)
            elif self.strays and draw >= 1 - OWN:
                crop = self._find_back(rng, length)
            else:
                crop = self._splice(rng, length) if draw < spliced else self._crop(rng, length)
            frames, given, read = crop.frames, crop.given, crop.read
            frames[:given, CODEBOOKS:] = score.foretold(frames[given, CODEBOOKS:])
            crops.append((*delay(frames[:, :CODEBOOKS], given), frames[:, CODEBOOKS:].astype(np.int64)))
            known = told_of(crop.told, crop.songs, rng, OF_TAKES if takes else ())
            if len(read) == 1 and not takes and (way := differing(known, rng)):
                read = [(self._other_caption(crop.songs[-1], way, rng), 0, length)]
            nothing = rng.random() < CAPTION_DROPOUT
            reads.append([] if nothing else read)
            told.append(features(unknown(length) if nothing else known))
        sides = [torch.from_numpy(np.stack(side)) for side in (*zip(*crops, strict=True), told)]
        return *sides, *_pad(reads, length)

    def _draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return self.songs[rng.integers(len(self.songs))]

    def _crop(self, rng: np.random.Generator, length: int) -> Crop:
        song = self._draw(rng)
        share = SHORT_STARTS if length <= SHORT else SONG_STARTS
        start = 0 if rng.random() < share else int(rng.integers(song["frames"] - length + 1))
        read = [(self._caption(song, rng, length), 0, length)]
        return Crop(self._frames(song, start, length), self._told(song, start, length), [song], read, 0)

    def _splice(self, rng: np.random.Generator, length: int) -> Crop:
        """One song, and from one of its beats on another, from a bar on.

        The caption changes up to a beat before, or is the second song's all along (`ASTRAY`): then the first one is
        only to be heard.
        """
        before, after = self._draw(rng), self._draw(rng)
        beat = frames_a_beat(before["bpm"])
        cut = int(rng.integers(beat + 1, length * 3 // 4))
        beats = self._starts(before, "beat")
        start = int(rng.choice(beats[beats >= cut])) - cut
        bars = self._starts(after, "bar")
        entry = int(rng.choice(bars[bars <= after["frames"] - length + cut]))
        frames = np.concatenate([self._frames(before, start, cut), self._frames(after, entry, length - cut)])
        told = np.concatenate([self._told(before, start, cut), self._told(after, entry, length - cut)])
        if rng.random() < ASTRAY:
            return Crop(frames, told, [before, after], [(self._caption(after, rng, length), 0, length)], cut)
        change = cut - int(rng.integers(beat))
        read = [(self._caption(before, rng, length), 0, change), (self._caption(after, rng, length), change, length)]
        return Crop(frames, told, [before, after], read, 0)

    def _find_back(self, rng: np.random.Generator, length: int) -> Crop:
        """What nano played when asked for a style, and from any frame on a song of that style, from a bar on."""
        style, played = self.strays[int(rng.integers(len(self.strays)))]
        songs = self._by_style[style]
        song = songs[int(rng.integers(len(songs)))]
        cut = int(rng.integers(1, min(length * 3 // 4, len(played) + 1)))
        start = int(rng.integers(len(played) - cut + 1))
        bars = self._starts(song, "bar")
        entry = int(rng.choice(bars[bars <= song["frames"] - length]))
        heard = np.pad(played[start : start + cut], ((0, 0), (0, score.FIELDS)), constant_values=score.UNKNOWN)
        frames = np.concatenate([heard, self._frames(song, entry, length - cut)])
        told = self._told(song, entry, length - cut)
        told = np.concatenate([counted_in(told, cut), told])
        return Crop(frames, told, [song], [(self._caption(song, rng, length), 0, length)], cut)

    def switched(self, rng: np.random.Generator, length: int) -> Crop:
        """One song, whose takes take turns in any frame; it reads a caption of one of them.

        So who plays on, and how much, is a matter of what is told alone, and not of what was heard.
        """
        takes = self._by_seed[int(rng.integers(len(self._by_seed)))]
        start = int(rng.integers(min(song["frames"] for song in takes) - length + 1))
        frames, told, first = [], [], 0
        while first < length:
            song = takes[int(rng.integers(len(takes)))]
            count = min(length - first, int(rng.integers(*STAYS)))
            frames.append(self._frames(song, start + first, count))
            told.append(self._told(song, start + first, count))
            first += count
        read = [(self._caption(takes[int(rng.integers(len(takes)))], rng, length), 0, length)]
        return Crop(np.concatenate(frames), np.concatenate(told), [takes[0]], read, 0)

    @cached_property
    def _by_seed(self) -> list[list[dict[str, Any]]]:
        seeds: dict[int, list[dict[str, Any]]] = {}
        for song in self.songs:
            seeds.setdefault(song["seed"], []).append(song)
        return list(seeds.values())

    @cached_property
    def _by_style(self) -> dict[str, list[dict[str, Any]]]:
        styles: dict[str, list[dict[str, Any]]] = {}
        for song in self.songs:
            styles.setdefault(song["style"], []).append(song)
        return styles

    def _frames(self, song: dict[str, Any], start: int, count: int) -> NDArray[np.int16]:
        """Codes and score of ``count`` frames, (count, `CODEBOOKS` + `score.FIELDS`)."""
        first = song["first"] + start
        return np.concatenate([self.codes[first : first + count], self.scores[first : first + count]], 1)

    def _told(self, song: dict[str, Any], start: int, count: int) -> Fields:
        """What is known of ``count`` frames, (count, fields)."""
        first = song["first"] + start
        return np.array(self.told[first : first + count])

    def _starts(self, song: dict[str, Any], what: str) -> NDArray[np.int64]:
        """The frames in which a song's beats begin, or its bars."""
        phase = self.told[song["first"] : song["first"] + song["frames"], INPUTS.index(what)]
        return np.flatnonzero(np.diff(phase, prepend=1.0) < 0)

    def _other_caption(self, song: dict[str, Any], way: int, rng: np.random.Generator) -> NDArray[np.float16]:
        """Token states of another song's plain caption, number ``way``, of a song's style."""
        others = self._by_style[song["style"]]
        other = others[int(rng.integers(len(others)))]
        first, count = other["texts"][-captions.PLAIN :][way]
        return self._disturbed((first, count), rng)

    def _caption(self, song: dict[str, Any], rng: np.random.Generator, length: int) -> NDArray[np.float16]:
        """Token states of one of a song's captions; plain ones of short crops all name a tempo or a key."""
        written, plain = song["texts"][: -captions.PLAIN], song["texts"][-captions.PLAIN :]
        plain = plain[captions.TOLD] if length <= SHORT else plain
        choice = plain if rng.random() < PLAIN or not written else written
        return self._disturbed(choice[rng.integers(len(choice))], rng)

    def _disturbed(self, place: Sequence[int], rng: np.random.Generator) -> NDArray[np.float16]:
        """A caption's token states, some of them left out, all a little wrong."""
        first, count = place
        kept = rng.random(count) >= TOKEN_DROPOUT
        states = self.states[first : first + count][kept if kept.any() else slice(None)]
        noisy: NDArray[np.float16] = (states + rng.normal(0, STATE_NOISE, states.shape)).astype(np.float16)
        return noisy


def counted_in(told: Fields, frames: int) -> Fields:
    """What is known of as many frames before a song: its tempo, and where it would have been in beat and bar."""
    before = unknown(frames)
    for name in ("beat", "bar"):
        phase = told[:, INPUTS.index(name)]
        before[:, INPUTS.index(name)] = (phase[0] - (phase[1] - phase[0]) % 1 * np.arange(frames, 0, -1)) % 1
    before[:, INPUTS.index("bpm")] = told[0, INPUTS.index("bpm")]
    return before


def _pad(reads: list[Read], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States (rows, tokens, `text.WIDTH`) and mask (rows, length, tokens) of what each row reads and where."""
    longest = max((sum(len(states) for states, _, _ in row) for row in reads), default=0) or 1
    states = torch.zeros(len(reads), longest, text.WIDTH)
    mask = torch.zeros(len(reads), length, longest, dtype=torch.bool)
    for i, row in enumerate(reads):
        first = 0
        for caption, begin, end in row:
            states[i, first : first + len(caption)] = torch.from_numpy(caption.astype(np.float32))
            mask[i, begin:end, first : first + len(caption)] = True
            first += len(caption)
    return states, mask


def load_corpus(folder: Path, strays: Sequence[stray.Stray] = (), takes: Path | None = None) -> tuple[Corpus, Corpus]:
    """Training and validation songs, of all styles; a song keeps its side however many others are added.

    Songs of `OFTEN` stand among the training songs twice.

    ``strays`` belong to the training songs, and so do takes; strays of styles that no training song has are left out.

    Raises
    ------
    ValueError
        There would be nothing to train on.
    """
    codes, scores, told, states, songs = tokens.load(folder)
    sides: tuple[list[dict[str, Any]], ...] = ([], [])
    for song in songs:
        if song["frames"] > LENGTH:
            kept = song["seed"] // len(STYLES) % VALIDATION_SHARE == 0
            sides[kept].extend([song] * (2 if not kept and song["style"] in OFTEN else 1))
    styles = {song["style"] for song in sides[0]} if strays else set()
    if not sides[0]:
        raise ValueError(f"{folder} has too few songs of more than {LENGTH} frames: render at least {2 * len(STYLES)}.")
    found = [one for one in strays if one.style in styles]
    switched = Corpus(*tokens.load(takes)) if takes else None
    return Corpus(codes, scores, told, states, sides[0], found, switched), Corpus(codes, scores, told, states, sides[1])


# --- training -----------------------------------------------------------------------------------------------------


def optimizers(model: Nano, reader: score.Reader, muon: float, adam: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, heads, norms, the projections and the reader."""
    inner = [p for p in model.decoder.model.decoder.layers.parameters() if p.ndim == 2]
    told = [model.score.weight]
    ids = {id(p) for p in (*inner, *told)}
    outer = [p for p in (*model.parameters(), *reader.parameters()) if id(p) not in ids]
    return [
        Muon(inner, lr=muon, weight_decay=0.1),
        torch.optim.AdamW(outer, lr=adam, betas=(0.9, 0.98), weight_decay=0.01),
        torch.optim.Adam(told, lr=SCORE_RATE, betas=(0.9, 0.98)),
    ]


def initialise(model: Nano, books: NDArray[np.float32]) -> None:
    """Start where learning is quick.

    Residual branches start at zero. Embeddings and heads start as random projections of the codec's codebooks
    (codebooks, 1024, 64), so that codes that sound alike are alike from the first step on; embeddings as loud as the
    positions that are added to them.
    """
    parts: Any = model.decoder
    for table, head, book in zip(parts.model.decoder.embed_tokens, parts.lm_heads, books, strict=True):
        centred = torch.from_numpy(book - book.mean(0))
        projected = centred @ torch.randn(centred.shape[1], table.embedding_dim)
        projected = projected / projected.std()
        nn.init.normal_(table.weight, std=0.4)
        with torch.no_grad():
            table.weight[:CODES].mul_(0.5).add_(0.35 * projected)
            head.weight.copy_(0.02 * projected)
    for layer in parts.model.decoder.layers:
        for matrix in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
            nn.init.zeros_(matrix.weight)


def corrupt(columns: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Replace a share of the codes by random ones; padding stays."""
    chosen = torch.from_numpy(rng.random(columns.shape) < CORRUPTED) & (columns != PAD)
    return torch.where(chosen, torch.from_numpy(rng.integers(CODES, size=columns.shape)), columns)


def train_step(
    model: Nano, reader: score.Reader, batch: Sequence[torch.Tensor], weight: float, before: Nano | None = None
) -> torch.Tensor:
    """Forward and backward on one batch, the score counted by ``weight``; what is missed: each codebook, each field.

    With the weights of ``before``, the rows that are told nothing also learn what those expect there: learning to
    follow a score must not change what nano plays without one.
    """
    columns, targets, scores, told, states, mask = batch
    with loop.mixed(columns.device):
        middle, last = hidden_states(model, columns, states, mask, told)
        logits = [head(last) for head in model.decoder.lm_heads]
        read = reader(middle)
    parts, missed = losses(logits, targets, urgency(told)), score.misses(read, scores)
    weights = parts.new_tensor(CODEBOOK_WEIGHTS)
    loss = parts @ weights / weights.sum() + weight * (missed @ missed.new_tensor(score.WEIGHTS))
    free = ~told.any(-1).any(-1)
    if before is not None and free.any():
        with torch.no_grad(), loop.mixed(columns.device):
            kept = forward(before, columns[free], states[free], mask[free])
        apart = unlike([values[free] for values in logits], kept, targets[free])
        loss = loss + KEPT * free.float().mean() * (apart @ weights / weights.sum())
    torch.autograd.backward(loss)
    return torch.cat([parts, missed]).detach()


@torch.no_grad()
def validate(model: Nano, corpus: Corpus, batches: int = 6) -> dict[str, list[float]]:
    """Cross entropy of each codebook on songs kept apart, with captions, without, and told more; always the same."""
    device = next(model.parameters()).device
    totals = torch.zeros(3, CODEBOOKS)
    for i in range(batches):
        batch = corpus.batch(np.random.default_rng([7, i]), LENGTH, spliced=0.0)
        columns, targets, _, told, states, mask = (x.to(device) for x in batch)
        ways = ((mask, None), (torch.zeros_like(mask), None), (mask, told))
        with loop.mixed(device):
            for row, (shown, known) in enumerate(ways):
                totals[row] += losses(forward(model, columns, states, shown, known), targets).cpu() / batches
    names = ("validation", "validation_null", "validation_told")
    return {name: [round(float(x), 3) for x in row] for name, row in zip(names, totals, strict=True)}


def checkpoint(
    path: Path,
    model: Nano,
    opts: list[torch.optim.Optimizer],
    step: int,
    minutes: float,
    reader: score.Reader | None = None,
) -> None:
    """Save on rank 0; the others hold the same. Without optimizers and reader training can start from it, not go on."""
    if loop.rank() == 0:
        config = model.decoder.config
        shape = {"width": config.hidden_size, "layers": config.num_hidden_layers}
        state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in opts], "shape": shape}
        read = {"reader": reader.state_dict()} if reader else {}
        loop.save(path, {**state, **read, "step": step, "minutes": minutes})


def prepared(corpus: Corpus, seed: int, columns: int, step: int) -> list[torch.Tensor]:
    """What `train_step` trains on at a step: lengths of crops take turns, some of the codes read are wrong."""
    rng = loop.draws(seed, step)
    read, *others = corpus.batch(rng, (LENGTH, SHORT, SHORTEST)[step % 3], columns=columns)
    return [corrupt(read, rng), *others]


def begin(state: Mapping[str, Any], model: Nano, reader: score.Reader) -> None:
    """Take over a checkpoint's weights, and its reader if there is one and it reads the same score."""
    model.load_state_dict(state["model"])
    if "reader" in state and state["reader"]["linear.weight"].shape == reader.linear.weight.shape:
        reader.load_state_dict(state["reader"])


def load_nano(path: Path) -> Nano:
    """The model of a checkpoint, in evaluation mode."""
    state = loop.load(path)
    model = Nano(decoder_config(**state["shape"]))
    model.load_state_dict(state["model"])
    return model.eval()


def train(arguments: argparse.Namespace) -> None:
    """The whole stage, on this worker."""
    torch.manual_seed(arguments.seed)
    device = loop.pick_device()
    path = arguments.out / "model.pt"
    model = Nano(decoder_config(arguments.width, arguments.layers)).train()
    initialise(model, tokens.load_codebooks(arguments.tokens))
    model.to(device)
    reader = score.Reader(arguments.width).to(device)
    opts = optimizers(model, reader, arguments.muon, arguments.adam)
    full = loop.rates(opts)
    step, minutes = 0, 0.0
    if path.exists():
        state = loop.load(path)
        model.load_state_dict(state["model"])
        reader.load_state_dict(state["reader"])
        for optimizer, stored in zip(opts, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        step, minutes = state["step"], state["minutes"]
    elif arguments.start:
        begin(loop.load(arguments.start), model, reader)
    before = load_nano(arguments.keep).to(device) if arguments.keep else None
    strays = stray.load(arguments.stray) if arguments.stray else ()
    corpus, kept = load_corpus(arguments.tokens, strays, arguments.takes)
    log, clock = loop.Log(arguments.out / "log.jsonl"), loop.Clock(arguments.minutes, minutes)
    batches = loop.batches(partial(prepared, corpus, arguments.seed, arguments.columns), step, arguments.helpers)
    saved = since = time.monotonic()
    paused, average = 0.0, torch.zeros(CODEBOOKS + score.FIELDS)
    trained = [*model.parameters(), *reader.parameters()]
    for step, progress in loop.steps(clock, step, arguments.steps):  # noqa: B020
        factor = loop.trapezoid(progress, 0.6) * min(1.0, (step + 1) / 50)
        loop.prepare(opts, full, factor)
        batch = [x.to(device) for x in next(batches)]
        average += train_step(model, reader, batch, SCORE_WEIGHT * factor, before).cpu() / 25
        loop.average_gradients(trained)
        nn.utils.clip_grad_norm_(trained, 1.0)
        for optimizer in opts:
            optimizer.step()
        if step % 25 == 24:
            now = time.monotonic()
            speed = 25 * arguments.columns * loop.workers() / (now - since - paused)
            log(
                step=step,
                minutes=clock.spent(),
                frames_per_second=speed,
                loss=[round(float(x), 3) for x in average[:CODEBOOKS]],
                score=dict(zip(score.NAMES, (round(float(x), 3) for x in average[CODEBOOKS:]), strict=True)),
            )
            since, paused = now, 0.0
            average.zero_()
        now = time.monotonic()
        if loop.agree(now - saved) > 180:
            checkpoint(path, model, opts, step + 1, clock.spent(), reader)
            if loop.rank() == 0:
                log(step=step, minutes=clock.spent(), **validate(model, kept))
            corpus, kept = load_corpus(arguments.tokens, strays, arguments.takes)  # songs may have been added
            more = partial(prepared, corpus, arguments.seed, arguments.columns)
            batches = loop.batches(more, step + 1, arguments.helpers)
            paused += time.monotonic() - now
            saved = time.monotonic()
    checkpoint(path, model, opts, step + 1, clock.spent(), reader)
    log(step=step, minutes=clock.spent(), done=True, **validate(model, kept))


def parser() -> argparse.ArgumentParser:
    """The command line of this stage."""
    parser = loop.options(__doc__, Path("runs/model"), minutes=55)
    parser.add_argument("--tokens", type=Path, default=Path("runs/tokens"), help="what training.tokens wrote")
    parser.add_argument("--start", type=Path, help="a checkpoint whose weights a new run starts from")
    parser.add_argument("--keep", type=Path, help="a checkpoint whose music without a score is to stay as it is")
    parser.add_argument("--stray", type=Path, help="what training.stray wrote")
    parser.add_argument("--takes", type=Path, help="what training.tokens wrote of takes")
    parser.add_argument("--columns", type=int, default=COLUMNS, help="of a step on each worker")
    parser.add_argument("--helpers", type=int, default=0, help="processes that cut out the next crops; 0: none")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--muon", type=float, default=1e-2, help="learning rate of the matrices")
    parser.add_argument("--adam", type=float, default=2e-3, help="learning rate of everything else")
    return parser


def main() -> None:
    """Read the command line and train."""
    arguments = parser().parse_args()
    loop.launch(train, arguments.workers, arguments)


if __name__ == "__main__":
    loop.tune_allocator("training.model")
    main()
