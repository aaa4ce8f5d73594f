"""The measures themselves: each tells good from bad where the answer is known."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from rich.progress import Progress

from musicgen import MusicGen  # before transformers

# isort: split
from transformers import EncodecModel

from training import captions, card, codec, export, model
from training.codec import RATE
from training.compose import STYLES, compose
from training.compose.arrange import TABLE
from training.compose.families import FAMILIES
from training.evaluate import __main__ as command
from training.evaluate import material, measures, opus, playing
from training.evaluate.playing import Take
from training.scenes import SCENES

# --- prompts ------------------------------------------------------------------------------------------------------


def phrases(text: str, words: int) -> set[tuple[str, ...]]:
    spelled = re.findall(r"[a-z0-9'&-]+", text.lower())
    return {tuple(spelled[i : i + words]) for i in range(len(spelled) - words + 1)}


def test_unseen_prompts_are_200_and_no_caption_has_their_phrases() -> None:
    wanted = material.unseen_prompts(200)
    assert len({w.prompt for w in wanted}) == 200
    assert all(1 <= len(w.styles) <= 3 and {*w.styles} <= {*STYLES} for w in wanted)
    assert {style for w in wanted for style in w.styles} == {*STYLES}
    trained = [*(scene for scenes in SCENES.values() for scene in scenes), *captions.TEMPLATES]
    known = set().union(*(phrases(text, 4) for text in trained))
    assert not [w.prompt for w in wanted if phrases(w.prompt, 4) & known]


def test_fewer_unseen_prompts_still_ask_for_most_styles() -> None:
    asked = {style for w in material.unseen_prompts(32) for style in w.styles}
    assert len(asked) > 12


def test_tempo_prompts_name_any_tempo_of_the_style() -> None:
    wanted = material.tempo_prompts(20, seed=0)
    for w in wanted:
        low, high = TABLE[w.styles[0]].bpm
        assert (w.bpm is None) == (w.styles[0] in material.NO_PULSE)
        assert w.bpm is None or (low <= w.bpm <= high and str(w.bpm) in w.prompt)


def test_key_prompts_keep_to_the_modes_of_the_style() -> None:
    wanted = material.key_prompts(48, seed=0)
    assert {w.key % 12 for w in wanted if w.key is not None} == {*range(12)}
    for w in wanted:
        assert w.key is not None
        assert ("minor" if w.key >= 12 else "major") in TABLE[w.styles[0]].modes


def test_lineup_prompts_name_every_instrument_and_say_no_drums() -> None:
    songs = [compose(seed, 20.0) for seed in range(64)]
    facts = [{"style": s.style, "instruments": list(s.instruments), "drums": s.has_drums} for s in songs]
    wanted = material.lineup_prompts(facts, 24, seed=0)
    assert len({w.prompt for w in wanted}) == 24
    for w in wanted:
        drums = dict(zip(FAMILIES, w.lineup, strict=True))["drums"]
        assert ("no drums" in w.prompt) != drums


def test_truth_of_an_excerpt_is_what_sounds_in_it(tmp_path: Path) -> None:
    song = compose(0, 24.0)
    write_song(tmp_path, 0)
    (piece,) = material.excerpts(tmp_path, 1, 1, (10.0, 10.0), seed=0)
    assert len(piece.audio) == 10 * RATE
    heard = dict(zip(FAMILIES, piece.sounding, strict=True))
    words = {word for name, there in heard.items() if there for word in FAMILIES[name]}
    assert any(heard.values())
    assert all(set(FAMILIES[name]) & {*song.instruments} for name, there in heard.items() if there), words
    assert not any(material.sounding(song, 100.0, 10.0))


def test_songs_of_another_composer_are_refused(tmp_path: Path) -> None:
    write_song(tmp_path, 0)
    facts = json.loads((tmp_path / "0000000.json").read_text())
    (tmp_path / "0000000.json").write_text(json.dumps({**facts, "bpm": 61.5}))
    with pytest.raises(ValueError, match="present composer"):
        material.excerpts(tmp_path, 1, 1, (10.0, 10.0), seed=0)


def write_song(folder: Path, seed: int) -> None:
    """A song's facts as they are, with noise for its sound."""
    song = compose(seed, 24.0)
    facts = {"seed": seed, "seconds": 24.0, "style": song.style, "bpm": song.bpm, "tonic": song.tonic}
    facts |= {"mode": song.mode, "instruments": list(song.instruments), "drums": song.has_drums}
    noise = np.random.default_rng(seed).integers(-8000, 8000, 24 * RATE, dtype=np.int16)
    np.save(folder / f"{seed:07d}.npy", noise)
    (folder / f"{seed:07d}.json").write_text(json.dumps(facts))


# --- takes --------------------------------------------------------------------------------------------------------


def test_a_take_is_a_stream_whose_prompt_changes_where_its_script_says(tiny_model: MusicGen) -> None:
    takes = [Take(((0, "calm"), (6, "storm")), 12, 3), Take(((0, "calm"),), 9, 3)]
    with Progress(disable=True) as progress:
        changed, kept = playing.play_together(tiny_model, takes, progress)
    stream = tiny_model.stream("calm", seed=3)
    frames = []
    for frame in range(12):
        if frame == 6:
            stream.set_prompt("storm")
        frames.append(stream.next_frame())
    assert np.array_equal(changed, np.stack(frames, 1))
    assert np.array_equal(kept[:, :6], changed[:, :6])
    assert kept.shape == (tiny_model.codebooks, 9)


def test_what_was_played_before_is_not_played_again(
    tiny_model: MusicGen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes = [Take(((0, "calm"),), 4, seed) for seed in range(3)]
    playing.play(tiny_model, takes[:2], tmp_path, 2)
    played: list[Take] = []
    original = playing.play_together

    def listen(model: MusicGen, group: list[Take], progress: Progress) -> list[playing.Codes]:
        played.extend(group)
        return original(model, group, progress)

    monkeypatch.setattr(playing, "play_together", listen)
    assert len(playing.play(tiny_model, takes, tmp_path, 2)) == 3
    assert played == takes[2:]


# --- measures -----------------------------------------------------------------------------------------------------


def test_a_loop_is_frozen_and_changing_tokens_are_not() -> None:
    rng = np.random.default_rng(0)
    moving = rng.integers(0, 1024, (4, 1000)).astype(np.int16)
    stuck = np.tile(moving[:, :75], 14)[:, :1000]
    half = np.concatenate([moving[:2], stuck[:2]])
    assert measures.repetition(stuck) == 1
    assert measures.repetition(np.concatenate([moving, stuck], 1)) == 1
    assert measures.repetition(moving) < 0.1
    assert measures.repetition(half) < measures.FROZEN_SHARE


def test_silence_is_found_where_it_is() -> None:
    audio = np.random.default_rng(0).standard_normal(12 * RATE).astype(np.float32) * 0.1
    assert measures.longest_silence(audio) == 0
    audio[4 * RATE : 8 * RATE] = 0
    assert 3 <= measures.longest_silence(audio) <= 4
    assert measures.longest_run([True, False, True, True, False]) == 2


def test_styles_are_recognised_by_rank() -> None:
    ranks = torch.tensor([[2, 1, 0, 3], [0, 1, 2, 3]])
    rates = measures.recognised(ranks, [(STYLES[2],), (STYLES[1], STYLES[3])])
    assert rates == {"top1": 0.5, "top3": 1.0}


def test_a_change_is_answered_when_the_new_style_has_come_to_stay() -> None:
    windows = 11  # a clip, half a second apart
    at_once, at_two_seconds, only_once, never = (np.zeros(windows, int) for _ in range(4))
    at_once[:] = 1
    at_two_seconds[4:] = 1
    only_once[3] = 1
    heard = torch.from_numpy(np.concatenate([at_once, at_two_seconds, only_once, never]))[:, None]
    listener: Any = SimpleNamespace(rank_styles=lambda clips: heard)
    silence = np.zeros(20 * RATE, np.float32)
    report = measures.answers(listener, [silence] * 4, [1] * 4)
    assert report["within"] == 0.5
    assert report["after_seconds"] == 1.0  # the median of 0 and 2
    assert report["curve"]["1.5"] == 0.5


def test_relative_keys_have_the_same_notes() -> None:
    assert measures.relative(material.key_number(0, "major")) == material.key_number(9, "minor")
    assert all(measures.relative(measures.relative(key)) == key for key in range(24))


def test_balanced_accuracy_is_half_for_one_who_always_says_yes() -> None:
    there = np.array([True, False, False, False])
    assert measures.balanced(np.ones(4, bool), there) == 0.5
    assert measures.balanced(there, there) == 1
    assert measures.balanced(there, np.ones(4, bool)) is None


def test_opus_keeps_length_and_place() -> None:
    if not opus.installed():
        pytest.skip(opus.MISSING)
    t = np.arange(2 * RATE) / RATE
    audio = (0.3 * np.sin(2 * np.pi * 440 * t) * (1 + np.sin(2 * np.pi * 3 * t)) / 2).astype(np.float32)
    decoded = opus.through_opus(audio)
    assert decoded.shape == audio.shape
    assert np.corrcoef(decoded, audio)[0, 1] > 0.9


def test_alignment_undoes_a_delay() -> None:
    noise = np.random.default_rng(0).standard_normal(20000).astype(np.float32)
    for lag in (-7, 0, 312):
        assert np.corrcoef(opus.align(np.roll(noise, lag), noise), noise)[0, 1] > 0.99


# --- the command --------------------------------------------------------------------------------------------------


def test_every_part_goes_into_one_report_and_onto_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    folders = {name: tmp_path / name for name in ("songs", "held-out", "nano", "out", "checkpoints")}
    folders["songs"].mkdir()
    folders["held-out"].mkdir()
    monkeypatch.setattr(material, "STYLES", STYLES[:3])
    for seed in (0, 1, 2, 16, 17, 18):
        write_song(folders["songs"], seed)
        write_song(folders["held-out"], 1_600_000 + seed)
    audio = EncodecModel(codec.codec_config(4))
    for book in codec.codebooks(audio):
        book.embed.normal_()
    codec.checkpoint(folders["checkpoints"] / "codec.pt", audio, [], 1, 0.0)
    model.checkpoint(folders["checkpoints"] / "model.pt", model.Nano(model.decoder_config(64, 1)), [], 1, 0.0)
    paths = (folders["checkpoints"] / name for name in ("codec.pt", "model.pt"))
    export.export(next(paths), None, next(paths), Path("none"), folders["nano"])
    monkeypatch.setattr(measures, "ENDLESS_STYLES", 1)

    def run(*more: str) -> dict[str, object]:
        options = ["--model", folders["nano"], "--data", folders["songs"], "--held-out", folders["held-out"]]
        options += ["--out", folders["out"], "--checkpoint", "none", "--clips-per-style", "1", "--lineups", "2"]
        options += ["--keys", "2", "--unseen", "2", "--switches", "2", "--endless-minutes", "0.34", *more]
        monkeypatch.setattr("sys.argv", ["evaluate", *map(str, options)])
        command.main()
        report: dict[str, object] = json.loads((folders["out"] / "metrics.json").read_text())
        return report

    report = run("--only", ",".join(measures.PARTS))
    assert {*report} == {"fingerprint", "backend", *measures.PARTS}
    written = (folders["nano"] / "README.md").read_text()
    for said in (
        "tempo as prompted",
        "style recognised",
        "Opus",
        "in the last minute",
        "Frechet distance",
        "of free wording",
        "comb at multiples of 50 Hz",
    ):
        assert said in written
    again = run("--only", "key")
    assert again == report
    assert not re.search(r"\bnan\b|None", written)
    capsys.readouterr()


def test_figures_of_other_weights_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"fingerprint": "old", "key": {"nano": 1.0}}))
    assert command.read_report(path, "new") == {"fingerprint": "new"}
    assert command.read_report(path, "old")["key"] == {"nano": 1.0}


def test_a_part_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="no part tmepo"):
        command.chosen("tmepo,key")


def test_a_card_without_figures_says_so(tmp_path: Path) -> None:
    card.write_card(tmp_path / "none.json", tmp_path)
    assert "Not measured yet." in (tmp_path / "README.md").read_text()
