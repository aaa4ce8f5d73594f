"""What works on this machine, and which command mends what does not: the checks behind `streamer doctor`."""

from __future__ import annotations

import platform
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from streamer.errors import UserError
from streamer.process.priority import (
    hurry_callback,
    hurry_engine,
    hurry_process,
    keep_in_memory,
    kit_for_callback,
    kit_for_engine,
)
from streamer.threads import fleeting

State = Literal["works", "slow", "missing", "broken"]

SECONDS = 3.0
"""Of nano's music that are made to measure how fast it is."""
SAFE = 1.5
"""Real-time factor below which a busy moment interrupts the music."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    name
        What was looked at.
    state
        works; slow: the music has holes; missing: something that not everyone needs; broken: it cannot be used.
    sentence
        What is the case.
    remedy
        The command that mends it, "" where there is none, or nothing to mend.
    """

    name: str
    state: State
    sentence: str
    remedy: str = ""


def examine(udp_port: int = 7770) -> Iterator[Finding]:
    """All checks, one after the other, each as soon as it is done; none of them raises.

    The first is about nano's music: where that is broken, nothing can play.
    """
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("nano", _nano),
        ("backend", _backend),
        ("PortAudio", _portaudio),
        ("outputs", lambda: _devices("output")),
        ("inputs", lambda: _devices("input")),
        ("JACK", _jack),
        *((f"{ending} files", lambda ending=ending: _codec(ending)) for ending in (".flac", ".mp3", ".opus")),
        *((f"extra {name}", lambda name=name: _extra(name)) for name in EXTRAS),
        ("real-time", _real_time),
        (f"UDP {udp_port}", lambda: _port(udp_port)),
    ]
    for name, check in checks:
        try:
            yield check()
        except UserError as error:
            yield Finding(name, "broken", str(error))
        except Exception as error:  # a check that fails is a finding too
            yield Finding(name, "broken", f"{type(error).__name__}: {error}")


def _nano() -> Finding:
    from streamer.control.controls import Controls
    from streamer.engine.engine import Engine
    from streamer.engine.loading import load

    model = load("nano")
    engine = Engine(model, Controls(prompt="techno"))
    engine.read(engine.sample_rate // 2)  # caches start cold
    start = time.perf_counter()
    engine.read(round(SECONDS * engine.sample_rate))
    factor = SECONDS / (time.perf_counter() - start)
    threads = model.backend.threads
    sentence = f"{factor:.1f}x real time on {model.backend.name} with {threads} thread{'' if threads == 1 else 's'}"
    if factor >= SAFE:
        return Finding("nano", "works", sentence)
    if factor >= 1:
        return Finding("nano", "slow", f"{sentence}: a busy moment interrupts it", "streamer play --lead 500")
    return Finding("nano", "slow", f"{sentence}: too slow to play live", "streamer render music.wav")


def _backend() -> Finding:
    from musicgen.backends import choose, obstacle

    name, reason = choose()
    sentence = f"{name}: {reason[:1].lower()}{reason[1:].rstrip('.')}"
    if not obstacle("native"):
        return Finding("backend", "works", sentence)
    compiler = {"linux": "sudo apt install g++", "darwin": "xcode-select --install"}.get(sys.platform, "")
    remedy = f"{compiler} && pip install --force-reinstall --no-deps musicgen-streamer" if compiler else ""
    return Finding("backend", "missing", sentence, remedy)


def _portaudio() -> Finding:
    sounddevice = _sounddevice()
    return Finding("PortAudio", "works", sounddevice.get_portaudio_version()[1].split(",")[0])


def _sounddevice() -> Any:
    from streamer.audio.devices import portaudio

    return portaudio()


def _devices(kind: Literal["output", "input"]) -> Finding:
    from streamer.audio.devices import choose, devices

    name = f"{kind}s"
    try:
        found = devices(kind)
        default = choose(found, kind=kind)
    except UserError as error:
        remedy = "streamer play --wav-out music.wav" if kind == "output" else ""
        return Finding(name, "missing", str(error), remedy)
    return Finding(name, "works", f"{len(found)}, by default {default.name} ({default.rate} Hz)")


def _jack() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("JACK", "works", "not needed here")
    apis = _sounddevice().query_hostapis()
    if any("JACK" in api["name"] and api["devices"] for api in apis):
        return Finding("JACK", "works", "a server runs, and PortAudio is its client")
    return Finding("JACK", "missing", "no server runs: other programs cannot be patched in", "pw-jack streamer play")


def _codec(ending: str) -> Finding:
    import soundfile

    from streamer.offline.render import FORMATS

    kind = FORMATS[ending]
    if soundfile.check_format(kind.container, kind.subtype):
        return Finding(f"{ending} files", "works", f"written by libsndfile {soundfile.__libsndfile_version__}")
    return Finding(
        f"{ending} files",
        "missing",
        f"libsndfile {soundfile.__libsndfile_version__} cannot write them",
        "pip install --upgrade soundfile",
    )


EXTRAS = {
    "onnx": (("onnx", "onnxruntime"), "another backend: fast where no compiler is"),
    "demucs": (("demucs",), "melodies without their drums and bass"),
    "evaluate": (("torchaudio", "transformers"), "`streamer evaluate`"),
    "picture": (("matplotlib",), "pictures of a loop's seam"),
    "background": (("av", "astral", "prometheus_client"), "programmes, `streamer background`"),
    "midi": (("mido", "rtmidi"), "MIDI, `streamer play --midi`"),
    "link": (("link",), "Ableton Link"),
    "query": (("websockets", "zeroconf", "ifaddr"), "OSCQuery, and being found"),
    "web": (("fastapi", "uvicorn", "websockets", "segno"), "the page, `streamer page`"),
    "serve": (("fastapi", "uvicorn", "websockets", "av", "prometheus_client"), "many listeners, `streamer serve`"),
    "webrtc": (("aiortc",), "listening beyond the local network"),
    "ray": (("ray",), "servers on many machines"),
    "vst3": (("pedalboard",), "VST3 effects"),
}
"""Name -> the modules it brings, and what for."""


def lacking(extra: str) -> list[str]:
    """The modules of an extra that are not installed."""
    return [module for module in EXTRAS[extra][0] if find_spec(module) is None]


def require(extra: str, what: str) -> None:
    """Refuse where modules of an extra are missing.

    Parameters
    ----------
    extra : str
    what : str
        What needs them, for the sentence.

    Raises
    ------
    UserError
        Some are.
    """
    if missing := lacking(extra):
        raise UserError(f"{what} needs {' and '.join(missing)}: run `pip install 'musicgen-streamer[{extra}]'`")


def _extra(name: str) -> Finding:
    purpose = EXTRAS[name][1]
    missing = lacking(name)
    if not missing:
        return Finding(f"extra {name}", "works", f"installed, for {purpose}")
    return Finding(
        f"extra {name}",
        "missing",
        f"{', '.join(missing)} not installed: for {purpose}",
        f"pip install 'musicgen-streamer[{name}]'",
    )


def _real_time() -> Finding:
    callback, engine = _tried(hurry_callback), _tried(hurry_engine)
    if sys.platform == "linux" and not (engine and "SCHED_RR" in callback):
        hurry_process()  # promises what the kit wants to see
        callback, engine = _tried(kit_for_callback) or callback, engine or _tried(kit_for_engine)
    if not sys.platform.startswith("linux"):
        callback = "what the system gives to all of them"
    memory = np.zeros(2**18, np.float32)  # as a ring of two seconds
    kept = "" if keep_in_memory(memory.ctypes.data, memory.nbytes) else "; memory may be swapped out"
    if engine and not callback.startswith("nice"):
        return Finding("real-time", "works", f"audio thread: {callback}, engine: {engine}{kept}")
    limits = "/etc/security/limits.d/audio.conf"
    return Finding(
        "real-time",
        "missing",
        f"audio thread: {callback or 'not permitted'}, engine: {engine or 'not permitted'}{kept}: "
        "a busy machine may interrupt the music",
        f"printf '@audio - rtprio 95\\n@audio - nice -11\\n@audio - memlock 65536\\n' | sudo tee {limits} && "
        "sudo usermod -aG audio $USER  # then log in again"
        if sys.platform.startswith("linux")
        else "",
    )


def _tried(ask: Callable[[], str]) -> str:
    """What is granted to a thread of its own, whose priority ends with it."""
    granted: list[str] = []
    trial = fleeting("a trial", lambda: granted.append(ask()))
    trial.start()
    trial.join()
    return granted[0]


def _port(port: int) -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            remedy = f"streamer play --osc-port {port + 1}"
            return Finding(f"UDP {port}", "broken", f"{error.strerror}: OSC cannot listen there", remedy)
    return Finding(f"UDP {port}", "works", "free for OSC")


def machine() -> str:
    """This installation and what it runs on, in one line."""
    python = platform.python_version()
    return (
        f"musicgen-streamer {version('musicgen-streamer')}, Python {python}, {platform.system()} {platform.machine()}"
    )
