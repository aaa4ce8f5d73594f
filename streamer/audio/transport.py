"""What the gate and the ring obey: play, stop, panic and lead, each at its time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from osc.values import Value
from streamer.audio.playback import Playback
from streamer.control.change import Change, Frame
from streamer.control.controls import Controls
from streamer.control.schedule import Schedule
from streamer.control.timeline import Timeline
from streamer.reporting import Say


class Transport:
    """Does what a change asks of the gate, when it is to be heard.

    Parameters
    ----------
    controls
        What hears that a change with a time stands; the lead to begin with is theirs.
    playback
        What is let through.
    timeline
        When it is heard.
    say
        Takes a sentence about what failed at its time.
    """

    def __init__(
        self,
        controls: Controls,
        playback: Playback,
        timeline: Timeline,
        say: Say,
    ) -> None:
        self._controls = controls
        self._playback = playback
        self._timeline = timeline
        self._schedule = Schedule(timeline, say)
        self._set_lead(float(controls.get("lead")))

    def start(self) -> None:
        """Obey what has a time, too, from now on."""
        self._schedule.start()

    def close(self) -> None:
        """What still waits is left undone."""
        self._schedule.close()

    def obey(self, change: Change) -> None:
        """Do what a change of the gate's values asks for, now or at its time.

        Raises
        ------
        ValueError
            It has another kind of moment, or too much waits.
        """
        if change.at is None:
            self._act(change.values)
            if change.over:  # what the ring obeys does not glide: it is there at once
                self._controls.settle(change.values, change.origin)
        elif isinstance(change.at, Frame):
            raise ValueError("play, stop, panic and lead take a time, not a frame")
        else:
            heard = self._timeline.moment(change.at)
            self._schedule.at(heard - self._playback.latency, partial(self._act_now, change))

    def _act_now(self, change: Change) -> None:
        self._act(change.values)
        self._controls.settle(change.values, change.origin)

    def _act(self, values: Mapping[str, Value]) -> None:
        for action in ("play", "stop", "panic"):
            if action in values:
                getattr(self._playback, action)()
        if "lead" in values:
            self._set_lead(float(values["lead"]))

    def _set_lead(self, milliseconds: float) -> None:
        self._playback.ring.lead = round(milliseconds * self._playback.rate / 1000)
