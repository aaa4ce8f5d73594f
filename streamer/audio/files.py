"""Sound files that are written while the music plays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamer.errors import UserError

WAV_BYTES = 4_000_000_000


def open_wav(path: Path, rate: int, channels: int) -> Any:
    """A file of 16 bits, replaced if it exists.

    Raises
    ------
    UserError
        When it cannot be made.
    """
    import soundfile

    from streamer.sound.files import library_name

    try:
        return soundfile.SoundFile(library_name(path), "w", rate, channels, format="WAV", subtype="PCM_16")
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"Cannot write {path}: {error}") from None
