"""Average two checkpoints of the language model, of which one was trained on from the other.

    python -m training.blend --before runs/shipped/model.pt --after runs/model/model.pt --out runs/blend/model.pt

Between the two lies no hill, and what training on made the model forget comes back (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models").
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from training import loop

SCORE = "score.weight"  # of the score inputs, see `training.model.Nano`


def blend(before: dict[str, Any], after: dict[str, Any], share: float) -> dict[str, Any]:
    """A checkpoint like ``after``, without its optimizers, whose weights are ``share`` its and the rest ``before``'s.

    Score inputs are all the later one's: before they were trained they were zero, and an average would only dim them.

    Raises
    ------
    ValueError
        The two are of different shapes.
    """
    if before["shape"] != after["shape"]:
        raise ValueError(f"Checkpoints of {before['shape']} and {after['shape']} have no average.")
    weights = {
        name: weight if name == SCORE else torch.lerp(before["model"][name], weight, share)
        for name, weight in after["model"].items()
    }
    return {**{name: value for name, value in after.items() if name != "optimizers"}, "model": weights}


def main() -> None:
    """Read the command line and blend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="what training went on from")
    parser.add_argument("--after", type=Path, default=Path("runs/model/model.pt"))
    parser.add_argument("--share", type=float, default=0.7, help="of the later one")
    parser.add_argument("--out", type=Path, default=Path("runs/blend/model.pt"))
    arguments = parser.parse_args()
    loop.save(arguments.out, blend(loop.load(arguments.before), loop.load(arguments.after), arguments.share))


if __name__ == "__main__":
    main()
