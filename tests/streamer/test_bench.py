"""`streamer bench`: every backend of every model asked for, a lead that suffices, and why one is left out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from musicgen import MusicGen
from musicgen.backends import prepare
from musicgen.models.table import RELEASED, Card
from streamer.bench import figures, models
from streamer.bench.streams import Load, places
from streamer.cli import main as cli
from streamer.process.child import BLOCK_SECONDS

FRAME = 0.02
TINY = replace(RELEASED[0], layers=2, hidden=64, positions=400)


@pytest.fixture
def tiny_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """musicgen-small, with two narrow layers."""
    monkeypatch.setattr(models, "RELEASED", (TINY, *RELEASED[1:]))


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> str:
    monkeypatch.setattr(sys, "argv", ["streamer", "bench", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    assert not end.value.code, err
    return out


@pytest.mark.usefixtures("tiny_small")
def test_models_here_and_random_ones_are_measured(
    tiny_model_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (str(tiny_model_dir), "facebook/musicgen-small")
    asked = ("--model", tiny_model_dir, "--model", "small", "--backend", "torch", "--backend", "onnx")
    report = json.loads(run(capsys, monkeypatch, *asked, "--threads", "1", "--seconds", "0", "--json"))
    assert [(row["model"], row["backend"]) for row in report["models"]] == [
        (name, backend) for name in names for backend in ("torch", "onnx")
    ]
    assert report["left_out"] == report["against"] == []
    for row in report["models"]:
        assert row["threads"] == 1
        assert 0 < row["step_ms"] <= row["step_worst_ms"]
        assert row["decode_ms"] > 0
        assert row["rtf"] > 0
        assert (row["lead_ms"] is None) == (row["rtf"] <= 1)


@pytest.mark.usefixtures("tiny_small")
def test_transformers_is_measured_beside(
    tiny_model_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--model", "small", "--model", tiny_model_dir, "--backend", "torch", "--seconds", "0")
    out = run(capsys, monkeypatch, *asked, "--against", "transformers", "--json")
    rows = json.loads(out)["against"]
    assert [row["dtype"] for row in rows] == ["float32", "bfloat16"] * 2
    assert all(row["ratio"] == pytest.approx(row["transformers_ms"] / row["step_ms"], rel=0.05) for row in rows)


@pytest.mark.usefixtures("tiny_small")
def test_the_table_names_what_was_left_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "free_memory", lambda: 4_000_000_000)
    out = run(capsys, monkeypatch, "--model", "small", "--model", "large", "--backend", "torch", "--seconds", "0")
    assert any("musicgen-small" in line and "torch" in line for line in out.splitlines())
    assert "Large on torch was left out: it needs" in out
    assert "4.0 GB are free" in out


@pytest.mark.parametrize("card", RELEASED, ids=lambda card: card.name)
def test_random_weights_have_the_released_shape(card: Card) -> None:
    with torch.device("meta"):
        weights = models.random_decoder(replace(card, positions=4))
    layer = weights.layers[0]
    assert (weights.hidden, weights.codebooks, len(weights.layers)) == (card.hidden, 4 * card.channels, card.layers)
    assert (layer.cross is None) == card.melody
    assert (weights.step_size, weights.heads_size) == (card.step_size, card.heads_size)
    matrices = [layer.qkv, layer.self_out, layer.feed_in, layer.feed_out]
    if layer.cross is not None:
        matrices += [layer.cross.q, layer.cross.kv, layer.cross.out]
    rest = card.decoder - len(weights.layers) * sum(matrix.numel() for matrix in matrices)
    assert 0 < rest - weights.embed.numel() - weights.heads.numel() < 0.01 * card.decoder  # norms and projections


@pytest.mark.usefixtures("tiny_small")
def test_a_stream_stands_where_it_stays_for_ever() -> None:
    source = models.random_checkpoint(TINY)
    stream = figures.begin(MusicGen(source, prepare(source.decoder, "torch", threads=1)))
    state, policy = stream.past.state, stream.model.policy
    live, shadow = (state.positions[lane] for lane in state.lanes)
    assert live - shadow == policy.max_position - policy.keep
    for _ in range(policy.max_position):  # goes on as any stream does, over a change of lanes
        stream.next_frame()
    assert len(state.lanes) == 2


times = st.lists(st.floats(0, 3 * FRAME), min_size=1, max_size=50)


@given(times)
def test_the_safe_lead_suffices_and_no_less_would(taken: list[float]) -> None:
    lead = figures.safe_lead(taken, FRAME)
    if lead is None:
        assert sum(taken) >= FRAME * len(taken)
        return
    assert not breaks_off(taken, lead - BLOCK_SECONDS)
    assert max(taken) < 1e-6 or breaks_off(taken, 0.99 * (lead - BLOCK_SECONDS))


def breaks_off(taken: list[float], lead: float) -> bool:
    """Whether a queue of so many seconds, filled up frame by frame, is ever empty while a frame is made."""
    queued = lead
    for seconds in taken:
        queued -= seconds
        if queued < -1e-9:
            return True
        queued = min(lead, queued + FRAME)
    return False


@given(st.integers(2, 400), st.floats(1e-3, 1.0), st.floats(0, 1), st.floats(0, 20), st.floats(0, 20))
def test_a_measurement_ends_when_it_is_settled_or_out_of_time(
    count: int, step: float, noise: float, elapsed: float, seconds: float
) -> None:
    spread = step * noise
    steps = [step + spread * (-1) ** i for i in range(count)]
    done = figures._suffices(steps, elapsed, seconds)
    if count <= figures.FEWEST:
        assert not done
    elif elapsed >= seconds:
        assert done
    elif done:
        assert count >= figures.WARM + figures.ENOUGH
        assert elapsed >= figures.SETTLED_SECONDS
        assert 2 * noise <= figures.SETTLED + 1e-9


@pytest.mark.usefixtures("tiny_small")
def test_figures_of_few_steps_are_marked(
    tiny_model_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--model", tiny_model_dir, "--backend", "torch", "--seconds")
    out = run(capsys, monkeypatch, *asked, "0")
    assert "ms*" in out
    assert "*: of only" in out
    report = json.loads(run(capsys, monkeypatch, *asked, "0", "--json"))
    assert [row["few"] for row in report["models"]] == [True]
    assert figures.FEWEST <= report["models"][0]["frames"] < figures.ENOUGH


def test_as_many_streams_play_at_a_time_as_take_the_share_that_they_may() -> None:
    assert places([Load(1, 2.0, 3.0, 0.1), Load(2, 3.0, 4.0, 0.15), Load(64, 14.0, 20.0, 0.7)]) == 64
    assert places([Load(1, 2.0, 3.0, 0.1), Load(2, 4.0, 5.0, 0.2), Load(4, 20.0, 30.0, 1.0)]) == 3
    assert places([Load(1, 30.0, 50.0, 1.5)]) == 1
    assert places([Load(8, 14.0, 20.0, 0.70), Load(16, 16.0, 20.0, 0.80)]) == 12
