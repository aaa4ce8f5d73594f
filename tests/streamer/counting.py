"""An instrument that counts, in a process of its own: `python -m tests.streamer.counting` plays on the default device.

Two arguments may name the channels of the music and of the click. On its standard input it takes `NAME VALUE` (a
control), `status` (answered in JSON) and `quit`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from streamer.audio.devices import choose, devices
from streamer.audio.outs import channels_of
from streamer.instrument import Instrument
from tests.streamer import counter


def main() -> None:
    device = choose(devices())
    music, clicks = (channels_of(text, "the test") for text in (sys.argv[1:] or ("", "")))
    instrument = Instrument(
        counter.job(device.rate, min(device.channels, 2), sine=True),
        {"lead": 1000.0},
        device=device,
        channels=music,
        clicks=clicks,
        port=0,
        report=lambda sentence: print(sentence, file=sys.stderr, flush=True),
    )
    instrument.start()
    print(json.dumps({"rate": device.rate, "output": instrument.player.name}), flush=True)
    for line in sys.stdin:
        name, _, value = line.strip().partition(" ")
        if name == "quit":
            break
        if name == "status":
            now = asdict(instrument.status()) | {
                "underruns": instrument.playback.underruns,
                "sounding": instrument.playback.sounding,
                "output": instrument.player.name,
            }
            print(json.dumps(now), flush=True)
        else:
            instrument.controls.set(**{name: value})
    instrument.close()


if __name__ == "__main__":
    main()
