"""The errors a user can put right."""

from collections.abc import Sequence
from typing import Any


class ModelError(ValueError):
    """A model cannot be had or used. The message is one sentence that says what to do."""


class NotANumber(ModelError, FloatingPointError):
    """A model computed NaN or infinity where it should say which token comes next.

    Parameters
    ----------
    name
        Of the model.
    streams
        The streams that it happened to; see `streams`.

    Attributes
    ----------
    streams
        They cannot go on before :meth:`Stream.reset` or :meth:`Stream.reanchor`; their neighbours in a batch can.
    """

    def __init__(self, name: str, streams: Sequence[Any] = ()) -> None:
        super().__init__(
            f"{name} computes values that are no numbers (NaN or infinity): download it again, or choose another "
            "model or backend."
        )
        self.streams = list(streams)


def is_failure(error: BaseException) -> bool:
    """Whether a library has failed, and not somebody asked for the end: Rust's panics are no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
