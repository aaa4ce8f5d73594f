"""The recipe for a GPU: its plan, what it brings back, and, among the heavy tests, all of it at its smallest."""

import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import EncodecModel

from training import codec, gpu, loop, model


def test_every_stage_waits_for_what_it_reads(tmp_path: Path) -> None:
    plan = gpu.stages(gpu.FULL, tmp_path, 16)
    begun: set[str] = set()
    for stage in plan:  # the order in which they are written is one in which they can run
        assert begun.issuperset(stage.after), stage.name
        begun.add(stage.name)
    assert {"codec", "songs", "text"} <= set(next(one for one in plan if one.name == "tokens").after)


def test_the_model_takes_the_time_that_is_left_and_none_that_is_not(tmp_path: Path) -> None:
    plan = {stage.name: stage for stage in gpu.stages(gpu.FULL, tmp_path, 16)}

    def minutes(name: str, left: float) -> float:
        words = gpu.command(plan[name], 25.0, left, None)
        return float(words[words.index("--minutes") + 1])

    assert minutes("model", 16.0) == 16.0 - gpu.RESERVE * 25
    assert minutes("codec", 24.0) == 0.25 * 25
    assert minutes("polish", 5.0) == 5.0 - gpu.RESERVE * 25, "slower stages before it must not cost the end"


def stage(name: str, *words: str, after: tuple[str, ...] = ()) -> gpu.Stage:
    return gpu.Stage(name, "words", words, after)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that are a Python program each."""
    monkeypatch.setattr(gpu, "command", lambda stage, *_: [sys.executable, "-c", *stage.options])


@pytest.mark.usefixtures("plain")
def test_stages_run_beside_each_other_as_soon_as_they_can(tmp_path: Path) -> None:
    meet = (
        "import pathlib, sys, time; me, other = map(pathlib.Path, sys.argv[1:]); me.touch()\n"
        "while not other.exists(): time.sleep(0.01)"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    last = f"import pathlib; assert pathlib.Path({a!r}).exists()"
    gpu.run([stage("a", meet, a, b), stage("b", meet, b, a), stage("last", last, after=("a", "b"))], 1.0, tmp_path)


@pytest.mark.usefixtures("plain")
def test_a_stage_that_fails_ends_the_others_and_says_what_it_said(tmp_path: Path) -> None:
    start = time.monotonic()
    bad = stage("codec", "raise SystemExit('no such song')")
    with pytest.raises(RuntimeError, match=r"(?s)'codec' failed.*no such song"):
        gpu.run([stage("songs", "import time; time.sleep(600)"), bad], 1.0, tmp_path)
    assert time.monotonic() - start < 300


def test_what_comes_back_is_below_60_mb_and_what_was_trained(tmp_path: Path) -> None:
    with torch.device("meta"):
        nano = model.Nano(model.decoder_config(gpu.FULL.width, gpu.FULL.layers))
        player = EncodecModel(codec.codec_config(gpu.FULL.filters))
    generator = torch.Generator().manual_seed(1)
    for part, name in ((nano, "model"), (player, "polish")):
        state = {
            key: torch.randn(value.shape, generator=generator) if value.is_floating_point() else torch.ones(value.shape)
            for key, value in part.state_dict().items()
        }
        facts = {"shape": {"width": gpu.FULL.width, "layers": gpu.FULL.layers}, "filters": gpu.FULL.filters}
        file = "model.pt" if name == "model" else "codec.pt"
        loop.save(tmp_path / name / file, {"model": state, "step": 5, "minutes": 2.0, **facts})
    parts = gpu.pack(tmp_path)
    assert sum(path.stat().st_size for path in parts) < 60e6
    assert max(path.stat().st_size for path in parts) < 16e6 and len(parts) <= 7

    gpu.bring(tmp_path)
    for name, kept in (("model.pt", "model"), ("codec.pt", "polish")):
        before, after = loop.load(tmp_path / kept / name)["model"], loop.load(tmp_path / name)["model"]
        assert before.keys() == after.keys()
        for key, value in before.items():
            assert float((value - after[key]).abs().max()) <= float(value.abs().amax()) / 127 * 0.51 + 1e-3, key
    assert model.load_nano(tmp_path / "model.pt").decoder.config.hidden_size == gpu.FULL.width
    assert codec.load_codec(tmp_path / "codec.pt").config.num_filters == gpu.FULL.filters


def test_a_folder_without_parts_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="name the folder that the parts came to"):
        gpu.bring(tmp_path)


def test_helpers_cut_the_same_crops_as_the_trainer_itself() -> None:
    for helpers in (0, 2):
        made = islice(loop.batches(lambda step: torch.tensor([step, step**2]), 4, helpers), 3)
        assert [batch.tolist() for batch in made] == [[4, 16], [5, 25], [6, 36]]


@pytest.mark.heavy
def test_the_whole_recipe_runs_at_its_smallest(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "training.gpu", "--tiny", "--minutes", "30", "--cores", "2", "--out", str(tmp_path)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=1500)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    subprocess.run([sys.executable, "-m", "training.gpu", "--bring", str(tmp_path)], check=True)
    assert loop.load(tmp_path / "model.pt")["step"] == 2
