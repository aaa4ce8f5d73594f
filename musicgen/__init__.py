"""MusicGen as an endless stream: prompt in, 50 Hz frames and audio out."""

from musicgen._torchaudio import forgive
from musicgen.cache import StreamingPolicy
from musicgen.errors import ModelError, NotANumber
from musicgen.melody import Melody
from musicgen.sampling import Sampling
from musicgen.stream import MusicGen, Stream, Trace, next_chunks, next_frames
from musicgen.text.conditioning import Conditioning

__all__ = [
    "Conditioning",
    "Melody",
    "ModelError",
    "MusicGen",
    "NotANumber",
    "Sampling",
    "Stream",
    "StreamingPolicy",
    "Trace",
    "next_chunks",
    "next_frames",
]

forgive()  # before anybody imports transformers, and torchaudio with it
