"""One function a part of the report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from musicgen.codec import ExactDecoder
from training import judge
from training.codec import CODES, RATE
from training.compose.arrange import STYLES
from training.compose.families import FAMILIES
from training.evaluate import energy, figures, following, grid, material, moving, opus, turns
from training.evaluate.live import rendered
from training.evaluate.material import NO_PULSE, Audio, Wanted
from training.evaluate.playing import Codes
from training.evaluate.studio import CLIP, FRAMES, WINDOW, Studio
from training.losses import si_sdr, spectral_losses
from training.model import load_corpus, load_nano, validate

SILENCE = -50.0  # LUFS
SILENT_FOR = 1.5  # seconds
FROZEN_FOR = 8.0  # seconds
FROZEN_SHARE = 0.9  # of all codebooks' tokens that are the same a fixed time before
UNSEEN_SECONDS = 8.0
ANSWER_WITHIN = 4.0  # seconds from a prompt's change
CHANGE_AT = 10.0  # seconds
CALL_STEP = 0.5  # seconds between the windows in which a change is looked for
ENDLESS_STYLES = 12
LIVE_SEED = 80_000
HEARD = 0.8  # balanced accuracy on decoded renders that a probe needs to be asked about what nano plays


def share(hits: Sequence[bool] | NDArray[np.bool_] | torch.Tensor) -> float:
    """Of hits that are True."""
    return float(np.mean(np.asarray(hits, np.float64)))


# --- the codec ----------------------------------------------------------------------------------------------------


def distances(output: Sequence[Audio], original: Sequence[Audio]) -> dict[str, float]:
    """Log-mel L1, multi-resolution STFT distance and SI-SDR, averaged over clips."""
    totals = np.zeros(3)
    for one, other in zip(output, original, strict=True):
        a, b = torch.from_numpy(one)[None], torch.from_numpy(other)[None]
        parts = spectral_losses(a, b, RATE)
        totals += [float(parts["mel"]), float(parts["stft"]), float(si_sdr(a, b))]
    return dict(zip(("log_mel_l1", "mr_stft", "si_sdr_db"), (totals / len(original)).tolist(), strict=True))


def decode_cost(studio: Studio, codes: Codes) -> float:
    """Share of a core that decoding takes in chunks of 5 frames while playing: the least of three rounds."""
    costs = []
    for _ in range(3):
        decoder = ExactDecoder(studio.weights)
        start = time.process_time()
        for first in range(0, codes.shape[1], 5):
            decoder.decode(codes[:, first : first + 5].astype(np.int64))
        costs.append((time.process_time() - start) / (codes.shape[1] / FRAMES))
    return float(min(costs))


def codec(studio: Studio) -> dict[str, Any]:
    """Distances from held-out renders, beside Opus at three times the rate; codes in use; what decoding costs."""
    originals = [piece.audio for piece in studio.held]
    codes = np.concatenate(studio.held_codes, 1)
    report: dict[str, Any] = {"nano": distances(studio.decoded, originals), "clips": len(originals)}
    report["opus_6kbps"] = (
        distances([opus.through_opus(clip) for clip in originals], originals) if opus.installed() else opus.MISSING
    )
    report["codes_used_held_out"] = [len(np.unique(book)) / CODES for book in codes]
    report["decode_share_of_a_core"] = decode_cost(studio, studio.held_codes[0])
    return report


def sound_figures(studio: Studio) -> dict[str, Any]:
    """What a spectrogram tells, see `training.evaluate.figures`: of renders, decoded renders and live music."""
    styles = [piece.facts["style"] for piece in studio.held]
    renders = figures.by_style([piece.audio for piece in studio.held], styles)
    # Styles that no held-out song has could not be compared.
    asked = [style for style in STYLES if style in renders]
    played = rendered(studio.model, [f"give me {style}" for style in asked], CLIP, LIVE_SEED)
    groups = {
        "renders": renders,
        "decoded_renders": figures.by_style(studio.decoded, styles),
        "nano": figures.by_style(played, asked),
    }
    report: dict[str, Any] = {name: figures.report(heard, renders) for name, heard in groups.items()}
    return {**report, "clips": {"renders": len(styles), "nano": len(played)}}


# --- clips: style, tempo, likeness, loudness ----------------------------------------------------------------------


def recognised(ranks: torch.Tensor, styles: Sequence[Sequence[str]]) -> dict[str, float]:
    """Rates at which one of the right styles comes first, and among the first three."""
    right = [[STYLES[i] in fitting for i in row] for row, fitting in zip(ranks.tolist(), styles, strict=True)]
    return {"top1": share([row[0] for row in right]), "top3": share([any(row[:3]) for row in right])}


def by_style(hits: Sequence[bool], styles: Sequence[str]) -> dict[str, float]:
    """Share of hits in each style that occurs."""
    return {s: share([hit for hit, own in zip(hits, styles, strict=True) if own == s]) for s in sorted({*styles})}


def style(studio: Studio) -> dict[str, Any]:
    """How often the prompted style is the one that is heard."""
    wanted, played = tempo_clips(studio)
    truth = [(piece.facts["style"],) for piece in studio.held]
    ranks = studio.rank_styles(played)
    return {
        "renders": recognised(studio.rank_styles([piece.audio for piece in studio.held]), truth),
        "decoded_renders": recognised(studio.rank_styles(studio.decoded), truth),
        "nano": recognised(ranks, [w.styles for w in wanted]),
        "nano_by_style": by_style(
            [STYLES[row[0]] in w.styles for row, w in zip(ranks.tolist(), wanted, strict=True)],
            [w.styles[0] for w in wanted],
        ),
        "chance": 1 / len(STYLES),
        "clips": {"nano": len(played), "renders": len(truth)},
    }


def tempo_clips(studio: Studio) -> tuple[list[Wanted], list[Audio]]:
    """The clips that style, tempo, likeness and loudness are measured on."""
    wanted = material.tempo_prompts(studio.arguments.clips_per_style, studio.arguments.seed + 2)
    return wanted, studio.clips(wanted, CLIP, 10_000)


def tempo(studio: Studio) -> dict[str, Any]:
    """How often the estimated tempo is the prompted one, beside what chance and the style alone would give."""
    pairs = [(w, clip) for w, clip in zip(*tempo_clips(studio), strict=True) if w.bpm is not None]
    bpms, styles = [float(w.bpm or 0) for w, _ in pairs], [w.styles[0] for w, _ in pairs]
    estimates = [judge.tempo_of(clip) for _, clip in pairs]
    hits = np.array([[judge.same_tempo(estimate, bpm) for bpm in bpms] for estimate in estimates])
    kin = np.array([[a == b for b in styles] for a in styles])
    others = ~np.eye(len(bpms), dtype=bool)
    pulsed = [i for i, piece in enumerate(studio.held) if piece.facts["style"] not in NO_PULSE]
    report: dict[str, Any] = {
        "nano": share(hits.diagonal()),
        "nano_against_other_prompts": share(hits[others]),
        "nano_against_other_prompts_of_the_style": share(hits[others & kin]) if (others & kin).any() else None,
        "nano_by_style": by_style(hits.diagonal().tolist(), styles),
        "pulse": {"nano": float(np.mean([judge.pulse(clip) for _, clip in pairs]))},
        "left_out": list(NO_PULSE),
    }
    for name, clips in (("renders", [piece.audio for piece in studio.held]), ("decoded_renders", studio.decoded)):
        found = [judge.same_tempo(judge.tempo_of(clips[i]), studio.held[i].facts["bpm"]) for i in pulsed]
        report[name] = share(found)
        report[f"{name}_by_style"] = by_style(found, [studio.held[i].facts["style"] for i in pulsed])
        report["pulse"][name] = float(np.mean([judge.pulse(clips[i]) for i in pulsed]))
    return report


@torch.no_grad()
def likeness(studio: Studio) -> dict[str, Any]:
    """Frechet distances on the style network's last hidden layer, between sets of one size.

    ``joint`` is the distance of (sound, style asked for) pairs (DeVries et al. 2019, "Frechet joint distance"): plain
    distances do not change when prompts change places, joint ones do.
    """
    wanted, played = tempo_clips(studio)
    truth, asked = [piece.style for piece in studio.held], [STYLES.index(w.styles[0]) for w in wanted]
    each = min(min(truth.count(style) // 2, asked.count(style)) for style in range(len(STYLES)))
    if not each:
        return {"absent": "there are fewer than two held-out songs, or no prompt, of some style"}
    # Sets of the same styles, equally often: else their mixture would count, and not their sound.
    first, second = places(truth, 0, each), places(truth, each, 2 * each)
    chosen = places(asked, 0, each)
    styles = torch.tensor([truth[i] for i in first])

    def embed(clips: Sequence[Audio], which: Sequence[int]) -> torch.Tensor:
        return studio.jury.style.embed(torch.stack([judge.features(clips[i]) for i in which]))

    renders = [piece.audio for piece in studio.held]
    real, other = embed(renders, first), embed(renders, second)
    decoded, nano = embed(studio.decoded, second), embed(played, chosen)
    loud = float(real.norm(dim=1).mean())

    def joint(sounds: torch.Tensor, asked_for: torch.Tensor) -> float:
        pairs = [(real, styles), (sounds, asked_for)]
        named = [torch.cat([x, loud * F.one_hot(y, len(STYLES))], 1) for x, y in pairs]
        return judge.frechet(*named)

    shuffled = torch.from_numpy(np.random.default_rng(studio.arguments.seed).permutation(styles.numpy()))
    return {
        "two_halves_of_renders": judge.frechet(real, other),
        "decoded_renders": judge.frechet(real, decoded),
        "nano": judge.frechet(real, nano),
        "joint_two_halves_of_renders": joint(other, styles),
        "joint_decoded_renders": joint(decoded, styles),
        "joint_nano": joint(nano, styles),
        "joint_nano_prompts_shuffled": joint(nano, shuffled),
        "clips_a_set": len(styles),
    }


def places(styles: Sequence[int], begin: int, end: int) -> list[int]:
    """Where each style occurs, from its ``begin``-th time up to its ``end``-th; style by style."""
    return [i for style in range(len(STYLES)) for i in [j for j, s in enumerate(styles) if s == style][begin:end]]


def loudness(studio: Studio) -> dict[str, Any]:
    """Median loudness in LUFS, share of near-silent pieces, largest sample."""
    meter = pyloudnorm.Meter(RATE)
    report = {}
    sets = {"renders": [piece.audio for piece in studio.held], "decoded_renders": studio.decoded}
    for name, clips in {**sets, "nano": tempo_clips(studio)[1]}.items():
        report[name] = {
            "median_lufs": float(np.median([meter.integrated_loudness(clip.astype(np.float64)) for clip in clips])),
            "silent": share([silent for clip in clips for silent in silences(clip)]),
            "peak": max(float(np.abs(clip).max()) for clip in clips),
        }
    return report


def silences(audio: Audio) -> list[bool]:
    """For each piece of `SILENT_FOR` seconds, half overlapping, whether it is near silent."""
    meter = pyloudnorm.Meter(RATE)
    size = int(SILENT_FOR * RATE)
    starts = range(0, len(audio) - size + 1, size // 2)
    return [meter.integrated_loudness(audio[i : i + size].astype(np.float64)) < SILENCE for i in starts]


# --- instruments and key ------------------------------------------------------------------------------------------


def balanced(heard: NDArray[np.bool_], there: NDArray[np.bool_]) -> float | None:
    """Mean of the rates at which presence and absence are told; None where one of them does not occur."""
    if there.all() or not there.any():
        return None
    return (share(heard[there]) + share(~heard[~there])) / 2


@torch.no_grad()
def instruments(studio: Studio) -> dict[str, Any]:
    """Presence of each instrument where a line-up is prompted, by the probes that hear it in decoded renders."""
    facts = [piece.facts for piece in studio.held]
    wanted = material.lineup_prompts(facts, studio.arguments.lineups, studio.arguments.seed + 3)
    played = studio.clips(wanted, CLIP, 20_000)
    truths = {
        "renders": ([piece.audio for piece in studio.held], [piece.sounding for piece in studio.held]),
        "decoded_renders": (studio.decoded, [piece.sounding for piece in studio.held]),
        "nano": (played, [list(w.lineup) for w in wanted]),
    }
    probes: dict[str, dict[str, Any]] = {name: {} for name in FAMILIES}
    for group, (clips, there) in truths.items():
        heard = (studio.jury.instruments(torch.stack([judge.features(clip) for clip in clips])) > 0).numpy()
        truth = np.array(there)
        for i, probe in enumerate(probes.values()):
            probe[group] = balanced(heard[:, i], truth[:, i])
            probe[f"{group}_with"] = int(truth[:, i].sum())
    asked = [n for n, p in probes.items() if (p["decoded_renders"] or 0) >= HEARD and p["nano"] is not None]
    return {
        "probes": probes,
        "asked": asked,
        **{group: float(np.mean([probes[n][group] for n in asked])) if asked else None for group in truths},
        "clips": len(wanted),
    }


@torch.no_grad()
def key(studio: Studio) -> dict[str, Any]:
    """How often the prompted tonic and mode are the likeliest of 24 keys; held-out songs in major and minor beside."""
    wanted = material.key_prompts(studio.arguments.keys, studio.arguments.seed + 4)
    played = studio.clips(wanted, CLIP, 30_000)
    tonal = [i for i, piece in enumerate(studio.held) if piece.key is not None]

    def found(clips: Sequence[Audio]) -> list[int]:
        scores = studio.jury.key(torch.stack([judge.chroma(clip) for clip in clips]))
        return [int(x) for x in scores.argmax(1)]

    truth = [studio.held[i].key or 0 for i in tonal]
    groups = {
        "renders": (found([studio.held[i].audio for i in tonal]), truth),
        "decoded_renders": (found([studio.decoded[i] for i in tonal]), truth),
        "nano": (found(played), [w.key or 0 for w in wanted]),
    }
    report: dict[str, Any] = {"chance": 1 / 24, "clips": {"nano": len(wanted), "renders": len(tonal)}}
    for name, (heard, asked) in groups.items():
        report[name] = share([a == b for a, b in zip(heard, asked, strict=True)])
        report[f"{name}_or_relative"] = share([a in (b, relative(b)) for a, b in zip(heard, asked, strict=True)])
    return report


def relative(key: int) -> int:
    """The minor key with a major key's notes, or the other way round: progressions often leave open which it is."""
    return 12 + (key + 9) % 12 if key < 12 else (key + 3) % 12


# --- words that nobody trained ------------------------------------------------------------------------------------


def unseen(studio: Studio) -> dict[str, Any]:
    """How often a style that fits a freely written prompt is heard; beside it, against the other prompts' styles."""
    wanted = material.unseen_prompts(studio.arguments.unseen)
    ranks = studio.rank_styles(studio.clips(wanted, UNSEEN_SECONDS, 40_000))
    styles = [w.styles for w in wanted]
    shifts = [recognised(ranks, styles[i:] + styles[:i])["top3"] for i in range(1, len(styles))]
    missed = [
        w.prompt
        for row, w in zip(ranks.tolist(), wanted, strict=True)
        if not {STYLES[i] for i in row[:3]} & {*w.styles}
    ]
    return {"nano": recognised(ranks, styles), "top3_against_other_prompts": float(np.mean(shifts)),
            "prompts": len(wanted), "missed": missed}  # fmt: skip


# --- changes while playing ----------------------------------------------------------------------------------------


def answers(studio: Studio, clips: Sequence[Audio], styles: Sequence[int]) -> dict[str, Any]:
    """When the new style is heard after `CHANGE_AT`.

    A change has been answered where the window of `WINDOW` seconds that begins there is recognised as the new style,
    and the one a second later too; windows begin every `CALL_STEP`.

    Returns
    -------
    dict
        ``within``: share of clips in which this is so by `ANSWER_WITHIN`. ``after_seconds``: median, of those that are.
        ``curve``: share of windows that are recognised, by when they begin.
    """
    starts = np.arange(0, ANSWER_WITHIN + 1 + CALL_STEP / 2, CALL_STEP)
    windows = [
        clip[round((CHANGE_AT + start) * RATE) : round((CHANGE_AT + start + WINDOW) * RATE)]
        for clip in clips
        for start in starts
    ]
    first = studio.rank_styles(windows)[:, 0].numpy().reshape(len(clips), len(starts))
    hits = first == np.asarray(styles)[:, None]
    ahead = round(1 / CALL_STEP)
    settled = hits[:, :-ahead] & hits[:, ahead:]
    when = [float(starts[row.argmax()]) for row in settled if row.any()]
    return {
        "within": share(settled.any(1)),
        "after_seconds": float(np.median(when)) if when else None,
        "curve": dict(zip([f"{start:g}" for start in starts], hits.mean(0).tolist(), strict=True)),
    }


def switch(studio: Studio) -> dict[str, Any]:
    """Streams whose prompt changes; beside them renders that are cut from one style to another, and ones that go on."""
    pairs = material.changes(studio.arguments.switches, studio.arguments.seed + 5)
    end = CHANGE_AT + ANSWER_WITHIN + 1 + WINDOW
    takes = [
        studio.take([(0, a), (round(CHANGE_AT * FRAMES), b)], round(end * FRAMES), 50_000 + i)
        for i, (a, b) in enumerate(pairs)
    ]
    before, after = ([STYLES.index(w.styles[0]) for w in side] for side in zip(*pairs, strict=True))
    played = [studio.sound(codes) for codes in studio.play(takes)]
    longer = max(CHANGE_AT, end - CHANGE_AT)
    songs = material.excerpts(studio.arguments.held_out, studio.arguments.held_out_songs, 1, (longer, longer), 6)
    cut, rest = round(CHANGE_AT * RATE), round((end - CHANGE_AT) * RATE)
    kept, spliced, truth = [], [], []
    for i, piece in enumerate(songs):
        other = songs[(i + 7) % len(songs)]
        if other.style != piece.style:
            kept.append(piece)
            spliced.append(np.concatenate([other.audio[:cut], piece.audio[:rest]]))
            truth.append(other.style)
    decoded = [studio.sound(codes) for codes in studio.encode(spliced)]
    return {
        "nano": answers(studio, played, after),
        "nano_not_asked_to_change": answers(studio, played, [(style + 1) % len(STYLES) for style in after]),
        "nano_old_style_still_heard": answers(studio, played, before)["curve"],
        "decoded_renders_cut": answers(studio, decoded, [piece.style for piece in kept]),
        "changes": len(pairs),
    }


# --- without end --------------------------------------------------------------------------------------------------


def longest_run(flags: Sequence[bool]) -> int:
    """Length of the longest row of True."""
    longest = now = 0
    for flag in flags:
        now = now + 1 if flag else 0
        longest = max(longest, now)
    return longest


def longest_silence(audio: Audio) -> float:
    """Seconds, in steps of half of `SILENT_FOR`; 0 where no piece of that length is near silent."""
    pieces = longest_run(silences(audio))
    return (pieces + 1) / 2 * SILENT_FOR if pieces else 0.0  # they overlap by half


def repetition(codes: Codes) -> float:
    """The highest share of tokens, over `FROZEN_FOR` seconds and all codebooks, that are those of a fixed time before.

    Lags go from one frame to as many seconds. Music that loops on the frame grid repeats too, but neither renders nor a
    model that samples repeat all codebooks exactly: what does has frozen.
    """
    span = round(FROZEN_FOR * FRAMES)
    highest = 0.0
    for lag in range(1, min(span, codes.shape[1] - span) + 1):
        same = np.cumsum(np.r_[0.0, (codes[:, lag:] == codes[:, :-lag]).mean(0)])
        highest = max(highest, float((same[span:] - same[:-span]).max()) / span)
    return highest


def endless(studio: Studio) -> dict[str, Any]:
    """Long streams: silences, frozen loops, and the style by the minute."""
    minutes = studio.arguments.endless_minutes
    names = [STYLES[i] for i in np.random.default_rng(7).permutation(len(STYLES))[:ENDLESS_STYLES]]
    wanted = [Wanted(f"give me {name}", (name,)) for name in names]
    takes = [studio.take([(0, one)], round(minutes * 60 * FRAMES), 60_000 + i) for i, one in enumerate(wanted)]
    streams: dict[str, dict[str, Any]] = {}
    for name, codes in zip(names, studio.play(takes), strict=True):
        audio = studio.sound(codes)
        size = int(CLIP * RATE)
        windows = [audio[i : i + size] for i in range(0, len(audio) - size + 1, size)]
        first = studio.rank_styles(windows)[:, 0].numpy() == STYLES.index(name)
        a_minute = round(60 / CLIP)
        streams[name] = {
            "longest_silence_s": longest_silence(audio),
            "most_repeated": repetition(codes),
            "style_by_minute": [share(first[i : i + a_minute]) for i in range(0, len(first), a_minute)],
        }
    rates = [stream["style_by_minute"] for stream in streams.values()]
    alive = [s["longest_silence_s"] <= SILENT_FOR and s["most_repeated"] <= FROZEN_SHARE for s in streams.values()]
    return {
        "minutes": minutes,
        "streams": len(streams),
        "without_silence_or_frozen_loop": sum(alive),
        "style_first_minute": float(np.mean([rate[0] for rate in rates])),
        "style_last_minute": float(np.mean([rate[-1] for rate in rates])),
        "most_repeated_in_renders": max(repetition(codes) for codes in long_render_codes(studio)),
        "by_stream": streams,
    }


def long_render_codes(studio: Studio) -> list[Codes]:
    """Tokens of up to a dozen held-out songs, longer than twice `FROZEN_FOR`."""
    pieces = material.excerpts(studio.arguments.held_out, 60, 1, (24.0, 24.0), 8)
    whole = [piece.audio for piece in pieces if len(piece.audio) > 2 * FROZEN_FOR * RATE]
    return studio.encode(whole[:12])


# --- prediction ---------------------------------------------------------------------------------------------------


def cross_entropy(studio: Studio) -> dict[str, Any]:
    """Of the language model, on songs kept apart while it trained; of the checkpoint that was exported."""
    checkpoint: Path = studio.arguments.checkpoint
    if not checkpoint.exists():
        return {"absent": f"there is no {checkpoint}"}
    _, kept = load_corpus(studio.arguments.tokens)
    return dict(validate(load_nano(checkpoint), kept))


PARTS = {
    "codec": codec,
    "sound": sound_figures,
    "style": style,
    "tempo": tempo,
    "likeness": likeness,
    "loudness": loudness,
    "instruments": instruments,
    "key": key,
    "unseen": unseen,
    "switch": switch,
    "endless": endless,
    "cross_entropy": cross_entropy,
    "score": following.score,
    "moving": moving.moving,
    "turns": turns.turns,
    "energy": energy.energy,
    "together": moving.together,
    "grid": grid.grid,
}
LONG = ("endless", "together", "grid")
"""Parts that play for hours: only when they are asked for."""
