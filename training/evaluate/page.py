"""Pictures and samples of nano's sound for docs/sound.md.

    python -m training.evaluate.page --before DIR       # an exported folder with the decoder of before

Both folders have the same codes and the same language model, so what they play differs by their decoders alone.
Samples are what `streamer render` plays, as Opus (needs `apt install opus-tools`).
"""

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

import musicgen

# isort: split
import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from transformers import MusicgenForConditionalGeneration

from training.codec import RATE, decode, encode
from training.evaluate.figures import powers
from training.evaluate.live import rendered
from training.evaluate.material import excerpts
from training.evaluate.pictures import PROMPTS, save_small

mpl.use("Agg")
import matplotlib.pyplot as plt

Audio = NDArray[np.float32]

DRAWN = ("solo piano", "jazz trio", "folk guitar", "orchestral", "rock", "house", "synthwave", "ambient")
SECONDS, TOP = 4.0, 8000  # of a picture; Hz
WINDOW, STEP = 2048, 512  # samples
RANGE = 70.0  # dB from white to black
SEED = 90_000
SAMPLE_SECONDS, SAMPLE_BITRATE = 10.0, 48  # kb/s


def spectrogram(audio: Audio) -> NDArray[np.float32]:
    """dB below the loudest, up to `TOP`: (frequencies, times)."""
    level = 10 * (powers(audio[: int(SECONDS * RATE)], WINDOW, STEP)[: TOP * WINDOW // RATE] + 1e-9).log10()
    return np.asarray(level - level.max(), np.float32)


def draw_page(rows: Mapping[str, Sequence[Audio]], columns: Sequence[str], path: Path) -> None:
    """A grid of spectrograms as a PNG of few colours; rows by name, each with a clip a column."""
    size = (1.75 * len(columns) + 0.6, 1.55 * len(rows) + 0.5)
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False, constrained_layout=True)
    for name, clips, line in zip(rows, rows.values(), axes, strict=True):
        line[0].set_ylabel(name, fontsize=8)
        for axis, clip in zip(line, clips, strict=True):
            extent = (0, SECONDS, 0, TOP / 1000)
            axis.imshow(
                spectrogram(clip), origin="lower", aspect="auto", cmap="magma", vmin=-RANGE, vmax=0, extent=extent
            )
            axis.set_xticks([0, 2, 4])
            axis.set_yticks([0, 2, 4, 6, 8])
            axis.tick_params(labelsize=6)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title, fontsize=8)
    save_small(figure, path, 100)


def codec_of(folder: Path) -> Any:
    """An exported folder's codec, float32."""
    whole: Any = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return whole.audio_encoder.eval()


def through(codec: Any, clips: Sequence[Audio]) -> list[Audio]:
    """Clips encoded and decoded."""
    return [decode(codec, encode(codec, torch.from_numpy(clip)[None]))[0].numpy() for clip in clips]


def one_a_style(held_out: Path) -> list[Audio]:
    """A render of each of `DRAWN`."""
    pieces = excerpts(held_out, 10_000, 1, (SECONDS, SECONDS), 9)
    found = {piece.facts["style"]: piece.audio for piece in pieces}
    return [found[style] for style in DRAWN]


def write_samples(model: musicgen.MusicGen, folder: Path) -> None:
    """What nano plays to each of `PROMPTS`, 1.opus to 12.opus."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, clip in enumerate(rendered(model, PROMPTS, SAMPLE_SECONDS, SEED), 1):
        with tempfile.TemporaryDirectory() as wavs:
            wav = Path(wavs) / "sample.wav"
            soundfile.write(wav, clip, RATE, "PCM_16")
            command = ["opusenc", "--quiet", "--bitrate", str(SAMPLE_BITRATE), "--music", "--serial", str(number)]
            subprocess.run([*command, str(wav), str(folder / f"{number}.opus")], check=True)


def main() -> None:
    """Read the command line, draw and play."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("musicgen/models/nano"))
    parser.add_argument("--before", type=Path, required=True, help="an exported folder with the decoder of before")
    parser.add_argument("--held-out", type=Path, default=Path("data/held-out"))
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    renders = one_a_style(arguments.held_out)
    before, after = (through(codec_of(folder), renders) for folder in (arguments.before, arguments.model))
    rows = {style: clips for style, *clips in zip(DRAWN, renders, before, after, strict=True)}
    draw_page(rows, ("render", "decoded, before", "decoded, now"), arguments.out / "sound-decoded.png")
    models = [musicgen.MusicGen.load(str(folder)) for folder in (arguments.before, arguments.model)]
    prompts = [f"give me {style}" for style in DRAWN]
    played = [rendered(model, prompts, SECONDS, SEED) for model in models]
    rows = {style: clips for style, *clips in zip(DRAWN, *played, strict=True)}
    draw_page(rows, ("played, before", "played, now"), arguments.out / "sound-played.png")
    write_samples(models[1], arguments.out / "samples")


if __name__ == "__main__":
    main()
