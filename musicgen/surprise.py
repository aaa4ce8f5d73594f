"""How likely a model finds it that certain frames follow others."""

import numpy as np
from numpy.typing import NDArray

from musicgen.ensemble import step
from musicgen.sampling import softmax
from musicgen.score import Fields, unknown
from musicgen.stream import Stream


def surprise(stream: Stream, past: NDArray[np.int64], frames: NDArray[np.int64], fields: Fields | None = None) -> float:
    """How unlikely a stream's model finds it that certain frames follow others, as a cross entropy.

    The stream's own past is lost: `reset`, `continue_from` or `reanchor` goes on.

    Parameters
    ----------
    stream
        Asked under its present prompts, without guidance, temperature, top-k and top-p.
    past, frames
        (K, P) and (K, F) int64, P and F >= 1; together at most the stream's ``memory_frames``, of a longer past the
        end.
    fields
        (P + F, fields): the score that they follow; None for unknown. The stream's own is not asked.

    Returns
    -------
    float
        Nats a token, of tokens that are drawn before the last frame is whole, so not the last ones of a delayed
        codebook.

    Raises
    ------
    ValueError
        The frames are not the model's, or too many.
    """
    stream.model.pattern.check(past)
    stream.model.pattern.check(frames)
    if frames.shape[1] >= stream.memory_frames:
        raise ValueError(f"{frames.shape[1]} frames are more than this stream remembers: {stream.memory_frames}")
    past = past[:, frames.shape[1] - stream.memory_frames :]
    line = stream.past.line
    known, end = (count * line.turns_a_frame for count in (past.shape[1], past.shape[1] + frames.shape[1]))
    columns = line.sampled(np.concatenate([past, frames], axis=1))
    new = line.sampled(np.concatenate([np.full_like(past, -1), frames], axis=1)) >= 0
    stream.forget()
    stream.renew()
    told = unknown(len(columns))
    if fields is not None:
        told[: end : line.turns_a_frame] = fields[-end // line.turns_a_frame :]
    stream.past.replay(columns[:known], told[:known])
    nats: list[NDArray[np.float64]] = []
    for column, asked, own in zip(columns[known:end], new[known:end], told[known:end], strict=True):
        shares = softmax(np.asarray(step([stream], [own])[0, 0], np.float64)[asked])
        nats.append(-np.log(np.take_along_axis(shares, column[asked][:, None], axis=1)[:, 0]))
        stream.past.push(column)
    return float(np.concatenate(nats).mean())
