"""Own synthesisers for electronic styles: band-limited wavetables, enveloped and filtered per note.

A wavetable's harmonics are weighted by the filter's response at the note's own pitch, so nothing aliases and
resonance costs nothing; a filter sweep is a cross-fade between three such tables (dark, middle, bright).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.compose.song import Note

RATE = 32000
TABLE = 4096
Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """A synthesiser's settings.

    Attributes
    ----------
    wave : str
        saw, square, pulse (25 %), thin (12.5 %), triangle, sine or fm.
    detune : tuple of float
        Cents of each oscillator.
    cutoff : (float, float)
        Low-pass cutoff in Hz at rest and fully open.
    resonance : float
        Height of the filter's peak, 0 for none.
    sweep : float
        Seconds in which the filter falls from open to `hold` (0..1).
    envelope : (attack, decay, sustain, release)
        Seconds, seconds, 0..1, seconds.
    drop : float
        Pitch drop at the start as a fraction of the frequency (808 bass).
    drive : float
        Saturation, 0 for none.
    vibrato : float
        Depth in cents at 5.5 Hz, fading in after 0.25 s.
    """

    wave: str = "saw"
    detune: tuple[float, ...] = (0.0,)
    cutoff: tuple[float, float] = (800.0, 6000.0)
    resonance: float = 0.0
    sweep: float = 0.3
    hold: float = 0.3
    envelope: tuple[float, float, float, float] = (0.005, 0.2, 0.7, 0.08)
    drop: float = 0.0
    drive: float = 0.0
    vibrato: float = 0.0


SPREAD = (-14.0, -9.0, -4.0, 0.0, 5.0, 10.0, 15.0)
PATCHES: dict[str, Patch] = {
    "supersaw": Patch("saw", SPREAD, (1500, 9000), 0, 1.5, 0.6, (0.08, 0.5, 0.85, 0.35)),
    "warm pad": Patch("saw", (-8, 0, 7), (350, 1800), 0, 3.0, 0.5, (0.4, 1.0, 0.9, 0.8)),
    "dark pad": Patch("saw", (-11, 0, 9), (220, 900), 0.3, 3.0, 0.4, (0.5, 1.0, 0.9, 0.9)),
    "stab": Patch("saw", (-9, 0, 8), (500, 4500), 0.3, 0.12, 0.1, (0.002, 0.18, 0.25, 0.12)),
    "brass": Patch("saw", (-6, 0, 6), (600, 5000), 0, 0.5, 0.5, (0.03, 0.3, 0.8, 0.1)),
    "pluck": Patch("saw", (-5, 5), (350, 6500), 0.2, 0.12, 0.05, (0.002, 0.25, 0.12, 0.2)),
    "saw lead": Patch("saw", (-7, 0, 7), (1200, 6500), 0.2, 0.6, 0.6, (0.01, 0.3, 0.8, 0.15), vibrato=14),
    "pulse lead": Patch("pulse", (-3, 3), (1500, 8000), 0, 0.6, 0.7, (0.004, 0.3, 0.7, 0.1), vibrato=12),
    "square lead": Patch("square", (0,), (3000, 12000), 0, 0.5, 0.8, (0.002, 0.3, 0.7, 0.04), vibrato=10),
    "thin lead": Patch("thin", (0,), (3000, 12000), 0, 0.5, 0.8, (0.002, 0.3, 0.6, 0.04), vibrato=8),
    "pulse pluck": Patch("pulse", (0,), (3000, 12000), 0, 0.2, 0.7, (0.001, 0.12, 0.4, 0.02)),
    "triangle bass": Patch("triangle", (0,), (4000, 9000), 0, 0.3, 0.8, (0.001, 0.3, 0.9, 0.02)),
    "saw bass": Patch("saw", (-4, 4), (180, 2600), 0.4, 0.15, 0.15, (0.002, 0.25, 0.65, 0.05), drive=0.8),
    "acid bass": Patch("saw", (0,), (220, 3800), 5.0, 0.13, 0.08, (0.002, 0.2, 0.6, 0.03), drive=1.5),
    "reese bass": Patch("saw", (-18, 0, 17), (180, 1500), 0.4, 1.2, 0.45, (0.01, 0.5, 0.9, 0.08), drive=1.0),
    "sub bass": Patch("triangle", (0,), (250, 600), 0, 0.2, 0.3, (0.006, 0.4, 0.8, 0.06)),
    "808 bass": Patch("sine", (0,), (200, 400), 0, 0.2, 0.2, (0.003, 1.1, 0.15, 0.1), drop=0.9, drive=1.2),
    "bell": Patch("fm", (0,), (400, 4000), 0, 0.5, 0.1, (0.002, 0.9, 0.05, 0.6)),
}


def amplitudes(wave: str, count: int) -> NDArray[np.float64]:
    """Return the amplitudes of the first `count` harmonics of a waveform."""
    n = np.arange(1, count + 1)
    if wave == "saw":
        return np.asarray(1 / n)
    if wave == "sine":
        first: NDArray[np.float64] = np.eye(1, count)[0]
        return first
    if wave == "triangle":
        return np.asarray(np.where(n % 2 == 1, np.where(n % 4 == 1, 1.0, -1.0) / n**2, 0.0))
    width = {"square": 0.5, "pulse": 0.25, "thin": 0.125}[wave]
    return np.asarray(np.sin(np.pi * n * width) / n)


def cycle(patch: Patch, frequency: float, opening: float) -> Audio:
    """Return one period of the patch's wave at `frequency`, filtered with the cutoff at `opening` (0..1)."""
    count = max(1, int(0.46 * RATE / frequency))
    low, high = patch.cutoff
    cutoff = max(low * (high / low) ** opening, 1.2 * frequency)
    ratio = np.arange(1, count + 1) * frequency / cutoff
    response = 1 / np.sqrt(1 + ratio**6) + patch.resonance * 0.3 * np.exp(-((np.log2(ratio) / 0.35) ** 2))
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    keep = min(count, TABLE // 2)
    spectrum[1 : keep + 1] = -0.5j * TABLE * (amplitudes(patch.wave, count) * response)[:keep]
    table: NDArray[np.float64] = np.fft.irfft(spectrum)
    return (table / max(1.0, float(np.abs(table).max()))).astype(np.float32)


@lru_cache(maxsize=192)
def layers(name: str, pitch: int, length: int) -> tuple[Audio, ...]:
    """Return `length` samples of a patch's note, at three openings of the filter."""
    patch = PATCHES[name]
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    t = np.arange(length) / RATE
    if patch.wave == "fm":
        modulator = np.sin(2 * np.pi * 3.5 * frequency * t)
        carrier = 2 * np.pi * frequency * t
        return tuple(np.sin(carrier + index * modulator).astype(np.float32) for index in (0.15, 0.9, 2.2))
    bend = patch.drop * 0.03 * (1 - np.exp(-t / 0.03))
    vibrato = patch.vibrato / 1731 * np.minimum(t / 0.5, 1) * np.sin(2 * np.pi * 5.5 * t) / (2 * np.pi * 5.5)
    clock = t + bend + vibrato
    phases = np.random.default_rng(pitch).random(len(patch.detune))
    out = [np.zeros(length, np.float32) for _ in range(3)]
    tables = [cycle(patch, frequency, opening) for opening in (0.0, 0.5, 1.0)]
    for cents, phase in zip(patch.detune, phases, strict=True):
        index = ((clock * (frequency * 2 ** (cents / 1200)) + phase) * TABLE).astype(np.int64) & (TABLE - 1)
        for layer, table in zip(out, tables, strict=True):
            layer += table[index]
    return tuple(layer / np.float32(len(patch.detune) ** 0.5) for layer in out)


def envelope(patch: Patch, hold: int, length: int) -> Audio:
    """Return the amplitude envelope of a note held for `hold` of `length` samples."""
    attack, decay, sustain, _ = patch.envelope
    t = np.arange(length, dtype=np.float32) / RATE
    shape = np.minimum(t / attack, 1) * (sustain + (1 - sustain) * np.exp(-np.maximum(t - attack, 0) / decay))
    if length > hold:
        shape[hold:] *= np.cos(np.linspace(0, np.pi / 2, length - hold, dtype=np.float32)) ** 2
    return shape.astype(np.float32)


def note_audio(name: str, pitch: int, duration: float) -> Audio:
    """Play one note at full velocity: float32 ``(samples,)``."""
    patch = PATCHES[name]
    hold = max(1, int(duration * RATE))
    length = hold + int(patch.envelope[3] * RATE)
    whole = 1 << max(12, (length - 1).bit_length())
    dark, middle, bright = (layer[:length] for layer in layers(name, pitch, whole))
    t = np.arange(length, dtype=np.float32) / RATE
    position = 2 * (patch.hold + (1 - patch.hold) * np.exp(-t / np.float32(patch.sweep)))
    mixed = dark * np.maximum(0, 1 - position) + bright * np.maximum(0, position - 1)
    mixed += middle * (1 - np.abs(position - 1))
    mixed *= envelope(patch, hold, length)
    if patch.drive:
        mixed = np.tanh((1 + patch.drive) * mixed)
    out: Audio = mixed.astype(np.float32)
    return out


def play(name: str, notes: tuple[Note, ...], samples: int) -> Audio:
    """Play a track on a synthesiser: float32 ``(samples,)``."""
    out = np.zeros(samples, np.float32)
    for note in notes:
        start = round(note.start * RATE)
        audio = note_audio(name, note.pitch, note.duration)[: samples - start]
        out[start : start + len(audio)] += audio * np.float32((note.velocity / 127) ** 1.4)
    return out
