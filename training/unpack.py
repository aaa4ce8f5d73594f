"""Turn an exported folder back into checkpoints, so that training goes on from what is shipped.

    python -m training.unpack --model musicgen/models/nano --out runs/shipped
    python -m training.tokens --codec runs/shipped/codec.pt --text runs/shipped/text.pt
    python -m training.model  --start runs/shipped/model.pt

The optimizers' states and what float16 rounded away are not in the folder: a run that goes on here needs its first
hundred steps to find its feet again.
"""

import argparse
from pathlib import Path
from typing import Any

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import torch
from transformers import MusicgenForConditionalGeneration

from musicgen import score
from training import loop
from training.codec import checkpoint as write_codec
from training.model import Nano
from training.model import checkpoint as write_model


def unpack(folder: Path, out: Path) -> None:
    """Write ``codec.pt``, ``text.pt`` and ``model.pt``, float32, as the stages themselves would."""
    whole: Any = MusicgenForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    nano = Nano(whole.config.decoder)
    nano.decoder.load_state_dict(whole.decoder.state_dict())
    nano.enc_to_dec_proj.load_state_dict(whole.enc_to_dec_proj.state_dict())
    if told := score.load(folder, whole.config.decoder.hidden_size):
        nano.score.weight.data = torch.from_numpy(told.table.T.copy())
    write_codec(out / "codec.pt", whole.audio_encoder, [], 0, 0.0)
    loop.save(out / "text.pt", {"encoder": whole.text_encoder.state_dict()})
    write_model(out / "model.pt", nano, [], 0, 0.0)


def main() -> None:
    """Read the command line and unpack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("musicgen/models/nano"))
    parser.add_argument("--out", type=Path, default=Path("runs/shipped"))
    arguments = parser.parse_args()
    unpack(arguments.model, arguments.out)


if __name__ == "__main__":
    main()
