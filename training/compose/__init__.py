"""Procedural composer: seeds become songs in the styles that nano knows."""

from training.compose.arrange import STYLES, compose
from training.compose.song import Note, Song, Track

__all__ = ["STYLES", "Note", "Song", "Track", "compose"]
