"""A game's music in three intensities, steered over OSC: calm, alert, fight.

    streamer play --prompt "soft pads, ambient" &
    python examples/background/game.py calm 20 fight 30 calm 20

Each word is followed by the seconds that it lasts. Going up is quick and waits for the bar; going down takes its time.
A game sends the same three messages from its own engine: nothing here is more than OSC.
"""

from __future__ import annotations

import sys
import time

from pythonosc.udp_client import SimpleUDPClient

LEVELS = {
    "calm": ("soft pads, ambient, slow strings", 0.9, -6.0),
    "alert": ("tense synth pulse, minor, 110 bpm", 1.0, -3.0),
    "fight": ("driving drums, distorted bass, fast techno, 140 bpm", 1.1, 0.0),
}
"""What is played, how adventurously, and how loud (dB)."""
UP, DOWN = 1.0, 8.0
"""Seconds that a fade takes."""


def steps(words: list[str]) -> list[tuple[str, float]]:
    """ "calm 20 fight 30" as intensities and seconds."""
    pairs = list(zip(words[::2], words[1::2], strict=len(words) % 2 == 0))
    if not pairs or any(word not in LEVELS for word, _ in pairs):
        raise SystemExit(f"Name intensities ({', '.join(LEVELS)}), each with its seconds: calm 20 fight 30")
    return [(word, float(seconds)) for word, seconds in pairs]


def ask(client: SimpleUDPClient, level: str, before: str) -> None:
    """Go from one intensity to another."""
    prompt, temperature, volume = LEVELS[level]
    rises = list(LEVELS).index(level) > list(LEVELS).index(before)
    seconds = UP if rises else DOWN
    client.send_message("/mg/quantise", "bar" if rises else "off")
    client.send_message("/mg/prompt/fade", [prompt, seconds])
    client.send_message("/mg/ramp", ["temperature", temperature, seconds])
    client.send_message("/mg/ramp", ["volume", volume, seconds])


def main(words: list[str], host: str = "127.0.0.1", port: int = 7770) -> None:
    client, before = SimpleUDPClient(host, port), "calm"
    for level, seconds in steps(words):
        print(f"{level} for {seconds:g} s", flush=True)
        ask(client, level, before)
        before = level
        time.sleep(seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
