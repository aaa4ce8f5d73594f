"""Own drum machines: tuned sines, noise and metal, shaped by a table per kit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from training.compose.groove import DRUMS
from training.compose.song import Note

RATE = 32000
Audio = NDArray[np.float32]
Kind = Literal["lowpass", "highpass", "bandpass"]
NAMES = {key: name for name, key in DRUMS.items()}


@dataclass(frozen=True)
class Kit:
    """A drum machine's character.

    Attributes
    ----------
    kick : (float, float, float)
        End pitch Hz, start pitch Hz, decay s.
    snare : (float, float, float)
        Tone Hz, decay s, share of noise 0..1.
    hat : (float, float)
        High-pass Hz, decay s.
    tone : float
        Low-pass of the whole kit, Hz.
    drive : float
        Saturation.
    gate : float
        Seconds of gated reverb on the snare, 0 for none.
    bits : int
        Resolution, 0 for clean.
    """

    kick: tuple[float, float, float]
    snare: tuple[float, float, float]
    hat: tuple[float, float]
    tone: float = 15000.0
    drive: float = 0.5
    gate: float = 0.0
    bits: int = 0


KITS: dict[str, Kit] = {
    "808 kit": Kit((48, 160, 0.45), (185, 0.16, 0.6), (8000, 0.05), 14000, 0.8),
    "909 kit": Kit((52, 260, 0.22), (200, 0.17, 0.65), (7500, 0.06), 15000, 1.2),
    "break kit": Kit((60, 240, 0.15), (230, 0.14, 0.7), (6500, 0.05), 14000, 1.5),
    "lofi kit": Kit((55, 150, 0.22), (180, 0.16, 0.6), (5500, 0.04), 5500, 1.0, bits=8),
    "chip kit": Kit((60, 400, 0.09), (180, 0.1, 0.9), (5000, 0.03), 14000, 2.5, bits=5),
    "80s kit": Kit((55, 220, 0.2), (190, 0.25, 0.65), (7000, 0.05), 14000, 0.8, gate=0.28),
}


def noise(samples: int, key: int) -> NDArray[np.float64]:
    return np.random.default_rng(key).standard_normal(samples)


def band(signal: NDArray[np.float64], kind: Kind, frequency: float | tuple[float, float]) -> NDArray[np.float64]:
    filtered: NDArray[np.float64] = sosfilt(butter(2, frequency, kind, fs=RATE, output="sos"), signal)
    return filtered


def clock(seconds: float) -> NDArray[np.float64]:
    return np.arange(int(seconds * RATE)) / RATE


def swept(low: float, high: float, fall: float, decay: float) -> NDArray[np.float64]:
    """A sine falling from `high` to `low` Hz: kicks and toms."""
    t = clock(5 * decay)
    phase = low * t + (high - low) * fall * (1 - np.exp(-t / fall))
    return np.sin(2 * np.pi * phase) * np.exp(-t / decay)


def kick(kit: Kit) -> NDArray[np.float64]:
    low, high, decay = kit.kick
    body = swept(low, high, 0.025, decay)
    body[:160] += 0.4 * noise(160, 1) * np.exp(-np.arange(160) / 40)
    return body


def snare(kit: Kit) -> NDArray[np.float64]:
    tone, decay, share = kit.snare
    t = clock(max(5 * decay, kit.gate + 0.05))
    hiss = band(noise(len(t), 2), "highpass", 1200.0) * np.exp(-t / decay)
    if kit.gate:
        hiss += 0.5 * band(noise(len(t), 3), "lowpass", 5000.0) * (t < kit.gate)
    body = np.sin(2 * np.pi * tone * t) + 0.6 * np.sin(2 * np.pi * 1.78 * tone * t)
    return (1 - share) * body * np.exp(-t / (0.5 * decay)) * 1.5 + share * 0.6 * hiss


def clap(kit: Kit) -> NDArray[np.float64]:
    t = clock(0.5)
    bursts = sum(np.exp(-np.abs(t - at) / 0.004) * (t >= at) for at in (0.0, 0.011, 0.022))
    return band(noise(len(t), 4), "bandpass", (900.0, 3500.0)) * (bursts + 0.6 * np.exp(-t / 0.09) * (t > 0.022))


def hat(kit: Kit, decay: float) -> NDArray[np.float64]:
    t = clock(6 * decay)
    metal = sum(np.sign(np.sin(2 * np.pi * f * t)) for f in (2051.0, 3042.0, 3697.0, 5404.0, 5227.0, 8008.0))
    mixed = band(0.3 * metal + 0.7 * noise(len(t), 5), "highpass", kit.hat[0])
    return 0.45 * mixed * np.exp(-t / decay)


def click(frequency: float, decay: float) -> NDArray[np.float64]:
    t = clock(6 * decay)
    return (
        0.7 * (np.sin(2 * np.pi * frequency * t) + 0.5 * np.sin(2 * np.pi * 1.48 * frequency * t)) * np.exp(-t / decay)
    )


def shaker(kit: Kit) -> NDArray[np.float64]:
    t = clock(0.15)
    return 0.3 * band(noise(len(t), 6), "bandpass", (5000.0, 11000.0)) * np.minimum(t / 0.02, 1) * np.exp(-t / 0.04)


def raw(kit: Kit, name: str) -> NDArray[np.float64]:
    """Synthesise one drum before the kit's colour."""
    if name in ("snare", "brush"):
        return snare(kit)
    if name.startswith(("tom", "conga", "timpani")):
        low = {"1": 150.0, "2": 115.0, "3": 85.0}.get(name[-1], 90.0)
        return 0.9 * swept(low, 1.6 * low, 0.03, 0.16)
    if name in ("hat", "pedal"):
        return hat(kit, kit.hat[1])
    if name in ("open", "ride", "crash", "tamb"):
        decay, gain = {"open": (0.22, 0.9), "ride": (0.2, 0.45), "crash": (0.6, 0.8), "tamb": (0.08, 0.8)}[name]
        return gain * hat(kit, decay)
    if name == "kick":
        return kick(kit)
    if name == "clap":
        return clap(kit)
    if name == "shaker":
        return shaker(kit)
    return click({"rim": 1700.0, "cowbell": 560.0, "clave": 2500.0}.get(name, 1000.0), 0.025)


@lru_cache(maxsize=128)
def hit(kit_name: str, key: int) -> Audio:
    """Return one drum of a kit at full velocity: float32 ``(samples,)``."""
    kit = KITS[kit_name]
    sound = np.tanh((1 + kit.drive) * raw(kit, NAMES[key])) / np.tanh(1 + kit.drive)
    if kit.tone < 14500:
        sound = band(sound, "lowpass", kit.tone)
    if kit.bits:
        levels = 2 ** (kit.bits - 1)
        sound = np.round(sound * levels) / levels
    sound[-64:] *= np.linspace(1, 0, 64)
    out: Audio = sound.astype(np.float32)
    return out


def play(kit: str, notes: tuple[Note, ...], samples: int) -> Audio:
    """Play a drum track: float32 ``(samples,)``; a closed hat chokes the open one."""
    out = np.zeros(samples, np.float32)
    closing = np.array([n.start for n in notes if n.pitch in (DRUMS["hat"], DRUMS["pedal"])])
    for note in notes:
        start = round(note.start * RATE)
        sound = hit(kit, note.pitch)
        if note.pitch == DRUMS["open"]:
            after = np.searchsorted(closing, note.start + 0.02)
            if after < len(closing):
                sound = sound[: int((closing[after] - note.start) * RATE)]
        sound = sound[: samples - start]
        out[start : start + len(sound)] += sound * np.float32((note.velocity / 127) ** 1.3)
    return out
