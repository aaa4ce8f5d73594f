"""MultiBand Diffusion: another decoder for frames of the 32 kHz EnCodec, slow and of a higher quality.

Four networks, one for each part of the spectrum, turn noise into sound, led by the codec's latents. The sum of the
four is then equalised to what EnCodec itself makes of the same frames (San Roman et al. 2023, "From Discrete Tokens to
High-Fidelity Audio Using Multi-Band Diffusion"). Arithmetic and file are those of AudioCraft
(``models/multibanddiffusion.py``, ``models/unet.py``, ``modules/diffusion_schedule.py``), which the tests compare with.

A network looks at all of its input at once, so nothing here streams: this is for files.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen.codec import CodecWeights, look_ahead, open_decoder
from musicgen.diffusion.bands import equalise
from musicgen.diffusion.file import HUB_ID, LICENCE, find_file, read_bands
from musicgen.diffusion.process import Band
from musicgen.errors import ModelError

__all__ = ["HUB_ID", "LICENCE", "MultiBandDiffusion", "check_model"]

if TYPE_CHECKING:
    from musicgen.model import MusicGen


class MultiBandDiffusion:
    """The diffusion decoder for one model. Immutable. Made by :meth:`load`."""

    def __init__(self, bands: Sequence[Band], codec: CodecWeights) -> None:
        self._bands = bands
        self._codec = codec

    @classmethod
    def load(cls, source: str | Path, model: MusicGen) -> MultiBandDiffusion:
        """Read AudioCraft's file of diffusion networks.

        Parameters
        ----------
        source
            See :func:`find_file`.
        model
            What is to be decoded: a mono model with the codec of Meta's checkpoints.

        Raises
        ------
        ModelError
            The model has another codec, or the file cannot be had or used; the message says why.
        """
        check_model(model)
        return cls(read_bands(find_file(source), model.codec), model.codec)

    @torch.inference_mode()
    def decode(
        self, frames: NDArray[np.integer[Any]], seed: int, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The sound of a whole piece.

        Parameters
        ----------
        frames
            (K, F) integers.
        seed
            Of the noise that it begins with: the same seed gives the same samples.
        progress
            Told, as done and total, of the steps.

        Returns
        -------
        NDArray
            float32 (F * hop, 1).
        """
        if not frames.shape[1]:
            return np.zeros((0, 1), np.float32)
        reference = torch.from_numpy(self._plain(frames)[:, 0]).to(self._codec.table.device)
        codes = torch.as_tensor(frames).to(self._codec.table.device, torch.int64)
        latents = F.embedding(codes + self._codec.offsets, self._codec.table).sum(0).T[None].float()
        generator = torch.Generator(reference.device).manual_seed(seed)

        def noise() -> Tensor:
            return torch.randn(len(reference), generator=generator, device=reference.device)

        total = sum(len(band.schedule.steps) - 1 for band in self._bands)
        done = itertools.count(1)
        sound = torch.zeros_like(reference)
        for band in self._bands:
            sound += band.generate(latents, noise, lambda: progress and progress(next(done), total))
        equalised: NDArray[np.float32] = equalise(sound, reference, self._codec.sample_rate)[:, None].cpu().numpy()
        return equalised

    def _plain(self, frames: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """The codec's own decode, a second at a time: all of a long piece at once would need gigabytes."""
        codec = open_decoder(self._codec)
        chunks = [codec.decode(frames[:, start : start + 50]) for start in range(0, frames.shape[1], 50)]
        return np.concatenate([*chunks, codec.flush()])


def check_model(model: MusicGen) -> None:
    """Refuse a model whose frames the released networks do not know.

    Raises
    ------
    ModelError
        It says why.
    """
    if model.channels != 1:
        raise ModelError(
            f"{model.name} is stereo, and MultiBand Diffusion decodes mono only: use a mono model, or the codec."
        )
    codec = model.codec
    shape = (codec.sample_rate, codec.hop, codec.codebooks, codec.codebook_size, codec.table.shape[1])
    if shape != (32_000, 640, 4, 2048, 128) or look_ahead(codec) == 0:
        raise ModelError(
            f"{model.name} has a codec of its own, and MultiBand Diffusion knows only the 32 kHz EnCodec with 4 "
            "codebooks of 2048: use a mono model of facebook/musicgen-*, or the codec."
        )
