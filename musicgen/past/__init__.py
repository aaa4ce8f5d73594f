"""What a stream remembers, bounded for ever: one past for each way to go on.

:class:`Past` is what a stream asks of it; :mod:`musicgen.past.shadow`, :mod:`musicgen.past.burst` and
:mod:`musicgen.past.prefix` are the ways.
"""

from musicgen.decoder import Embedding
from musicgen.delay import DelayLine
from musicgen.past.base import Conditions, Past, Prefills, Remembered
from musicgen.past.burst import BurstPast
from musicgen.past.policy import ANCHORS, StreamingPolicy, anchored
from musicgen.past.prefix import PrefixPast
from musicgen.past.shadow import ShadowPast
from musicgen.past.state import State

__all__ = ["ANCHORS", "Past", "Remembered", "State", "StreamingPolicy", "anchored", "new_past"]


def new_past(
    backend: Prefills, state: State, line: DelayLine, embedding: Embedding, conditions: Conditions
) -> BurstPast | PrefixPast | ShadowPast:
    """An empty past, of the kind that the state's policy asks for."""
    kind = PrefixPast if state.policy.prefix else BurstPast if state.policy.policy == "burst" else ShadowPast
    return kind(backend, state, line, embedding, conditions)
