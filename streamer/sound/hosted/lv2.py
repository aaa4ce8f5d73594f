"""An LV2 plug-in as an effect on two channels."""

from __future__ import annotations

import ctypes
import math
from collections import deque
from ctypes import CFUNCTYPE, Structure, c_char_p, c_float, c_int, c_uint32, c_void_p
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.sound.hosted.lilv import ATOM, BUFFERS, OFFERED, OPTIONS, URID, WORKER, Instance, Port, World, audio

_ATOM_BYTES = 8192
_RATE = b"http://lv2plug.in/ns/ext/parameters#sampleRate"

_MapFunction = CFUNCTYPE(c_uint32, c_void_p, c_char_p)
_UnmapFunction = CFUNCTYPE(c_char_p, c_void_p, c_uint32)
_ScheduleFunction = CFUNCTYPE(c_int, c_void_p, c_uint32, c_void_p)
_RespondFunction = CFUNCTYPE(c_int, c_void_p, c_uint32, c_void_p)


class _Feature(Structure):
    _fields_ = (("uri", c_char_p), ("data", c_void_p))


class _Map(Structure):
    _fields_ = (("handle", c_void_p), ("map", _MapFunction))


class _Unmap(Structure):
    _fields_ = (("handle", c_void_p), ("unmap", _UnmapFunction))


class _Schedule(Structure):
    _fields_ = (("handle", c_void_p), ("schedule", _ScheduleFunction))


class _Work(Structure):
    _fields_ = (
        ("work", CFUNCTYPE(c_int, c_void_p, _RespondFunction, c_void_p, c_uint32, c_void_p)),
        ("respond", CFUNCTYPE(c_int, c_void_p, c_uint32, c_void_p)),
        ("end_run", CFUNCTYPE(c_int, c_void_p)),
    )


class _Option(Structure):
    _fields_ = (
        ("context", c_uint32),
        ("subject", c_uint32),
        ("key", c_uint32),
        ("size", c_uint32),
        ("type", c_uint32),
        ("value", c_void_p),
    )


class Lv2:
    """A plug-in on two channels, see `streamer.sound.hosted.host.Effect`; one for a single channel is there twice.

    Raises
    ------
    UserError
        It is not there, or cannot be hosted.
    """

    def __init__(self, asked: str, rate: int, frame: int) -> None:
        world = World()
        plugin = world.find(asked)
        ports = world.ports(plugin)
        self.name = world.name(plugin)
        if lacks := world.lacking(plugin, ports):
            raise UserError(f"the LV2 plug-in {self.name} needs what is not offered here: {lacks}")
        takes, makes = audio(ports, True), audio(ports, False)
        if not takes or not makes:
            raise UserError(f"the LV2 plug-in {self.name} is no effect: it has to take sound and to make sound")
        self._controls = {port.symbol: port for port in ports if port.kind == "control" and port.takes}
        self.parameters = {symbol: port.range for symbol, port in self._controls.items()}
        self._latency_port = world.latency_port(plugin)
        sides = 2 if len(takes) == len(makes) == 1 else 1
        self._voices = [_Voice(world, plugin, ports, rate, frame) for _ in range(sides)]

    @property
    def latency(self) -> int:
        """Samples by which its sound is late."""
        if self._latency_port is None:
            return 0
        told = float(self._voices[0].controls[self._latency_port])
        return max(0, round(told)) if math.isfinite(told) else 0

    def set(self, name: str, number: float, norm: bool) -> None:
        """Move a parameter, from the next block on."""
        port = self._controls[name]
        low, high = port.range["low"], port.range["high"]
        if norm:
            number = low * (high / low) ** number if port.curved else low + (high - low) * number
        for voice in self._voices:
            voice.controls[port.index] = min(max(number, low), high)

    def process(self, samples: Samples) -> Samples:
        """What it makes of a block of at most a frame, (n, 2)."""
        if len(self._voices) == 2:
            return np.hstack([v.process(samples[:, s : s + 1])[:, :1] for s, v in enumerate(self._voices)])
        made = self._voices[0].process(samples)
        return made if made.shape[1] == 2 else np.repeat(made, 2, axis=1)


class _Voice:
    """One instance, with all its ports connected.

    Raises
    ------
    UserError
        There is none at this rate.
    """

    def __init__(self, world: World, plugin: c_void_p, ports: list[Port], rate: int, frame: int) -> None:
        words = _Words()
        self._worker = _Worker()
        self._offer = _Offer(words, self._worker, rate, frame)
        made = world.instantiate(plugin, rate, self._offer.features)
        if made is None:
            raise UserError(f"the LV2 plug-in {world.name(plugin)} cannot be opened at {rate} Hz")
        self._instance: Instance = made
        self._worker.serve(made)
        self.controls = np.array([port.range["normal"] for port in ports], np.float32)
        self._sound = np.zeros((len(ports), frame), np.float32)
        self._atoms = np.zeros((len(ports), _ATOM_BYTES // 4), np.uint32)
        self._sequence, self._chunk = (words.number(None, (ATOM + name).encode()) for name in ("Sequence", "Chunk"))
        self._atom_ports = [port for port in ports if port.kind == "atom"]
        self._takes, self._makes = ([port.index for port in audio(ports, takes)] for takes in (True, False))
        buffers = {"audio": self._sound, "atom": self._atoms, "control": self.controls}
        for port in ports:
            place = buffers[port.kind][port.index :].ctypes.data
            made.descriptor.contents.connect(made.handle, port.index, place)
        if made.descriptor.contents.activate:
            made.descriptor.contents.activate(made.handle)

    def process(self, samples: Samples) -> Samples:
        """Its first two channels, or its only one: (n, 1 or 2)."""
        count, channels = samples.shape
        if len(self._takes) == 1 and channels == 2:
            samples = samples.mean(axis=1, keepdims=True, dtype=np.float32)
        for side, index in enumerate(self._takes[:2]):  # the others, a side chain's, hear nothing
            self._sound[index, :count] = samples[:, side % samples.shape[1]]
        for port in self._atom_ports:  # a sequence without events, or room for one
            room = (8, self._sequence) if port.takes else (_ATOM_BYTES - 8, self._chunk)
            self._atoms[port.index, :4] = (*room, 0, 0)
        self._instance.descriptor.contents.run(self._instance.handle, count)
        self._worker.work()
        return np.ascontiguousarray(self._sound[self._makes[:2], :count].T)


@dataclass
class _Words:
    """URIs as numbers, for plug-ins that want them so."""

    numbers: dict[bytes, int] = field(default_factory=dict)

    def number(self, handle: int | None, uri: bytes) -> int:
        return self.numbers.setdefault(uri, len(self.numbers) + 1)

    def uri(self, handle: int | None, number: int) -> bytes | None:
        return next((uri for uri, own in self.numbers.items() if own == number), None)


class _Worker:
    """What a plug-in wants done beside its blocks: done between them, so that it is done the same every time."""

    def __init__(self) -> None:
        self._instance: Instance | None = None
        self._interface: Any = None
        self._asked: deque[bytes] = deque()
        self._answers: deque[bytes] = deque()
        self.schedule = _Schedule(None, _ScheduleFunction(self._ask))
        self._respond = _RespondFunction(self._answer)

    def serve(self, instance: Instance) -> None:
        """Whom to work for."""
        found = instance.descriptor.contents.extension and instance.descriptor.contents.extension(
            (WORKER + "interface").encode()
        )
        if found:
            self._instance, self._interface = instance, ctypes.cast(found, ctypes.POINTER(_Work)).contents

    def work(self) -> None:
        """Do what was asked for, and hand the answers over."""
        if self._instance is None:
            return
        handle = self._instance.handle
        while self._asked:
            body = self._asked.popleft()
            self._interface.work(handle, self._respond, None, len(body), ctypes.cast(c_char_p(body), c_void_p))
        while self._answers:
            body = self._answers.popleft()
            self._interface.respond(handle, len(body), ctypes.cast(c_char_p(body), c_void_p))
        if self._interface.end_run:
            self._interface.end_run(handle)

    def _ask(self, handle: int | None, size: int, data: int | None) -> int:
        self._asked.append(ctypes.string_at(data, size) if data else b"")
        return 0

    def _answer(self, handle: int | None, size: int, data: int | None) -> int:
        self._answers.append(ctypes.string_at(data, size) if data else b"")
        return 0


class _Offer:
    """What the host has for a plug-in; it has to live as long as that.

    Attributes
    ----------
    features
        As LV2 hands them over: pointers, the last one null.
    """

    def __init__(self, words: _Words, worker: _Worker, rate: int, frame: int) -> None:
        self._map, self._unmap = _Map(None, _MapFunction(words.number)), _Unmap(None, _UnmapFunction(words.uri))
        self._options, self._numbers = _options(words, rate, frame)
        data = {
            URID + "map": ctypes.addressof(self._map),
            URID + "unmap": ctypes.addressof(self._unmap),
            WORKER + "schedule": ctypes.addressof(worker.schedule),
            OPTIONS: ctypes.addressof(self._options),
        }
        self._offered = [_Feature(uri.encode(), data.get(uri)) for uri in sorted(OFFERED)]
        places = (ctypes.addressof(feature) for feature in self._offered)
        self.features = (c_void_p * (len(self._offered) + 1))(*places, None)


def _options(words: _Words, rate: int, frame: int) -> tuple[Any, list[Any]]:
    """Sizes of blocks and the rate as LV2 options, the last one empty, and the numbers that they point to."""
    sizes = {"minBlockLength": 1, "maxBlockLength": frame, "nominalBlockLength": frame}
    numbers: list[Any] = [ctypes.c_int32(size) for size in sizes.values()] + [c_float(rate)]
    keys = [*((BUFFERS + name).encode() for name in sizes), _RATE]
    kinds = [ATOM + "Int"] * len(sizes) + [ATOM + "Float"]
    options = (_Option * (len(numbers) + 1))()
    for option, key, kind, number in zip(options, keys, kinds, numbers, strict=False):
        option.key, option.size = words.number(None, key), 4
        option.type, option.value = words.number(None, kind.encode()), ctypes.addressof(number)
    return options, numbers
