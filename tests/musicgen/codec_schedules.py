"""Any codec and any schedule of chunks, for the tests of every decoder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from musicgen.codec import Decoder


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Any EnCodec without time group norm, small."""
    ratios = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    causal = draw(st.booleans())
    return {
        "sampling_rate": 50 * int(np.prod(ratios)),
        "upsampling_ratios": ratios,
        "codebook_size": 16,
        "target_bandwidths": [0.2 * draw(st.integers(1, 4))],
        "use_causal_conv": causal,
        "trim_right_ratio": draw(st.sampled_from([1.0, 0.5, 0.0])) if causal else 1.0,
        "pad_mode": draw(st.sampled_from(["reflect", "constant"])),
        "kernel_size": draw(st.integers(1, 8)),
        "last_kernel_size": draw(st.integers(1, 8)),
        "residual_kernel_size": draw(st.integers(1, 4)),
        "num_residual_layers": draw(st.integers(0, 2)),
        "dilation_growth_rate": draw(st.integers(1, 3)),
        "use_conv_shortcut": draw(st.booleans()),
        "compress": draw(st.sampled_from([1, 2])),
        "num_lstm_layers": draw(st.integers(1, 2)),
        "audio_channels": draw(st.integers(1, 2)),
        "num_filters": 2,
        "hidden_size": 6,
    }


schedules = st.lists(st.integers(0, 9), min_size=1, max_size=12)


def chunks(codes: Tensor, schedule: Sequence[int]) -> Iterator[Tensor]:
    """The codes in chunks of these lengths; what is left over is the last chunk."""
    bounds = [0, *itertools.accumulate(schedule), codes.shape[1]]
    for start, end in itertools.pairwise(bounds):
        yield codes[:, start:end]


def played(decoder: Decoder, codes: Tensor, schedule: Sequence[int]) -> NDArray[np.float32]:
    """Through a decoder, as the stream uses it: (samples, channels)."""
    parts = [decoder.decode(chunk.numpy()) for chunk in chunks(codes, schedule)]
    return np.concatenate([*parts, decoder.flush()])
