"""MusicGen as an endless stream: prompt in, 50 Hz frames and audio out."""

from musicgen._torchaudio import forgive
from musicgen.ensemble import Ensemble
from musicgen.errors import ModelError, NotANumber
from musicgen.melody import Melody
from musicgen.model import MusicGen
from musicgen.past import StreamingPolicy
from musicgen.sampling import Sampling
from musicgen.state import StreamState, Trace
from musicgen.stream import Stream
from musicgen.text.conditioning import Conditioning

__all__ = [
    "Conditioning",
    "Ensemble",
    "Melody",
    "ModelError",
    "MusicGen",
    "NotANumber",
    "Sampling",
    "Stream",
    "StreamState",
    "StreamingPolicy",
    "Trace",
]

forgive()  # before anybody imports transformers, and torchaudio with it
