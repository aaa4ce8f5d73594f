"""A loaded model: what streams are made of, and what makes prompts, melodies and frames for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import as_numpy
from musicgen.backends import Backend, prepare
from musicgen.codec import CodecWeights, Decoder, NativeCodec, NativeDecoder, native_refusal, open_decoder
from musicgen.conditions import Conditions
from musicgen.decoder import Embedding, Prompt
from musicgen.delay import Pattern
from musicgen.errors import ModelError
from musicgen.melody import Melody, MelodyEncoder
from musicgen.past import Past, StreamingPolicy, anchored, new_past
from musicgen.stream import Stream
from musicgen.text.conditioning import Conditioning

if TYPE_CHECKING:
    import torch

    from musicgen.load.checkpoint import Adaptable, Checkpoint

PROMPTS_KEPT = 32  # encoded prompts; one of musicgen-small takes 0.2 MB a token
BLENDS_KEPT = 8  # each as big as its prompts
STRONGEST = 1.5
"""That a LoRA adapter may be; 1 is as it was trained."""


class MusicGen:
    """A loaded model, shared by any number of streams. Nothing of it changes but the strength of its LoRA adapter.

    Attributes
    ----------
    name
        As it was asked for.
    licence
        Of the weights: "MIT", "CC-BY-NC-4.0" (facebook/musicgen-*: not for commercial use) or "unknown".
    sample_rate, frame_rate, hop
        Samples a second, frames a second (50.0), samples a frame.
    channels, codebooks
        Of the audio, and of a frame: K, both channels together.
    defaults
        Sampling that the model's card recommends.
    policy
        How its streams go on for ever, unless they are told otherwise.
    follows_melody
        Whether a stream of it can be given a melody.
    follows_score
        Whether a stream of it can be given a score: a ``score.safetensors`` lies beside its weights.
    score_delay
        Seconds from a note's place in the score to its attack in the sound, as the model's card has measured it: who
        wants the attack on the beat asks for the score of so much later.
    backend
        What computes its steps.
    codec
        The codec's weights for torch, with which its streams' frames are decoded where there is no ``native_codec``.
    native_codec
        The same, packed for the native library; None where torch decodes.
    prompts
        What reads prompts.
    melodies
        What hears melodies; None where the model follows none.
    pattern
        How the codebooks of a frame lie in time.
    positions
        That frames can take: the most that a policy may use.
    lora_strength
        Of its LoRA adapter, 1 as it was trained; None without one.
    """

    def __init__(self, checkpoint: Checkpoint, backend: Backend) -> None:
        # not the checkpoint itself: the backend has the decoder's weights in a layout of its own
        self.backend = backend
        # the reference is exact to the sample; the others, whose tokens are not either, decode as fast as it goes
        self._codec_again, self._device = checkpoint.codec_again, checkpoint.device
        native = backend.name != "torch" and checkpoint.device == "cpu" and not native_refusal(checkpoint.codec)
        self.native_codec = NativeCodec(checkpoint.codec, threads=backend.threads) if native else None
        self.prompts = checkpoint.prompts
        self.melodies = checkpoint.melodies
        self.pattern = Pattern(
            tuple(checkpoint.delays), checkpoint.pad, None if checkpoint.turns is None else tuple(checkpoint.turns)
        )
        self._encoder, self._native_encoder = checkpoint.encoder, checkpoint.native_encoder if native else None
        self._embedding = Embedding(
            as_numpy(checkpoint.decoder.embed), as_numpy(checkpoint.decoder.offsets), checkpoint.score
        )
        self._prefix = checkpoint.melodies.length + checkpoint.prompts.longest if checkpoint.melodies else 0
        self.positions = len(checkpoint.decoder.positions) - self._prefix
        # lru_cache answers for known prompts at once, also while another thread is encoding a new one
        self._conditioning = lru_cache(maxsize=PROMPTS_KEPT)(self._encode)
        self._blends = lru_cache(maxsize=BLENDS_KEPT)(self._encode_blend)
        self.name = checkpoint.name
        self.licence = checkpoint.licence
        self.channels = checkpoint.channels
        self.codebooks = checkpoint.decoder.codebooks
        self.sample_rate = checkpoint.codec.sample_rate
        self.hop = checkpoint.codec.hop
        self.frame_rate = self.sample_rate / self.hop
        self.defaults = checkpoint.defaults
        self.policy = checkpoint.policy
        self.follows_melody = checkpoint.melodies is not None
        self.follows_score = checkpoint.score is not None
        self.score_delay = checkpoint.score_delay
        self._adapted = checkpoint.adapted
        self.lora_strength = None if checkpoint.adapted is None else 1.0
        self._prepared: tuple[float, Adaptable, Backend] | None = None

    @classmethod
    def load(
        cls,
        name: str = "nano",
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        *,
        backend: str = "auto",
        threads: int | None = None,
        anchor: str = "card",
        progress: Callable[[int, int], None] | None = None,
    ) -> MusicGen:
        """Load "nano", a folder in transformers' layout or AudioCraft's, or a hub id such as "facebook/musicgen-small".

        Parameters
        ----------
        device
            As torch names it: "cpu", "cuda", "mps".
        dtype
            Of the decoder; None for float32, and for bfloat16 with the "cuda" backend. Text encoder and sampling always
            compute in float32; so does the codec, except where another backend than "torch" gains from fewer bits, see
            docs/codec.md.
        backend
            What computes the steps: "torch" is exact, "native" and "onnx" have 8-bit weights, see
            :data:`musicgen.backends.NAMES`; "auto" for the fastest that can run here, "cuda" on an NVIDIA GPU.
        threads
            Of a step; None for as many as a short measurement finds best. The torch backend's are torch's own, of the
            whole process.
        anchor
            How its streams go on for ever, see :func:`musicgen.past.policy.anchored`.
        progress
            Told, as done and total, of a preparation that takes its time: a backend's file, the first time.

        Raises
        ------
        ModelError
            It cannot be had or used; the message says what to do.
        """
        from musicgen.load.checkpoint import load_checkpoint
        from musicgen.load.hub import find_folder

        if dtype is None and device.startswith("cuda") and backend in ("auto", "cuda"):
            import torch

            dtype = torch.bfloat16
        checkpoint = load_checkpoint(name, device, dtype)
        if anchor == "burst" and checkpoint.melodies is not None:
            raise ModelError(f"{name} follows melodies and cannot go on by 'burst': choose another anchor.")
        try:
            checkpoint = replace(checkpoint, policy=anchored(anchor, checkpoint.policy))
        except ValueError as error:
            raise ModelError(str(error)) from None
        made = prepare(checkpoint.decoder, backend, threads=threads, folder=find_folder(name), progress=progress)
        return cls(checkpoint, made)

    @cached_property
    def codec(self) -> CodecWeights:
        """See the class; made when it is asked for."""
        import torch

        from musicgen.codec import fastest, in_torch

        weights = in_torch(self._codec_again(), self._device, torch.float32)
        return weights if self.backend.name == "torch" or self.native_codec is not None else fastest(weights)

    def encode_prompt(self, text: str) -> Conditioning:
        """Encode a prompt, or find it among the last ones. From any thread: prepare here what a stream takes over."""
        return self._conditioning(text)

    def prompt_limit(self, text: str) -> int:
        """Tokens that are heard of a prompt that has more; 0 for one that is heard to its end."""
        return self.prompts.longest if text and self.prompts.cuts(text) else 0

    def _encode(self, text: str) -> Conditioning:
        if not text:
            return Conditioning("", None)
        states = self.prompts.states(text)
        return Conditioning(text, None, states) if self.melodies else Conditioning(text, self.backend.prompt(states))

    def encode_blend(self, texts: Iterable[str]) -> Prompt:
        """Encode prompts to be blended, or find them among the last ones; see :meth:`Stream.set_prompts`.

        From any thread: prepare here what a stream takes over, with its texts in alphabetical order.
        """
        return self._blends(tuple(texts))

    def _encode_blend(self, texts: tuple[str, ...]) -> Prompt:
        return self.backend.blend([self.encode_prompt(text).kv for text in texts])

    def prepare_lora(self, strength: float) -> None:
        """Do the slow part of :meth:`set_lora_strength` ahead, from any thread: the weights are made anew.

        Raises
        ------
        ModelError
            The model has no LoRA adapter, or its backend cannot take over other weights.
        ValueError
            The strength is outside 0..1.5.
        """
        if self._adapted is None:
            raise ModelError(f"{self.name} has no LoRA adapter: load a folder with an adapter_config.json.")
        if not hasattr(self.backend, "take_over"):
            raise ModelError(
                f"The {self.backend.name} backend keeps the weights it began with: choose the backend native or torch "
                "to change an adapter's strength."
            )
        if not 0 <= strength <= STRONGEST:
            raise ValueError(f"an adapter's strength must lie in 0..{STRONGEST}, not {strength}")
        parts = self._adapted(strength)
        self._prepared = strength, parts, prepare(parts.decoder, self.backend.name, threads=self.backend.threads)

    def set_lora_strength(self, strength: float) -> None:
        """Play with the adapter at this strength from the next step on; all streams' pasts stay.

        0 is the base model, 1 the adapter as it was trained. From the thread that steps; at once if it is prepared.

        Raises
        ------
        ModelError, ValueError
            See :meth:`prepare_lora`.
        """
        if strength == self.lora_strength:
            return
        if self._prepared is None or self._prepared[0] != strength:
            self.prepare_lora(strength)
        assert self._prepared is not None
        (_, parts, made), self._prepared = self._prepared, None
        backend: Any = self.backend
        backend.take_over(made)
        self.prompts, self.melodies = parts.prompts, parts.melodies
        np.copyto(self._embedding.table, as_numpy(parts.decoder.embed))
        self._conditioning = lru_cache(maxsize=PROMPTS_KEPT)(self._encode)
        self._blends = lru_cache(maxsize=BLENDS_KEPT)(self._encode_blend)
        self.lora_strength = strength

    def melody(self, sound: NDArray[np.floating[Any]], sample_rate: int) -> Melody:
        """What there is to follow in a sound, see :meth:`Stream.set_melody`. From any thread: it takes a while.

        Parameters
        ----------
        sound
            (samples,) or (samples, channels).
        sample_rate
            Of the sound, Hz.

        Raises
        ------
        ModelError
            The model follows no melody.
        ValueError
            The sound is empty, or has samples that are no numbers.
        """
        return self._hears_melodies().melody(sound, sample_rate)

    def tune(self, notes: NDArray[np.int64], rate: float) -> Melody:
        """The melody of notes that were played, see :meth:`musicgen.melody.MelodyEncoder.tune`. From any thread.

        Parameters
        ----------
        notes
            (moments,) the MIDI note of each moment, below 0 for a rest.
        rate
            Moments a second.

        Raises
        ------
        ModelError
            The model follows no melody.
        ValueError
            There is no note among them.
        """
        return self._hears_melodies().tune(notes, rate)

    def _hears_melodies(self) -> MelodyEncoder:
        if self.melodies is None:
            raise ModelError(f"{self.name} follows no melody: use a melody model, such as 'facebook/musicgen-melody'.")
        return self.melodies

    def encode(self, sound: NDArray[np.float32]) -> NDArray[np.int64]:
        """Frames of a sound, to be continued, see :meth:`Stream.continue_from`. From any thread.

        Parameters
        ----------
        sound
            (samples, channels) at the model's rate and with its channels.

        Returns
        -------
        NDArray
            (K, frames) int64; the last frame is filled up with silence.

        Raises
        ------
        ValueError
            It has other channels, no samples, or some that are no numbers.
        """
        if sound.ndim != 2 or sound.shape[1] != self.channels or not len(sound):
            raise ValueError(f"a sound of shape {sound.shape} cannot be encoded: it must be (samples, {self.channels})")
        if not np.isfinite(sound).all():
            raise ValueError("a sound must have finite samples only")
        whole = np.pad(sound, [(0, -len(sound) % self.hop), (0, 0)])
        encoder = self._encoder if self._native_encoder is None else self._native_encoder()
        return encoder.encode(whole)

    def new_decoder(self, kind: Literal["exact", "overlap"] = "exact") -> Decoder:
        """What turns the model's frames into sound, for one stream: see :func:`musicgen.codec.open_decoder`."""
        if kind == "exact" and self.native_codec is not None:
            return NativeDecoder(self.native_codec, self.channels)
        return open_decoder(self.codec, self.channels, kind)

    def stream(
        self,
        prompt: str = "",
        *,
        melody: Melody | None = None,
        negative_prompt: str = "",
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
        seed: int = 0,
        codec: Literal["exact", "overlap"] | Decoder = "exact",
        policy: StreamingPolicy | None = None,
    ) -> Stream:
        """Start a stream.

        Parameters
        ----------
        prompt, negative_prompt
            What to play, and what to keep away from; "" for none.
        melody
            What tune to follow, see :meth:`melody`; None for none.
        temperature, top_k, top_p, guidance
            See :class:`Sampling`; None for the model's default.
        seed
            Same model, seed and changes at the same frames give the same tokens.
        codec
            "exact": the samples of decoding everything at once. "overlap": stateless chunks, crossfaded.
            Or a decoder of the caller's, for this stream alone.
        policy
            None for the model's own; max_position at most the model's.

        Raises
        ------
        ValueError
            A value is out of its range.
        """
        given: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "guidance": guidance}
        sampling = replace(self.defaults, **{name: value for name, value in given.items() if value is not None})
        stream = Stream(self, sampling, seed, codec, policy or self.policy)
        stream.set_prompt(prompt)
        stream.set_negative_prompt(negative_prompt)
        if melody is not None:
            stream.set_melody(melody)
        return stream

    def new_past(self, policy: StreamingPolicy, conditions: Conditions) -> Past:
        """An empty past for one stream.

        Raises
        ------
        ValueError
            The policy does not suit the model.
        """
        line = self.pattern.line()
        if policy.max_position > self.positions:
            raise ValueError(f"max_position must be at most {self.positions} for this model")
        if policy.keep % line.turns_a_frame or policy.max_position % line.turns_a_frame:
            raise ValueError(f"keep and max_position must be whole frames, {line.turns_a_frame} steps each")
        if self._prefix:
            policy = replace(policy, max_position=policy.max_position + self._prefix, prefix=self._prefix)
        return new_past(self.backend, self.backend.new_state(policy), line, self._embedding, conditions)
