"""MultiBand Diffusion: AudioCraft's numbers, its file read safely, and music of any length."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from musicgen import ModelError, MusicGen
from musicgen.codec import open_decoder
from musicgen.diffusion import MultiBandDiffusion, process
from musicgen.diffusion.bands import EQUALISER_BANDS, equalise, lowpass_filters, split_bands
from musicgen.diffusion.file import find_file, read_bands
from musicgen.diffusion.process import Band, Schedule, in_windows
from tests.musicgen.diffusion_files import FRAMES, HOP, KINDS, RATE, noise_of, numbers, package, write
from tests.musicgen.tiny import tiny_checkpoint

GOLDEN = json.loads((Path(__file__).parent / "diffusion_golden.json").read_text())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MusicGen:
    """A small one whose codec has the shape of the released one."""
    return MusicGen.load(str(released_codec(tmp_path_factory.mktemp("model"))), backend="torch")


def released_codec(folder: Path, **changes: Any) -> Path:
    return tiny_checkpoint(folder, vocab=2048, latent=128, layers=1, **changes)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("networks") / "mbd_musicgen_32khz.th")


@pytest.fixture(scope="module")
def bands(file: Path, model: MusicGen) -> list[Band]:
    return read_bands(file, model.codec)


def picked(sound: torch.Tensor) -> torch.Tensor:
    flat = sound.flatten()
    return flat[:: len(flat) // 24][:24]


def agrees(sound: torch.Tensor, golden: list[float]) -> None:
    """To 1e-5 of the largest sample: both sides compute in float32."""
    expected = torch.tensor(golden)
    assert expected.std() > 0.1
    assert (picked(sound) - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


# ------------------------------------------------------------------------------------------------ AudioCraft's numbers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [999, 49])
def test_a_network_finds_the_noise_that_audiocrafts_finds(bands: list[Band], kind: str, step: int) -> None:
    latents, sound = numbers(1, 1, 128, FRAMES), numbers(2, FRAMES * HOP)
    found = bands[KINDS.index(kind)].network(sound[None, None], step, latents)
    agrees(found, GOLDEN[kind]["noise"][str(step)])


@torch.inference_mode()
def test_noise_becomes_the_sound_that_audiocraft_makes_of_it(bands: list[Band]) -> None:
    latents, samples = numbers(1, 1, 128, FRAMES), FRAMES * HOP
    total = torch.zeros(samples)
    for index, kind in enumerate(KINDS):
        sound = bands[index].generate(latents, noise_of(index, samples), lambda: None)
        agrees(sound, GOLDEN[kind]["sound"])
        total += sound
    agrees(equalise(total, numbers(2, samples), RATE), GOLDEN["equalised"])


def test_betas_follow_the_power_law_and_every_fiftieth_step_is_taken() -> None:
    schedule = Schedule.powers(1e-5, 2.9e-2, 7.5, 1000)
    betas = np.linspace(1e-5 ** (1 / 7.5), 2.9e-2 ** (1 / 7.5), 1000) ** 7.5
    np.testing.assert_allclose(schedule.kept, np.cumprod(1 - betas), rtol=2e-5)
    assert schedule.steps == (*range(999, 0, -50), 0)


def test_who_knows_the_noise_gets_the_sound_back() -> None:
    """With the exact noise for an estimate, every step keeps the sound and changes only how much noise is on it."""
    schedule = Schedule.powers(1e-5, 2.9e-2, 7.5, 1000, clip=0.0)
    sound = 0.5 * numbers(3, 4000)

    def true_noise(noisy: torch.Tensor, step: int) -> torch.Tensor:
        kept = schedule.kept[step]
        return (noisy - kept.sqrt() * sound) / (1 - kept).sqrt()

    made = schedule.reverse(noise_of(4, 4000), true_noise)
    assert (made / schedule.kept[0].sqrt() - sound).abs().max() < 0.02  # the last step ends at step 0's own noise


# --------------------------------------------------------------------------------------------------------- the bands


@given(st.integers(1, 9000), st.sampled_from([2, 4, 32]), st.integers(0, 99))
def test_bands_sum_to_the_sound(samples: int, count: int, seed: int) -> None:
    sound = numbers(seed, samples)
    parts = list(split_bands(sound, lowpass_filters(count, RATE)))
    assert len(parts) == count
    assert all(part.shape == sound.shape for part in parts)
    assert (torch.stack(parts).sum(0) - sound).abs().max() < 1e-5


def test_a_tone_is_in_the_band_of_its_pitch() -> None:
    time = torch.arange(RATE) / RATE
    for hertz, band in ((100, 0), (1500, 1), (4000, 2), (10_000, 3)):  # edges of 4 bands: 690, 2061, 4783 Hz .. in mel
        powers = [
            float(part.var()) for part in split_bands(torch.sin(2 * np.pi * hertz * time), lowpass_filters(4, RATE))
        ]
        assert int(np.argmax(powers)) == band
        assert powers[band] > 0.9 * sum(powers)


def test_an_equalised_sound_has_the_strength_of_the_reference_in_every_band() -> None:
    noise = numbers(6, RATE)
    sound, reference = numbers(5, RATE), noise + 0.8 * noise.roll(1)  # highs are 19 dB below the lows
    strengths = [
        [float(band.std()) for band in split_bands(each, lowpass_filters(EQUALISER_BANDS, RATE))]
        for each in (equalise(sound, reference, RATE), reference, sound)
    ]
    np.testing.assert_allclose(strengths[0], strengths[1], rtol=0.1)  # neighbours reach into each other
    assert np.abs(np.array(strengths[2]) / strengths[1] - 1).max() > 0.7
    assert equalise(torch.zeros(RATE), reference, RATE).abs().max() == 0


# ------------------------------------------------------------------------------------------------------ whole pieces


def codes(model: MusicGen, frames: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 2048, (model.codebooks, frames))


def test_a_piece_is_its_bands_equalised_to_the_codecs_decode(model: MusicGen, bands: list[Band], file: Path) -> None:
    frames, told = codes(model, 7), []
    made = MultiBandDiffusion.load(file, model).decode(frames, 3, lambda done, total: told.append((done, total)))
    assert made.shape == (7 * HOP, 1)
    assert made.dtype == np.float32
    assert told == [(i + 1, 80) for i in range(80)]

    plain = open_decoder(model.codec)
    reference = torch.from_numpy(np.concatenate([plain.decode(frames), plain.flush()])[:, 0])
    table = model.codec.table.view(4, 2048, 128)
    latents = torch.stack([table[k][torch.from_numpy(frames[k])] for k in range(4)]).sum(0).T[None]
    torch.manual_seed(3)
    with torch.inference_mode():
        parts = [band.generate(latents, lambda: torch.randn(7 * HOP), lambda: None) for band in bands]
        expected = equalise(sum(parts, torch.zeros(7 * HOP)), reference, RATE)
    np.testing.assert_allclose(made[:, 0], expected, atol=1e-6)


def test_a_long_piece_is_equalised_to_the_whole_decode(model: MusicGen) -> None:
    frames, whole = codes(model, 120), open_decoder(model.codec)
    expected = np.concatenate([whole.decode(frames), whole.flush()])
    np.testing.assert_allclose(MultiBandDiffusion([], model.codec)._plain(frames), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_samples(model: MusicGen, file: Path) -> None:
    decoder, frames = MultiBandDiffusion.load(file, model), codes(model, 4)
    first, again, other = (decoder.decode(frames, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first - decoder.decode(codes(model, 4, seed=1), 1)).max() > 1e-3


def test_nothing_is_decoded_to_nothing(model: MusicGen, file: Path) -> None:
    assert MultiBandDiffusion.load(file, model).decode(codes(model, 0), 1).shape == (0, 1)


@pytest.mark.parametrize("frames", [1, 29, 30, 31, 58, 100])
def test_long_music_goes_through_windows_without_a_seam(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network says of every sample by itself comes out unchanged, and no window is longer than the longest."""
    monkeypatch.setattr(process, "LONGEST", 30)
    monkeypatch.setattr(process, "OVERLAP", 4)
    sound, latents = numbers(1, frames * HOP), numbers(2, 1, 3, frames)
    seen = []

    def look(part: torch.Tensor, leading: torch.Tensor) -> torch.Tensor:
        seen.append(leading.shape[-1])
        return part * leading[0, 0].repeat_interleave(HOP)

    found = in_windows(look, sound, latents)
    assert (found - look(sound, latents)).abs().max() < 1e-5
    assert max(seen[:-1]) <= 30


# --------------------------------------------------------------------------------------------- what is refused, and why


def refusal(source: Path | str, model: MusicGen) -> str:
    with pytest.raises(ModelError) as caught:
        MultiBandDiffusion.load(source, model)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_stereo_is_refused(file: Path, tmp_path: Path) -> None:
    stereo = MusicGen.load(str(released_codec(tmp_path / "stereo", channels=2)), backend="torch")
    assert "is stereo" in refusal(file, stereo)


def test_models_with_another_codec_are_refused(file: Path, tiny_model: MusicGen, tmp_path: Path) -> None:
    assert "a codec of its own" in refusal(file, MusicGen.load("nano", backend="torch"))
    assert "a codec of its own" in refusal(file, tiny_model)
    causal = MusicGen.load(str(released_codec(tmp_path / "causal", causal_codec=True)), backend="torch")
    assert "a codec of its own" in refusal(file, causal)


def test_weights_that_are_not_here_are_refused_with_where_to_get_them(model: MusicGen, tmp_path: Path) -> None:
    for source in ("facebook/multiband-diffusion", str(tmp_path), str(tmp_path / "none.th")):
        sentence = refusal(source, model)
        assert "facebook/multiband-diffusion" in sentence
        assert "mbd_musicgen_32khz.th" in sentence


def test_a_folder_with_the_released_file_is_enough(file: Path) -> None:
    assert find_file(file.parent) == file == find_file(str(file))


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("where", ["top", "configuration", "state"])
def test_a_malicious_file_is_refused_and_runs_nothing(model: MusicGen, tmp_path: Path, where: str) -> None:
    content, bad = package(), Malicious(tmp_path / "ran")
    if where == "top":
        content["more"] = bad
    elif where == "state":
        content[0]["model_state"]["embedding.weight"] = bad
    else:
        content[0]["cfg"] = OmegaConf.create({"bad": bad}, flags={"allow_objects": True})
    assert "could run code" in refusal(write(tmp_path / "bad.th", content), model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("plain", ["dict", "yaml links"])
def test_a_configuration_may_be_plain_or_linked(model: MusicGen, bands: list[Band], tmp_path: Path, plain: str) -> None:
    content = package()
    for index in range(4):
        config = OmegaConf.to_container(content[index]["cfg"])
        assert isinstance(config, dict)
        if plain != "dict":
            config["steps"] = 1000
            config["schedule"]["num_steps"] = "${steps}"
            config = OmegaConf.create(config)
        content[index]["cfg"] = config
    read = read_bands(write(tmp_path / "plain.th", content), model.codec)
    for own, theirs in zip(read, bands, strict=True):
        assert torch.equal(own.schedule.kept, theirs.schedule.kept)
        assert all(
            torch.equal(a, b) for a, b in zip(own.network.parameters(), theirs.network.parameters(), strict=True)
        )


@pytest.mark.parametrize(("clip", "limit"), [("left out", 5.0), (None, 0.0), (False, 0.0), (3, 3.0)])
def test_no_clipping_is_not_the_usual_clipping(model: MusicGen, tmp_path: Path, clip: Any, limit: float) -> None:
    content = package(("lstm",))
    content[0]["cfg"].schedule.clip = clip
    if clip == "left out":
        del content[0]["cfg"].schedule.clip
    [band] = read_bands(write(tmp_path / "clip.th", content), model.codec)
    assert band.schedule.clip == limit


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("channels", 2, "channels"),
        ("diffusion_unet.bilstm", False, "bilstm"),
        ("diffusion_unet.hidden", "wide", "diffusion_unet.hidden"),
        ("diffusion_unet.hidden", 12, "do not fit"),
        ("diffusion_unet.codec_dim", 64, "do not fit"),
        ("diffusion_unet.activation", "GELU", "activation"),
        ("schedule.repartition", "cosine", "repartition"),
        ("schedule.n_bands", 4, "n_bands"),
        ("processor.n_bands", 8, "n_bands"),
    ],
)
def test_what_the_networks_here_have_not_is_refused(
    model: MusicGen, tmp_path: Path, path: str, value: Any, reason: str
) -> None:
    content = package(("transformer", "lstm"))
    OmegaConf.update(content[1]["cfg"], path, value)
    assert reason in refusal(write(tmp_path / "other.th", content), model)


@pytest.mark.parametrize("change", ["rate", "band", "weight", "counted", "latents"])
def test_a_file_that_does_not_fit_is_refused(model: MusicGen, tmp_path: Path, change: str) -> None:
    content = package(latent=64) if change == "latents" else package()
    if change == "rate":
        content["sample_rate"] = 24_000
    elif change == "band":
        del content[3]
    elif change == "weight":
        del content[1]["model_state"]["embedding.weight"]
    elif change == "counted":
        del content[1]["processor_state"]["sum_x"]
    sentence = refusal(write(tmp_path / "unfit.th", content), model)
    assert "unfit.th" in sentence


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"no checkpoint"])
def test_a_damaged_file_is_refused(model: MusicGen, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.th").write_bytes(content)
    assert "bad.th" in refusal(tmp_path / "bad.th", model)
