"""How good made music is, in the figures that MusicGen is judged by: chroma, CLAP score, Fréchet audio distance.

The models that two of the figures need are transformers' and torchaudio's; their weights are CLAP's and have to be at
hand. Where they are not, the other figures are still given, and a sentence says what to get.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.errors import UserError
from streamer.sound.files import is_file, is_folder, mixed, seconds_of
from streamer.sound.files import read as read_file

if TYPE_CHECKING:
    import torch

CLAP = "laion/larger_clap_music"
CLAP_SECONDS = 10
"""What CLAP hears at once. Longer music is heard in parts, each once."""
CHROMA_RATE = 32_000  # Hz, as AudioCraft's evaluation has it
ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aif", ".aiff")
FAD, SCORE = "Fréchet audio distance", "CLAP score"
LONGEST = 3600.0
"""Seconds of a file, which is held in memory."""
FEWEST = 2
"""Parts on each side that a distance between distributions needs."""

Mono = NDArray[np.float32]


@dataclass(frozen=True)
class Figures:
    """Of one file; None for what was not asked for or could not be found out.

    Attributes
    ----------
    file
        Its path.
    seconds
        Its length.
    chroma_cosine
        See `Tune`, 0..1.
    clap_score
        Cosine of CLAP's embeddings of sound and prompt, -1..1, the mean over parts.
    """

    file: str
    seconds: float
    chroma_cosine: float | None = None
    clap_score: float | None = None


@dataclass(frozen=True)
class Report:
    """Of all files.

    Attributes
    ----------
    files
        One by one.
    chroma_cosine, clap_score
        Means over the files.
    fad_clap
        Fréchet audio distance of CLAP's embeddings from those of the reference, 0 or more. It is no VGGish distance,
        and not to be held against one.
    parts
        How many of the made music and of the reference it was found from: few make it larger.
    clap
        The weights that were used.
    left_out
        A sentence for everything that was asked for and could not be found out.
    """

    files: list[Figures]
    chroma_cosine: float | None
    clap_score: float | None
    fad_clap: float | None
    parts: tuple[int, int] | None
    clap: str | None
    left_out: list[str]


def evaluate(
    generated: Sequence[Path],
    *,
    melody: Path | None = None,
    prompt: str | None = None,
    reference: Path | None = None,
    clap: str = CLAP,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure sound files.

    Parameters
    ----------
    generated
        Files, and folders of them.
    melody
        A file that they were to follow: asks for the chroma cosine.
    prompt
        What they were made from: asks for the CLAP score.
    reference
        A file or a folder of music such as they should be: asks for the Fréchet audio distance.
    clap
        A folder with a ClapModel as transformers saves it, or a hub id.
    progress
        Told what is being done.

    Raises
    ------
    UserError
        Nothing was asked for, or a file cannot be read.
    """
    if melody is None and prompt is None and reference is None:
        raise UserError("there is nothing to compare with: name a --melody, a --prompt or a --reference")
    made = sound_files(generated)
    wanted = sound_files([reference]) if reference else []
    tune = Tune(melody) if melody else None
    left_out: list[str] = []
    ears = None
    if prompt is not None or wanted:
        progress(f"Loading {clap}")
        ears = _ears(clap, prompt, [SCORE] * (prompt is not None) + [FAD] * bool(wanted), left_out)
    files, heard = [], []
    for path in made:
        progress(f"Listening to {path.name}")
        sound, rate = read(path)
        chroma = tune.likeness(sound, rate) if tune else None
        score = None
        if ears:
            heard.append(ears.hear(sound, rate))
            score = ears.score(heard[-1])
        files.append(Figures(str(path), len(sound) / rate, chroma, score))
    distance, counts = None, None
    if ears and wanted:
        progress(f"Listening to {reference}")
        distance, counts = _distance(heard, [ears.hear(*read(path)) for path in wanted], left_out)
    return Report(
        files,
        _mean(figures.chroma_cosine for figures in files),
        _mean(figures.clap_score for figures in files),
        distance,
        counts,
        clap if ears else None,
        left_out,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return fmean(there) if there else None


# --------------------------------------------------------------------------------------------------------- the files


def sound_files(paths: Sequence[Path]) -> list[Path]:
    """The files among paths, and in those that are folders.

    Raises
    ------
    UserError
        A path is neither, or a folder holds no sound file.
    """
    found = []
    for path in paths:
        if is_folder(path):
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
            if not inside:
                raise UserError(f"the folder {path} holds no sound file: name one with {', '.join(ENDINGS)} files")
            found += inside
        elif is_file(path):
            found.append(path)
        else:
            raise UserError(f"there is no file or folder {path}: name sound files")
    return found


def read(path: Path) -> tuple[Mono, int]:
    """A file's sound, mixed to mono, and its rate.

    Raises
    ------
    UserError
        It is empty, or longer than `LONGEST`; see also `streamer.sound.files.read`.
    """
    length = seconds_of(path)
    if not 0 < length <= LONGEST:
        raise UserError(f"the file {path} is {length:.0f} s long: name one of {LONGEST:g} s or less, and not empty")
    sound, rate = read_file(path, shape=mixed)
    return sound[:, 0], rate


# -------------------------------------------------------------------------------------------------------- the chroma


class Tune:
    """What music was to follow.

    The likeness is AudioCraft's chroma cosine similarity (``metrics/chroma_cosinesim.py``): of each frame, 8 a second,
    only the strongest pitch class counts, so that the mean cosine is the share of frames in which both have the same.
    A tune that is shorter than the music goes round, as it did when the music was made.
    """

    def __init__(self, path: Path) -> None:
        from musicgen.melody import MelodyEncoder  # first: it makes transformers importable beside any torchaudio

        # isort: split
        from transformers import MusicgenMelodyFeatureExtractor

        extractor: Any = MusicgenMelodyFeatureExtractor
        self._encoder = MelodyEncoder(extractor(sampling_rate=CHROMA_RATE, num_chroma=12), None, 1, 12)
        self._chroma = self._encoder.melody(*read(path)).chroma

    def likeness(self, sound: Mono, rate: int) -> float:
        """Of music to the tune, 0..1."""
        import torch

        chroma = torch.from_numpy(self._encoder.melody(sound, rate).chroma)
        wanted = torch.from_numpy(self._chroma)[torch.arange(len(chroma)) % len(self._chroma)]
        return float(torch.cosine_similarity(chroma, wanted, dim=1).mean())


# -------------------------------------------------------------------------------------------------------------- CLAP


class Ears:
    """LAION's CLAP (Wu et al. 2023), by transformers.

    Parameters
    ----------
    folder
        With a ClapModel and its processor.
    prompt
        What music is to be held against.

    Raises
    ------
    UserError
        It holds none that can be used.
    """

    def __init__(self, folder: Path, prompt: str | None) -> None:
        from musicgen.load.with_transformers import (
            quiet,  # first: it makes transformers importable beside any torchaudio
        )

        # isort: split
        from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

        wanted = f"{folder} holds no CLAP that transformers can load: it needs config.json, model.safetensors, "
        wanted += "preprocessor_config.json and tokenizer.json"
        options: dict[str, Any] = {"local_files_only": True}
        model: Any = ClapModel
        try:
            with quiet():
                self._model, report = model.from_pretrained(folder, output_loading_info=True, **options)
                self._extract: Any = ClapFeatureExtractor.from_pretrained(folder, **options)
                tokenize: Any = AutoTokenizer.from_pretrained(folder, **options) if prompt is not None else None
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
            raise UserError(wanted) from error
        if report["missing_keys"] or report["mismatched_keys"]:
            raise UserError(wanted)
        self._model.eval()
        self._prompt = self._embed(prompt, tokenize) if prompt is not None else None

    def _embed(self, prompt: str, tokenize: Any) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            return _features(self._model.get_text_features(**tokenize([prompt], truncation=True, return_tensors="pt")))

    def hear(self, sound: Mono, rate: int) -> torch.Tensor:
        """The embeddings of a sound's parts, (parts, features), each of length 1."""
        import torch

        own = self._extract.sampling_rate
        resampled = soxr.resample(sound, rate, own) if rate != own else sound
        length = CLAP_SECONDS * own
        parts = [resampled[i : i + length] for i in range(0, len(resampled), length)]
        if len(parts) > 1 and len(parts[-1]) < own:
            parts.pop()  # less than a second: CLAP would hear it as a loop
        embedded = []
        with torch.inference_mode():
            for part in parts:
                mel = self._extract(part, sampling_rate=own, return_tensors="pt")["input_features"].float()
                # of a single part that is not longer, the extractor says now and then by chance that it were
                longer = torch.zeros(1, 1, dtype=torch.bool)
                embedded.append(_features(self._model.get_audio_features(input_features=mel, is_longer=longer)))
        return torch.cat(embedded)

    def score(self, parts: torch.Tensor) -> float | None:
        """How well a sound's parts fit the prompt: the mean cosine, -1..1; None without a prompt."""
        return None if self._prompt is None else float((parts @ self._prompt[0]).mean())


def _features(output: Any) -> torch.Tensor:
    """A projection of length 1, which transformers gives by itself or, from 5 on, within more."""
    import torch

    features: torch.Tensor = getattr(output, "pooler_output", output)
    return torch.nn.functional.normalize(features, dim=-1)


def _ears(clap: str, prompt: str | None, figures: Sequence[str], left_out: list[str]) -> Ears | None:
    """CLAP, or a sentence about what is missing, and for which figures."""
    from musicgen import ModelError

    missing = f"{' and '.join(figures)} left out"
    try:
        return Ears(_clap_folder(clap), prompt)
    except ModelError:
        left_out.append(
            f"{missing}: there is no folder '{clap}', nor can it be downloaded. Get {CLAP} from the hub where there is "
            "a network (config.json, model.safetensors, preprocessor_config.json, tokenizer.json), and name its folder "
            "with --clap."
        )
    except UserError as error:
        left_out.append(f"{missing}: {error}.")
    return None


def _clap_folder(clap: str) -> Path:
    from musicgen.load.hub import TRANSFORMERS_FILES, download

    folder = Path(os.path.expanduser(clap))  # noqa: PTH111 (pathlib's raises for the home of nobody)
    if is_folder(folder):
        return folder
    folder = download(clap, TRANSFORMERS_FILES)
    # pickled weights, where there are no others: transformers opens them in torch's restricted way
    return folder if any(folder.glob("*.safetensors")) else download(clap, [*TRANSFORMERS_FILES, "pytorch_model.bin"])


def _distance(
    made: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor], left_out: list[str]
) -> tuple[float | None, tuple[int, int]]:
    """Fréchet distance of two sets of embeddings taken for normal distributions, and how many each has."""
    import torch
    import torchaudio

    moments, counts = [], []
    for parts in (torch.cat(list(made)).double(), torch.cat(list(wanted)).double()):
        counts.append(len(parts))
        if len(parts) >= FEWEST:
            moments += [parts.mean(0), parts.T.cov()]
    if min(counts) < FEWEST:
        left_out.append(
            f"The {FAD} is left out: it needs {FEWEST} parts of {CLAP_SECONDS} s or more on each side, and there are "
            f"{counts[0]} and {counts[1]}."
        )
        return None, (counts[0], counts[1])
    distance = float(torchaudio.functional.frechet_distance(*moments))
    return max(0.0, distance) if math.isfinite(distance) else None, (counts[0], counts[1])
