"""Measure an exported nano and write the figures to its card.

    python -m training.evaluate --model musicgen/models/nano --out runs/evaluate
    python -m training.evaluate --only endless,switch

Every part of the report is measured on its own and put into ``metrics.json`` as soon as it is there; the others stay as
they were, unless they are of other weights. What the model plays is kept beside, so that measuring again, or going on
after a stop, plays nothing twice.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from training import loop
from training.card import write_card
from training.evaluate.measures import LONG, PARTS
from training.evaluate.pictures import draw, draw_told
from training.evaluate.studio import Studio


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("musicgen/models/nano"), help="an exported folder")
    parser.add_argument("--data", type=Path, default=Path("data/songs"), help="renders that the judges are fitted on")
    parser.add_argument("--held-out", type=Path, default=Path("data/held-out"), help="renders of other seeds")
    parser.add_argument("--tokens", type=Path, default=Path("runs/tokens"), help="for the cross entropy")
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/model/model.pt"), help="for the cross entropy")
    parser.add_argument("--out", type=Path, default=Path("runs/evaluate"))
    parser.add_argument(
        "--only", help=f"parts, by comma, of: {', '.join(PARTS)}. Without: all but {', '.join(LONG)}; '-' for none"
    )
    parser.add_argument("--picture", type=Path, help="draw the spectrograms of twelve prompts, such as docs/nano.png")
    parser.add_argument("--picture-told", type=Path, help="draw beats and chords it is told, such as docs/told.png")
    parser.add_argument("--no-card", action="store_true", help="leave the model's README.md as it is")
    parser.add_argument("--jury-songs", type=int, default=1200, help="renders that the judges are fitted on, at most")
    parser.add_argument("--held-out-songs", type=int, default=200, help="at most")
    parser.add_argument("--clips-per-style", type=int, default=6, help="for style and tempo")
    parser.add_argument("--lineups", type=int, default=64, help="clips for the instruments")
    parser.add_argument("--keys", type=int, default=60, help="clips for the key")
    parser.add_argument("--unseen", type=int, default=200, help="prompts that no template made, at most 200")
    parser.add_argument("--switches", type=int, default=48, help="streams whose prompt changes")
    parser.add_argument(
        "--clock",
        action="store_true",
        help="style, tempo, key, instruments, unseen, switch, endless: tell the beat as well; into metrics-clock.json",
    )
    parser.add_argument("--full", action="store_true", help="score: every style, and more tempi")
    parser.add_argument("--endless-minutes", type=float, default=10.0)
    parser.add_argument("--together-minutes", type=float, default=5.0)
    parser.add_argument("--grid-minutes", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=16, help="streams that are stepped together")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backend", default="auto", help="what plays, as `native-int6`: a report of its own in --out")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def chosen(only: str | None) -> list[str]:
    """Names of the parts to run.

    Raises
    ------
    ValueError
        A name that is no part.
    """
    if only == "-":
        return []
    names = only.split(",") if only else [name for name in PARTS if name not in LONG]
    if wrong := [name for name in names if name not in PARTS]:
        raise ValueError(f"There is no part {', '.join(wrong)}: choose from {', '.join(PARTS)}.")
    return names


def read_report(path: Path, fingerprint: str) -> dict[str, Any]:
    """The report so far, empty if it is of other weights."""
    report: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return report if report.get("fingerprint") == fingerprint else {"fingerprint": fingerprint}


def main() -> None:
    """Read the command line, measure, write ``metrics.json`` and the card."""
    arguments = parser().parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / ("metrics-clock.json" if arguments.clock else "metrics.json")
    studio = Studio(arguments)
    for name in chosen(arguments.only):
        start = time.monotonic()
        part = PARTS[name](studio)
        # Read again just before writing: another part may have been measured in another process meanwhile.
        report = {**read_report(path, studio.fingerprint), "backend": studio.model.backend.name, name: part}
        path.write_text(json.dumps(report, indent=1))
        print(json.dumps({"part": name, "seconds": round(time.monotonic() - start), **part}), flush=True)
    if arguments.picture:
        draw(studio, arguments.picture)
    if arguments.picture_told:
        draw_told(studio, arguments.picture_told)
    if not (arguments.no_card or arguments.clock):
        write_card(path, arguments.model)


if __name__ == "__main__":
    loop.tune_allocator("training.evaluate")
    main()
