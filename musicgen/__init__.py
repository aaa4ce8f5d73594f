"""MusicGen as an endless stream: prompt in, 50 Hz frames and audio out."""

from musicgen._torchaudio import import_torchaudio

import_torchaudio()  # before anything imports transformers, see there
