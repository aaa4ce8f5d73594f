"""Change the prompt on a timer, over OSC.

Start the instrument (``make play``), then in another terminal::

    python examples/python/sequencer.py --every 20 "lo-fi piano, rain" "deep house, 122 bpm"

It goes round and round through the prompts until Ctrl-C, or for ``--rounds`` rounds; with ``--fade`` each one comes in
over so many seconds. Without prompts it plays four of its own. Only python-osc is needed, so the file can be copied to
another machine and run there with ``--host``.
"""

import argparse
import itertools
import time

from pythonosc.udp_client import SimpleUDPClient

PROMPTS = (
    "ambient pads, slow, warm",
    "lo-fi hip hop, mellow piano, 80 bpm",
    "deep house, 122 bpm, driving bass",
    "drum and bass, 174 bpm, energetic",
)


def positive(text: str) -> float:
    """Seconds above zero, or argparse's one-line error."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Change MusicGen Streamer's prompt on a timer, over OSC.")
    parser.add_argument("prompts", nargs="*", metavar="PROMPT", help="played in turn, round and round")
    parser.add_argument("--host", default="127.0.0.1", help="where the instrument runs (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7770, help="its OSC port (default: %(default)s)")
    parser.add_argument("--every", type=positive, default=20.0, metavar="SECONDS", help="default: %(default)g")
    parser.add_argument("--fade", type=positive, metavar="SECONDS", help="crossfade from prompt to prompt")
    parser.add_argument("--rounds", type=int, help="stop after so many rounds (default: go on until Ctrl-C)")
    return parser.parse_intermixed_args()  # prompts may stand before, between and after the options


def main() -> None:
    options = arguments()
    prompts = options.prompts or PROMPTS
    rounds = itertools.count() if options.rounds is None else range(options.rounds)
    client = SimpleUDPClient(options.host, options.port)
    client.send_message("/mg/play", 1)
    due = time.monotonic()
    for _ in rounds:
        for prompt in prompts:
            print(prompt, flush=True)
            if options.fade is None:
                client.send_message("/mg/prompt", prompt)
            else:
                client.send_message("/mg/prompt/fade", [prompt, options.fade])
            due += options.every  # counted from the start, so that a late wake-up does not add up over an evening
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
