"""What passes on sound and figures goes on, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("fastapi", reason="install the extra serve")

from musicgen import MusicGen
from streamer.serve import house as housing
from streamer.serve.house import House
from streamer.serve.keys import for_anybody
from streamer.serve.outputs import Outputs
from streamer.serve.stage import Stage


def test_an_encoder_that_cannot_be_ended_stops_nothing_and_is_told_of_once(
    nano: MusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()
    monkeypatch.setattr(housing, "mention", told.append)
    monkeypatch.setattr(housing, "SWEEP_SECONDS", 0.001)
    outputs, rounds = Outputs(), list[float]()

    def sweep() -> None:
        rounds.append(time.monotonic())
        raise OSError("no such folder")

    monkeypatch.setattr(outputs, "sweep", sweep)
    stage = Stage(nano, 1, for_anybody())

    async def story() -> None:
        running = asyncio.create_task(House(stage, outputs).run())
        while len(rounds) < 4:
            assert not running.done()
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(story())
    stage.close()
    outputs.close()
    assert len(told) == 1 and "no such folder" in told[0]
