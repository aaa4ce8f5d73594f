"""What runs in the engine's process: import, wait for the word to start, then play until the parent goes away."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from osc.values import Value
from streamer.control.timeline import Timeline
from streamer.errors import UserError
from streamer.process import nursery
from streamer.process.events import Facts, Failed, Loaded, Ready, Report
from streamer.process.handover import Handover
from streamer.process.heap import give_back, keep_little
from streamer.process.intake import Intake
from streamer.process.job import Job, Source, Tell
from streamer.process.playhead import Playhead
from streamer.process.priority import hurry_engine, hurry_threads, lower_priority
from streamer.process.ring import Ring
from streamer.process.status import PLAYING, STARTING, Status
from streamer.reporting import ASLEEP_SECONDS, Unfailing, explained, tell_of_lost_threads
from streamer.threads import lasting

Shared = tuple[Ring, Playhead, Status, Handover]
"""The memory that all of an instrument's processes see."""

BLOCK_SECONDS = 0.02
STATE_SECONDS = 0.5
_POLL_SECONDS = 0.001
_SHARE = 0.4
"""Of the lead, that hosted effects may take for a block before they are left out."""


def main(connection: Connection, imports: Sequence[str]) -> None:
    """The process. It imports, is told its place, and imports what else is asked for.

    It then loads the model of a job ahead of the word to start, and where it can it becomes a nursery.
    """
    threads = nursery.threads()
    tell = _voice(connection)
    _speak_harmlessly(tell)
    gc.disable()  # imports leave little behind, and to look for it over and over takes a tenth of their time
    try:
        _import(imports)
        place: tuple[Shared, Sequence[str], Job | None, bool] = connection.recv()
        (ring, playhead, status, handover), further, ahead, spare = place
        _import(further)
        loaded, rehearses = None, spare
        if ahead is not None:
            with lower_priority() if spare else contextlib.nullcontext():
                loaded = load(ahead)
            if nursery.may_fork(threads):
                connection, rehearses = nursery.breed(connection)  # from here on it is one of the engines
                tell = _voice(connection)
                _tell_of_lost_threads(tell)
            if rehearses and not connection.poll():  # else there is no time for it
                with lower_priority():
                    _rehearse(ahead, loaded, handover.read())
            tell(Loaded())
        job, values, state = connection.recv()
        hurry_engine()
        source, facts, state = go_on(job, values, tell, loaded or load(job), state)
        ready = Ready(facts, {name: source.values[name] for name in values}, 0, state)
        _perform(source, ready, job, connection, ring, playhead, status, handover, tell)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent has gone
        pass
    except Exception as error:
        tell(Failed(explained(error)))
    # Not by way of atexit: a thread of torch's or a prompt that is being encoded must not keep a dead engine alive.
    os._exit(1)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def load(job: Job) -> dict[str, Any]:
    """What the job's loader makes, as arguments for its factory; none where it has no loader."""
    return {"loaded": _named(job.loader)(**job.arguments)} if job.loader else {}


def build(
    job: Job, values: Mapping[str, Value], tell: Tell, loaded: Mapping[str, Any], state: bytes = b""
) -> tuple[Source, Facts]:
    """What the job's factory makes, and what it tells of it."""
    goes_on = {"state": state} if state else {}
    source: Source
    facts: Facts
    source, facts = _named(job.factory)(tell, values, job.rate, job.channels, **job.arguments, **loaded, **goes_on)
    gc.collect()
    give_back()
    keep_little()
    gc.freeze()  # what is loaded stays: the collector need not walk it while the music plays
    gc.enable()
    return source, facts


def go_on(
    job: Job, values: Mapping[str, Value], tell: Tell, loaded: Mapping[str, Any], state: bytes
) -> tuple[Source, Facts, bytes]:
    """As `build`, and the state that it goes on from: one that it cannot go on from is answered by beginning anew."""
    if state:
        try:
            return *build(job, values, tell, loaded, state), state
        except ValueError as error:
            tell(Report(f"The music cannot go on where it was ({error}): it begins anew."))
    return *build(job, values, tell, loaded), b""


def _rehearse(job: Job, loaded: Mapping[str, Any], state: bytes) -> None:
    """Go the way of a takeover once, so that prompts are encoded and caches are warm when it is needed."""
    source, _, _ = go_on(job, {}, lambda event: None, loaded, state)
    source.read(round(BLOCK_SECONDS * job.rate))


def _named(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _speak_harmlessly(tell: Tell) -> None:
    """What libraries say to this process's streams hurts nobody, and a thread that dies is the parent's to tell."""
    sys.stdout, sys.stderr = (Unfailing(stream, ASLEEP_SECONDS) for stream in (sys.stdout, sys.stderr))
    _tell_of_lost_threads(tell)


def _tell_of_lost_threads(tell: Tell) -> None:
    tell_of_lost_threads(lambda sentence: tell(Report(sentence)))


def _voice(connection: Connection) -> Tell:
    """Several threads tell the parent, and each to the end. A parent that has gone is the receiver's to notice."""
    speaking = threading.Lock()

    def tell(event: object) -> None:
        with contextlib.suppress(OSError), speaking:
            connection.send(event)

    return tell


def _perform(
    source: Source,
    word: Ready,
    job: Job,
    connection: Connection,
    ring: Ring,
    playhead: Playhead,
    status: Status,
    handover: Handover,
    tell: Tell,
) -> None:
    ring.cut()  # a predecessor's sound may still wait in there
    begins = ring.written
    tell(replace(word, sample=begins))
    intake = Intake(source, Timeline(job.rate, playhead.read), begins, tell, explained)
    intake.start()
    receive = partial(_receive, connection, intake)
    lasting("receiving", receive, lambda sentence: tell(Report(sentence))).start()
    hurry_threads()
    try:
        _play(source, job, intake, ring, status, handover)
    except UserError as error:
        tell(Failed(str(error), final=True))


def _receive(connection: Connection, intake: Intake) -> None:
    """Take in what the parent sends. It ends this process when the parent has gone."""
    while True:
        try:
            change = connection.recv()
        except (EOFError, OSError):
            os._exit(0)
        intake.put(change)


def _play(source: Source, job: Job, intake: Intake, ring: Ring, status: Status, handover: Handover) -> None:
    now, rate = status.now, job.rate
    now["phase"] = STARTING
    made = busy = 0.0
    left = 0  # samples made when the state was left for a successor
    while True:
        samples = max(1, min(round(BLOCK_SECONDS * rate), ring.lead // 2))
        while ring.room < samples:
            now["beat"] += 1
            time.sleep(_POLL_SECONDS)
        # Only now, so that the block is made from the latest controls.
        intake.hand_over(int(now["samples"]))
        source.give_time(_SHARE * ring.lead / rate)
        start = time.perf_counter()
        block = source.read(samples)
        took = time.perf_counter() - start
        ring.write(block)
        if now["phase"] == PLAYING:  # the first block pays for caches that start cold
            now["longest"] = max(now["longest"], took)
        made, busy = made * 0.98 + samples / rate, busy * 0.98 + took
        now["rtf"] = made / max(busy, 1e-9)
        now["samples"] += samples
        status.write_pulse(source.frontier, *source.pulse)
        now["beat"] += 1
        now["phase"] = PLAYING
        if job.loader and now["samples"] - left >= STATE_SECONDS * rate:
            left = int(now["samples"])
            handover.write(source.state())
