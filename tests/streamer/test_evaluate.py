"""Figures of made music: what a musician would say of the chroma, what transformers and scipy say of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from streamer import UserError
from streamer.offline.evaluate import Report, evaluate
from tests.streamer.test_cli import Run, run  # noqa: F401  (a fixture)
from tests.streamer.tiny_clap import tiny_clap

RATE = 32_000
TUNE = (60, 64, 67, 72, 71, 67, 62, 65)  # MIDI notes


def hertz(note: float) -> float:
    return 440.0 * 2 ** ((note - 69) / 12)


def play(notes: tuple[int, ...], rate: int = RATE, each: float = 1.0, overtones: int = 1) -> NDArray[np.float64]:
    time = np.arange(round(each * rate)) / rate
    tones = [sum(np.sin(2 * np.pi * n * hertz(note) * time) / n**2 for n in range(1, overtones + 1)) for note in notes]
    return 0.2 * np.concatenate(tones)


def write(path: Path, sound: NDArray[Any], rate: int = RATE) -> Path:
    soundfile.write(path, sound, rate, "FLOAT")
    return path


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clap(tmp_path_factory.mktemp("clap"))


# -------------------------------------------------------------------------------------------------------- the chroma


def chroma_of(made: NDArray[Any], tune: NDArray[Any], folder: Path, rate: int = RATE) -> float:
    report = evaluate([write(folder / "made.wav", made, rate)], melody=write(folder / "tune.wav", tune))
    assert report.chroma_cosine is not None
    assert report.chroma_cosine == report.files[0].chroma_cosine
    assert report.left_out == []
    return report.chroma_cosine


def test_the_tune_itself_is_like_the_tune(tmp_path: Path) -> None:
    assert chroma_of(play(TUNE), play(TUNE), tmp_path) == pytest.approx(1.0)


def test_octave_instrument_level_rate_and_channels_do_not_matter(tmp_path: Path) -> None:
    other = 0.3 * play(tuple(note - 12 for note in TUNE), rate=44_100, overtones=4)
    assert chroma_of(np.stack([other, 0.5 * other], 1), play(TUNE), tmp_path, 44_100) > 0.85


def test_another_tune_is_not_like_it(tmp_path: Path) -> None:
    assert chroma_of(play(tuple(note + 6 for note in TUNE)), play(TUNE), tmp_path) < 0.15


def test_half_of_the_tune_is_half_like_it(tmp_path: Path) -> None:
    wrong = tuple(note + 6 if i % 2 else note for i, note in enumerate(TUNE))
    assert chroma_of(play(wrong), play(TUNE), tmp_path) == pytest.approx(0.5, abs=0.1)


def test_a_tune_goes_round_as_it_does_when_it_is_followed(tmp_path: Path) -> None:
    tune = play(TUNE[:4], each=1.024)  # 4.096 s are 32 frames of chroma
    assert chroma_of(np.tile(tune, 3), tune, tmp_path) > 0.85
    assert chroma_of(tune[:RATE], tune, tmp_path) > 0.85


def chords(seed: int, seconds: float) -> NDArray[np.float64]:
    """A plucked note with overtones every half second, over a little noise; the same everywhere."""
    random, sound = np.random.RandomState(seed), np.zeros(round(seconds * RATE))
    for start in range(0, len(sound), RATE // 2):
        note = sound[start : start + 24_000]
        time = np.arange(len(note)) / RATE
        pitch = 110 * 2 ** (random.randint(36) / 12)
        note += sum(np.sin(2 * np.pi * pitch * n * time) / n for n in (1, 2, 3)) * np.exp(-3 * time)
    return 0.1 * sound + 0.002 * random.standard_normal(len(sound))


@pytest.mark.parametrize(("seconds", "golden"), [(8.0, 0.5556), (13.37, 0.5048), (45.3, 0.5537)])
def test_the_figure_is_audiocrafts(tmp_path: Path, seconds: float, golden: float) -> None:
    """Golden: the mean cosine of ``ChromaExtractor(32000, radix2_exp=14, argmax=True)`` of AudioCraft 1.3.0, over the
    frames that its ``ChromaCosineSimilarityMetric`` counts, with librosa's filters."""
    tune, made = chords(1, seconds), chords(2, seconds)
    made[: len(made) // 2] = tune[: len(made) // 2]
    assert chroma_of(made, tune, tmp_path) == pytest.approx(golden, abs=0.02)


# -------------------------------------------------------------------------------------------------------------- CLAP


def embeddings(clap: Path, sound: NDArray[Any], prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """As transformers' processor and model give them for one part."""
    from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

    extractor: Any = ClapFeatureExtractor.from_pretrained(clap)
    model: Any = ClapModel.from_pretrained(clap)
    resampled = soxr.resample(sound.astype(np.float32), RATE, 48_000)
    mel = extractor(resampled, sampling_rate=48_000, return_tensors="pt")
    words = AutoTokenizer.from_pretrained(clap)([prompt], return_tensors="pt")
    with torch.no_grad():
        outputs = model.eval()(input_features=mel["input_features"].float(), **words)
    return outputs.audio_embeds[0], outputs.text_embeds[0]


def test_the_clap_score_is_transformers_cosine(clap: Path, tmp_path: Path) -> None:
    sound = play(TUNE)
    report = evaluate([write(tmp_path / "a.wav", sound)], prompt="calm piano", clap=str(clap))
    audio, text = embeddings(clap, sound, "calm piano")
    assert report.clap_score == pytest.approx(float(audio @ text), abs=1e-4)
    assert report.clap == str(clap)


def test_long_music_is_heard_in_parts_of_ten_seconds(clap: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 10 * RATE)
    sound = np.concatenate([play(TUNE, each=1.25), noise, play(TUNE[:1], each=0.5)])
    report = evaluate([write(tmp_path / "a.wav", sound)], prompt="deep house", clap=str(clap))
    scores = [
        float(np.dot(*(e.numpy() for e in embeddings(clap, sound[part], "deep house"))))
        for part in (slice(0, 10 * RATE), slice(10 * RATE, 20 * RATE))
    ]  # the half second at the end is too little to be judged by
    assert report.clap_score == pytest.approx(np.mean(scores), abs=2e-3)


def test_a_clap_that_fuses_says_the_same_every_time(tmp_path: Path) -> None:
    fusing, file = tiny_clap(tmp_path / "clap", fusion=True), write(tmp_path / "a.wav", play(TUNE))
    scores = {evaluate([file], prompt="rain", clap=str(fusing)).clap_score for _ in range(2)}
    assert len(scores) == 1


def noises(folder: Path, count: int, low: float, seed: int) -> Path:
    """Clips of noise, the darker the lower."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for i in range(count):
        noise = np.convolve(random.uniform(-0.5, 0.5, 2 * RATE), np.ones(round(random.uniform(1, 1 + low))), "same")
        write(folder / f"{i}.wav", 0.2 * noise / np.abs(noise).max())
    return folder


def test_the_frechet_distance_is_that_of_normal_distributions(clap: Path, tmp_path: Path) -> None:
    made, wanted = noises(tmp_path / "made", 12, 4, 1), noises(tmp_path / "wanted", 10, 20, 2)
    report = evaluate([made], reference=wanted, clap=str(clap))
    assert report.parts == (12, 10)
    sets = [
        np.stack([embeddings(clap, soundfile.read(file)[0], "rain")[0].numpy() for file in sorted(folder.iterdir())])
        for folder in (made, wanted)
    ]
    (m, s), (n, t) = ((each.mean(0), np.cov(each.T.astype(np.float64))) for each in sets)
    expected = np.sum((m - n) ** 2) + np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
    assert expected > 2e-5
    assert report.fad_clap == pytest.approx(expected, rel=0.01)


def test_a_set_is_nearest_to_itself(clap: Path, tmp_path: Path) -> None:
    made, wanted = noises(tmp_path / "made", 8, 4, 1), noises(tmp_path / "wanted", 8, 20, 2)
    same, other = (evaluate([made], reference=folder, clap=str(clap)).fad_clap for folder in (made, wanted))
    assert same == pytest.approx(0.0, abs=1e-6)
    assert other is not None and other > 2e-5


# ------------------------------------------------------------------------------------------------ what is left out


def check_only_chroma(report: Report, *words: str) -> None:
    assert (report.clap_score, report.fad_clap, report.clap) == (None, None, None)
    assert report.chroma_cosine == pytest.approx(1.0)
    [sentence] = report.left_out
    for word in (*words, "CLAP score and Fréchet audio distance left out"):
        assert word in sentence


def test_without_weights_the_other_figures_are_given_and_it_is_said_what_to_get(tmp_path: Path) -> None:
    file = write(tmp_path / "a.wav", play(TUNE))
    report = evaluate([file], melody=file, prompt="rain", reference=file)
    check_only_chroma(report, "laion/larger_clap_music", "--clap", "model.safetensors")


@pytest.mark.parametrize("missing", ["model.safetensors", "preprocessor_config.json", "tokenizer.json", "weights"])
def test_a_folder_that_is_incomplete_is_named(clap: Path, tmp_path: Path, missing: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "clap"
    folder.mkdir()
    for file in clap.iterdir():
        if file.name != missing:
            (folder / file.name).write_bytes(file.read_bytes())
    if missing == "weights":  # what a model that is loaded all the same would make up
        weights = load_file(folder / "model.safetensors")
        weights.pop("audio_projection.linear1.weight")
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    file = write(tmp_path / "a.wav", play(TUNE))
    check_only_chroma(evaluate([file], melody=file, prompt="rain", reference=file, clap=str(folder)), str(folder))


def test_too_few_parts_for_a_distance(clap: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a.wav", play(TUNE))
    report = evaluate([file], reference=file, clap=str(clap))
    assert report.fad_clap is None
    assert "1 and 1" in report.left_out[0]


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.wav", play(TUNE[:1]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.wav").write_text("no sound")
    write(tmp_path / "nothing.wav", np.zeros(0))
    for generated, options, word in (
        (file, {}, "--melody"),
        (tmp_path / "none.wav", {"melody": file}, "none.wav"),
        (tmp_path / "empty", {"melody": file}, "holds no sound file"),
        (tmp_path / "text.wav", {"melody": file}, "cannot be read as sound"),
        (file, {"melody": tmp_path / "nothing.wav"}, "empty"),
    ):
        given: dict[str, Any] = options
        with pytest.raises(UserError, match=word):
            evaluate([generated], **given)


# -------------------------------------------------------------------------------------------------- the command line


def test_the_command_prints_a_table_or_json(run: Run, clap: Path, tmp_path: Path) -> None:  # noqa: F811
    made = noises(tmp_path / "made", 3, 4, 1)
    tune = write(tmp_path / "tune.wav", play(TUNE))
    arguments = ("evaluate", made, "--melody", tune, "--prompt", "rain", "--reference", made, "--clap", clap)
    code, out, err = run(*arguments)
    assert code == 0, err
    assert "Fréchet audio distance (CLAP): 0.000, of 3 parts from 3." in out
    assert "mean" in out
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert len(report["files"]) == 3
    assert report["clap_score"] == pytest.approx(np.mean([file["clap_score"] for file in report["files"]]))
    assert report["left_out"] == []


def test_the_command_says_what_is_missing_and_ends_well(run: Run, tmp_path: Path) -> None:  # noqa: F811
    tune = write(tmp_path / "tune.wav", play(TUNE))
    code, out, err = run("evaluate", tune, "--melody", tune, "--prompt", "rain")
    assert code == 0, err
    assert "1.000" in out
    assert "CLAP score left out" in out
    code, _, err = run("evaluate", tune)
    assert code == 2
    assert "--melody" in err
