"""JACK's dummy driver with nothing behind it, and what a client of its own hears there, and when.

Packages jackd2 and libportaudio2, pip JACK-Client.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.audio.devices import Device, choose, devices

AROUND_SECONDS = 0.25

Mono = NDArray[np.float32]


def start_jack(rate: int, period: int) -> Device:
    """A JACK server of its own, without hardware; synchronous, so that it loses nothing itself. Returns its output.

    It ends after PortAudio, whose exit handler comes later than this: PortAudio does not survive its server.
    """
    name = f"benchmark{os.getpid()}"
    os.environ.update(JACK_NO_AUDIO_RESERVATION="1", JACK_NO_START_SERVER="1", JACK_DEFAULT_SERVER=name)
    command = f"jackd -n {name} -R -P70 -S -d dummy -r {rate} -p {period} -C 2 -P 2".split()
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)
    atexit.register(server.terminate)
    subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], check=True, stdout=quiet)
    return choose(devices())


class JackTape:
    """What another client of JACK's hears of the first of its players, and when."""

    def __init__(self) -> None:
        import jack

        self._client = jack.Client("tape")
        self._blocks: list[Mono] = []
        self._times: list[float] = []
        self._rate, self._period = int(self._client.samplerate), int(self._client.blocksize)
        port = self._client.inports.register("in")
        self._client.set_process_callback(lambda frames: self._record(port))
        self._client.activate()
        playing = next(p for p in self._client.get_ports(is_audio=True, is_output=True) if "tape" not in p.name
                       and "system" not in p.name)  # fmt: skip
        self._client.connect(playing, port)

    def _record(self, port: Any) -> None:
        self._times.append(time.monotonic())
        self._blocks.append(np.frombuffer(port.get_buffer(), np.float32).copy())

    def close(self) -> None:
        """Record no more, and find out when each block began.

        JACK's clock is steady and its callbacks are not; but on a busy machine it waits for its clients, and what comes
        then comes later. So the middle of the blocks around each of them tells.
        """
        self._client.deactivate()
        self._client.close()
        steady = np.arange(len(self._times)) * self._period / self._rate
        around = round(AROUND_SECONDS * self._rate / self._period)
        apart = np.pad(np.array(self._times) - steady, around, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(apart, 2 * around + 1)
        self._began: NDArray[np.float64] = steady + np.median(windows, axis=1)

    def audio(self) -> Mono:
        """Everything."""
        return np.concatenate(self._blocks)

    def sample_at(self, moment: float) -> int:
        """The sample that is played at a moment."""
        block = max(0, int(np.searchsorted(self._began, moment, side="right")) - 1)
        return block * self._period + round((moment - float(self._began[block])) * self._rate)

    def time_of(self, sample: int) -> float:
        """When a sample is played."""
        block = sample // self._period
        return float(self._began[block]) + (sample - block * self._period) / self._rate
