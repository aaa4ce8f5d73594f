"""A listener in a process of its own: `python -m tests.streamer.hearing` listens to the default input device.

On its standard input it takes `heard` (answered in JSON: the pitch class of each chroma frame, None before the first
melody and in silence) and `quit`; what the listener reports goes to its standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

import musicgen  # noqa: F401  (first: it makes transformers importable beside any torchaudio)

# isort: split
from transformers import MusicgenMelodyFeatureExtractor

from musicgen.melody import MelodyEncoder
from streamer.audio.input import open_input
from streamer.engine.listening import Listener

SECONDS = 2.0


def main() -> None:
    extractor = cast(Any, MusicgenMelodyFeatureExtractor)()
    encoder = MelodyEncoder(extractor, None, 235, 12)

    def report(sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    listener = Listener(lambda again: open_input("", SECONDS, again), encoder.melody, period=0.2, report=report)
    print(json.dumps(listener._input.name), flush=True)
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        melody = listener.heard and listener.heard.melody
        print(json.dumps(melody and melody.chroma.argmax(1).tolist()), flush=True)
    listener.close()
    listener._thread.join()


if __name__ == "__main__":
    main()
