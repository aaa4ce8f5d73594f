"""What a stream tells of itself: what its last chunk was made of, and where it stands."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.conditions import Scene
from musicgen.past import Remembered
from musicgen.sampling import Sampling
from musicgen.score import Fields, packed, unpacked


@dataclass(frozen=True)
class Trace:
    """What a chunk was made of.

    Attributes
    ----------
    frames
        (K, F) int64.
    entropy
        (F,) float64, nats: how undecided the model was, in the conditional distribution of codebook 0 as it was last
        drawn for each frame. Before guidance, temperature and top-k, so that it tells of the model and its past alone.
    fields
        (F, fields) float32: the score that each frame was told, see :data:`musicgen.score.FIELDS`.
    """

    frames: NDArray[np.int64]
    entropy: NDArray[np.float64]
    fields: Fields


@dataclass(frozen=True)
class StreamState:
    """Where a stream stands: plain numbers, texts and arrays, some 20 kB, from which another stream goes on alike.

    Attributes
    ----------
    remembered
        What its past is made of.
    scene
        What it is asked to play; a melody is not in it.
    melody_start
        The frame at which its melody's loop begins.
    sampling
        How its tokens are drawn.
    random
        Where its random numbers stand, uint8.
    frames_done
        Frames given so far.
    retracted
        (T, K) int64: columns whose steps are to be made anew, see :meth:`musicgen.stream.Stream.redraw`.
    """

    remembered: Remembered
    scene: Scene
    melody_start: int
    sampling: Sampling
    random: NDArray[np.uint8]
    frames_done: int
    retracted: NDArray[np.int64]

    def to_bytes(self) -> bytes:
        """The state as bytes, some 13 kB, 30 with a score.

        A header in JSON with its length before it, the columns, the fields of the score that are known at all, the
        random state.
        """
        past = self.remembered
        told, fields = packed(past.fields)
        header = {
            "steps": past.steps,
            "columns": past.columns.shape,
            "scenes": past.scenes,
            "lanes": past.lanes,
            "scene": self.scene,
            "melody_start": self.melody_start,
            "sampling": asdict(self.sampling),
            "frames_done": self.frames_done,
            "retracted": self.retracted.tolist(),
            "fields": told,
        }
        head = json.dumps(header).encode()
        columns = np.ascontiguousarray(past.columns, "<i4").tobytes()
        return struct.pack("<I", len(head)) + head + columns + fields + self.random.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> StreamState:
        """What `to_bytes` has written.

        Raises
        ------
        ValueError
            It is not a state's.
        """
        try:
            start = 4 + struct.unpack_from("<I", data)[0]
            header = json.loads(data[4:start])
            turns, codebooks = header["columns"]
            columns = np.frombuffer(data, "<i4", turns * codebooks, start).reshape(turns, codebooks)
            told = header.get("fields", [])  # older states have none
            end = start + columns.nbytes + 4 * turns * len(told)
            fields = unpacked(told, data[start + columns.nbytes : end], turns)
            scenes = tuple((int(first), _scene(scene)) for first, scene in header["scenes"])
            lanes = tuple(int(lane) for lane in header["lanes"])
            return cls(
                Remembered(int(header["steps"]), columns.astype(np.int64), scenes, lanes, fields),
                _scene(header["scene"]),
                int(header["melody_start"]),
                Sampling(**header["sampling"]),
                np.frombuffer(data, np.uint8, offset=end).copy(),
                int(header["frames_done"]),
                np.array(header["retracted"], np.int64).reshape(-1, codebooks),
            )
        except (struct.error, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no stream's state: {error}") from None


def _scene(written: Any) -> Scene:
    prompts, negative = written
    return Scene(tuple((str(text), float(weight)) for text, weight in prompts), str(negative))
