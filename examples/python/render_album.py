"""Render several prompts to WAV files, one track each: an album in a folder.

::

    python examples/python/render_album.py album --seconds 60 "lo-fi piano, rain" "deep house, 122 bpm"

The same model, seed and prompts give the same samples, so a track that was liked can be rendered again, longer.
"""

import argparse
import re
from pathlib import Path

from streamer import Controls, UserError
from streamer.engine.loading import load
from streamer.offline.render import render

PROMPTS = (
    "ambient pads, slow, warm",
    "lo-fi hip hop, mellow piano, 80 bpm",
    "deep house, 122 bpm, driving bass",
)


def file_name(number: int, prompt: str) -> str:
    """``01-lo-fi-piano-rain.wav``: sorts in album order and is a valid name on every system."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:48].rstrip("-")
    return f"{number:02d}-{words or 'untitled'}.wav"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Render several prompts to WAV files in a folder.")
    parser.add_argument("folder", type=Path, help="made if it does not exist")
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="one track each")
    parser.add_argument("--model", default="nano", help="nano, a folder or a hub id (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each track (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="of the first track; the next have the next seeds")
    return parser.parse_intermixed_args()  # prompts may stand before, between and after the options


def main() -> None:
    options = arguments()
    model = load(options.model)
    options.folder.mkdir(parents=True, exist_ok=True)
    for number, prompt in enumerate(options.prompts or PROMPTS, start=1):
        path = options.folder / file_name(number, prompt)
        render(model, Controls(prompt=prompt, seed=options.seed + number - 1), options.seconds, path)
        print(path, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (UserError, OSError) as error:  # what the person at the keyboard can put right
        raise SystemExit(str(error)) from None
