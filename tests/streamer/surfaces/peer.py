"""A peer of Ableton Link, in a process of its own: it answers each line read with its beat, or does what that says."""

from __future__ import annotations

import json
import sys
import time

from streamer.surfaces.link import Link


def main() -> None:
    link = Link(lambda sentence: print(sentence, file=sys.stderr), bpm=float(sys.argv[1]))
    link.place(time.monotonic())
    print("{}", flush=True)
    for line in sys.stdin:
        name, _, value = line.strip().partition(" ")
        if name == "tempo":
            link.offer(bpm=float(value))
        elif name in ("play", "stop"):
            link.offer(playing=name == "play")
        elif name == "leave":
            link.leave()
        now = time.monotonic()
        place = None if name == "leave" else link.place(now)
        print(json.dumps({"now": now, "place": place, "peers": link.peers, "playing": link.playing()}), flush=True)


if __name__ == "__main__":
    main()
