"""The face of the package: prompt in, frames and audio out, without end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen.backends import Backend, Prompts, prepare
from musicgen.cache import StreamingPolicy, anchored
from musicgen.codec import Decoder, decode_many, fastest, open_decoder
from musicgen.delay import DelayLine, Tokens
from musicgen.errors import ModelError, NotANumber
from musicgen.melody import Melody
from musicgen.prefix import PrefixLanes
from musicgen.sampling import Sampling, sample
from musicgen.text.conditioning import Conditioning

if TYPE_CHECKING:
    from musicgen.load.checkpoint import Checkpoint

Audio = NDArray[np.float32]  # (samples, channels)

PROMPTS_KEPT = 32  # encoded prompts; one of musicgen-small takes 0.2 MB a token


@dataclass(frozen=True)
class Trace:
    """What a chunk was made of.

    Attributes
    ----------
    frames
        (K, F) int64.
    entropy
        (F,) float64, nats: how undecided the model was, in the conditional distribution of codebook 0 as it was last
        drawn for each frame. Before guidance, temperature and top-k, so that it tells of the model and its past alone.
    """

    frames: NDArray[np.int64]
    entropy: NDArray[np.float64]


class MusicGen:
    """A loaded model. Immutable; any number of streams share it.

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
    step_weights
        Weights of the decoder that every step reads.
    defaults
        Sampling that the model's card recommends.
    policy
        How its streams go on for ever, unless they are told otherwise.
    follows_melody
        Whether a stream of it can be given a melody.
    backend
        What computes its steps.
    """

    def __init__(self, checkpoint: Checkpoint, backend: Backend) -> None:
        # not the checkpoint itself: the backend has the decoder's weights in a layout of its own
        self.backend = backend
        self._prompts = checkpoint.prompts
        # the reference is exact to the sample; the others, whose tokens are not either, decode as fast as it goes
        self._codec = checkpoint.codec if backend.name == "torch" else fastest(checkpoint.codec)
        self._encoder = checkpoint.encoder
        self._pad = checkpoint.pad
        self._delays, self._turns = checkpoint.delays, checkpoint.turns
        self._device = checkpoint.decoder.device
        self._positions = len(checkpoint.decoder.positions)
        self._melodies = checkpoint.melodies
        self._longest_prefix = checkpoint.melodies.length + checkpoint.prompts.longest if checkpoint.melodies else 0
        self._embedding = (checkpoint.decoder.embed, checkpoint.decoder.offsets)
        # lru_cache answers for known prompts at once, also while another thread is encoding a new one
        self._conditioning = lru_cache(maxsize=PROMPTS_KEPT)(self._encode)
        self.name = checkpoint.name
        self.licence = checkpoint.licence
        self.channels = checkpoint.channels
        self.codebooks = checkpoint.decoder.codebooks
        self.step_weights = checkpoint.decoder.step_size
        self.sample_rate = checkpoint.codec.sample_rate
        self.hop = checkpoint.codec.hop
        self.frame_rate = self.sample_rate / self.hop
        self.defaults = checkpoint.defaults
        self.policy = checkpoint.policy
        self.follows_melody = checkpoint.melodies is not None

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
            compute in float32; so does the codec, except where another backend than "torch" gains from float16, see
            docs/codec.md.
        backend
            What computes the steps: "torch" is exact, "native" and "onnx" have 8-bit weights, see
            :data:`musicgen.backends.NAMES`; "auto" for the fastest that can run here, "cuda" on an NVIDIA GPU.
        threads
            Of a step; None for as many as a short measurement finds best. The torch backend's are torch's own, of the
            whole process.
        anchor
            How its streams go on for ever, see :func:`musicgen.cache.anchored`.
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

    def encode_prompt(self, text: str) -> Conditioning:
        """Encode a prompt, or find it among the last ones. From any thread: prepare here what a stream takes over."""
        return self._conditioning(text)

    def _encode(self, text: str) -> Conditioning:
        if not text:
            return Conditioning("", None)
        states = self._prompts.states(text)
        return Conditioning(text, None, states) if self._melodies else Conditioning(text, self.backend.prompt(states))

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
        if self._melodies is None:
            raise ModelError(f"{self.name} follows no melody: use a melody model, such as 'facebook/musicgen-melody'.")
        return self._melodies.melody(sound, sample_rate)

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
        return self._encoder.encode(sound)

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


class Stream:
    """One endless piece. Made by :meth:`MusicGen.stream`; belongs to one thread.

    Attributes
    ----------
    sampling
        May be changed at any time; the next step uses it.
    frames_done
        Frames given so far.
    entropy
        Of codebook 0 as it was last drawn, see :class:`Trace`; 0 before the first step.
    trace
        Of the last chunk; empty before the first one.
    """

    def __init__(
        self,
        model: MusicGen,
        sampling: Sampling,
        seed: int,
        codec: Literal["exact", "overlap"] | Decoder,
        policy: StreamingPolicy,
    ) -> None:
        prefix = model._longest_prefix
        if policy.max_position > model._positions - prefix:
            raise ValueError(f"max_position must be at most {model._positions - prefix} for this model")
        self.model = model
        self.sampling = sampling
        self._generator = torch.Generator(model._device)
        self._state = model.backend.new_state(
            replace(policy, max_position=policy.max_position + prefix, prefix=prefix) if prefix else policy
        )
        self._delay = DelayLine(model._delays, model._pad, model._turns)
        if policy.keep % self._delay.turns_a_frame or policy.max_position % self._delay.turns_a_frame:
            raise ValueError(f"keep and max_position must be whole frames, {self._delay.turns_a_frame} steps each")
        self._lanes = (
            PrefixLanes(model.backend, self._state, self._delay, model._embedding) if model.follows_melody else None
        )
        self._melody: Melody | None = None
        self._melody_start = 0  # the frame at which its loop begins
        # what a lane has to consume again where no shadow does so beside it
        self._last: deque[Tokens] | None = deque(maxlen=policy.keep) if policy.lanes == 1 else None
        self._codec = open_decoder(model._codec, model.channels, codec) if isinstance(codec, str) else codec
        self._prompts = [model.encode_prompt(""), model.encode_prompt("")]
        self._frame: Tokens | None = None  # whole, not given yet: a neighbour in the batch takes more steps, or failed
        self._made: list[tuple[Tokens, float]] = []  # frames and their entropy, not decoded yet for the same reason
        self.reset(seed)

    @property
    def position(self) -> int:
        """The position that the next step takes, always < max_position."""
        return self._state.position

    @property
    def prompt(self) -> str:
        """What is played now; "" for none."""
        return self._prompts[0].text

    @property
    def negative_prompt(self) -> str:
        """What is kept away from; "" for none."""
        return self._prompts[1].text

    def set_prompt(self, text: str) -> None:
        """Change the prompt from the next step on; the past stays, so the music leads over. "" for none.

        A melody model needs up to half a second to take it in, while it plays on.
        """
        self._prompts[0] = self.model.encode_prompt(text)
        self._change_prefix()

    def set_negative_prompt(self, text: str) -> None:
        """Change what to keep away from; acts where guidance is above 1. "" for none."""
        self._prompts[1] = self.model.encode_prompt(text)
        self._change_prefix()

    @property
    def melody(self) -> Melody | None:
        """The tune that is followed."""
        return self._melody

    def set_melody(self, melody: Melody | None, begins: int = 0) -> None:
        """Follow a tune from now on, in a loop; None for none. It is taken in as a prompt is.

        Parameters
        ----------
        begins
            Frames from now on at which it begins; below 0 it has begun already.

        Raises
        ------
        ModelError
            The model follows no melody.
        """
        if melody is not None and not self.model.follows_melody:
            raise ModelError(f"{self.model.name} follows no melody: use a melody model.")
        self._melody, self._melody_start = melody, self._delay.steps // self._delay.turns_a_frame + begins
        self._change_prefix()

    def _change_prefix(self) -> None:
        if self._lanes is not None:
            self._lanes.change()

    def _prefix(self, begin: int) -> Tensor:
        """What stands in front of a lane whose first frame is number ``begin``: chroma and text, (2, P, d) float32.

        The null row has no melody and, unless there is a negative prompt, no text: zeros, where the other row has some.
        """
        encoder, texts = self.model._melodies, [prompt.states for prompt in self._prompts]
        assert encoder is not None
        offset = (begin - self._melody_start) * self.model.hop
        tunes = [encoder.states(self._melody, offset), encoder.states(None)]
        length = max(1, *(0 if text is None else len(text) for text in texts))
        return torch.stack(
            [torch.cat([tune, _padded(text, length, tune)]) for tune, text in zip(tunes, texts, strict=True)]
        )

    def reseed(self, seed: int) -> None:
        """Start the random numbers anew; nothing else changes."""
        self._generator.manual_seed(seed)

    def reset(self, seed: int) -> None:
        """Start the piece anew, as a fresh stream with the present prompts and sampling would."""
        self.reseed(seed)
        self._drop()
        self._state.reset()
        self._delay.reset()
        self._melody_start = 0
        if self._lanes is not None:
            self._lanes.reset()
        self._codec.reset()
        self._ahead = np.zeros((0, self.model.channels), np.float32)  # decoded, not given yet
        self.frames_done = 0
        self.entropy = 0.0
        self.trace = Trace(np.zeros((self.model.codebooks, 0), np.int64), np.zeros(0))

    def _drop(self) -> None:
        """Forget what was made and not given."""
        self._frame = None
        self._made.clear()

    @property
    def memory_frames(self) -> int:
        """How many frames :meth:`continue_from` and :meth:`reanchor` can take in; of more they take the last ones."""
        return (self._state.policy.life - self._state.policy.keep) // self._delay.turns_a_frame

    def continue_from(self, frames: NDArray[np.int64], seed: int) -> Audio:
        """Start the piece anew as the continuation of frames.

        The tokens that follow are those of transformers' ``generate(decoder_input_ids=frames)``.

        Parameters
        ----------
        frames
            (K, F) int64, see :meth:`MusicGen.encode`; F >= 1.

        Returns
        -------
        Audio
            Their sound, (samples, channels). What :meth:`next_chunk` gives then follows it without a seam; a codec that
            looks ahead owes its last samples until then.

        Raises
        ------
        ValueError
            The frames are not the model's.
        """
        self._check_frames(frames)
        self.reset(seed)
        sound = self._codec.decode(frames)
        self._replay(frames[:, -self.memory_frames :])
        return sound

    def reanchor(self, frames: NDArray[np.int64], seed: int) -> None:
        """Go on as if these frames (K, F), F >= 1, had been played last; the sound goes on without a seam.

        It takes about as long as an answer to a prompt of so many tokens: some steps.

        Raises
        ------
        ValueError
            The frames are not the model's.
        """
        self._check_frames(frames)
        frames, turns = frames[:, -self.memory_frames :], self._delay.turns_a_frame
        self.reseed(seed)
        # a melody goes on where it is, while the frames are counted anew
        self._melody_start += frames.shape[1] + int(self._delay.delays.max()) - self._delay.steps // turns
        self._replay(frames)

    def _replay(self, frames: NDArray[np.int64]) -> None:
        """Make these frames the past, at most as many as fit."""
        self._drop()
        self._state.reset()
        self._delay.reset()
        if self._lanes is not None:
            self._lanes.reset()
        sampled = self._delay.sampled(frames)
        whole = frames.shape[1] * self._delay.turns_a_frame  # steps that know all they consume
        for column in sampled[:whole]:
            self._push(column)
        if self._lanes is None:
            self._consume(sampled[:whole])
        for column in sampled[whole:]:
            logits = self.model.backend.step([self._state], [self._columns()], [self._kv])
            _check_numbers([self], logits)
            self._state.advance()
            drawn = sample(logits[0], self.sampling, self._generator).cpu().numpy()
            self._push(np.where(column >= 0, column, drawn))

    def _consume(self, sampled: NDArray[np.int64]) -> None:
        """Put an empty lane behind these columns (T, K) at once, as if it had seen them one after the other."""
        inputs = self._delay.masked(np.arange(len(sampled)), np.roll(sampled, 1, axis=0))
        table, offsets = self.model._embedding
        embedded = F.embedding(torch.from_numpy(inputs).to(table.device) + offsets, table).sum(1)
        with torch.inference_mode():
            self.model.backend.prefill(self._state, embedded.expand(2, -1, -1), self._kv)

    def _check_frames(self, frames: NDArray[np.int64]) -> None:
        vocabulary = self.model._pad
        if frames.ndim != 2 or len(frames) != self.model.codebooks or not frames.shape[1]:
            raise ValueError(f"frames of shape {frames.shape} are not the model's: ({self.model.codebooks}, 1 or more)")
        if not 0 <= frames.min() <= frames.max() < vocabulary:
            raise ValueError(f"a token of the frames is outside 0 .. {vocabulary - 1}")

    @property
    def _kv(self) -> Prompts:
        return self._prompts[0].kv, self._prompts[1].kv

    def _push(self, column: Tokens) -> Tokens | None:
        frame = self._delay.push(column)
        if self._last is not None:
            self._last.append(column)
            if self._state.used_up:
                self._state.reset()
                self._consume(np.stack(self._last))
        if self._lanes is not None:
            self._lanes.pushed(column)
        return frame

    def next_frame(self) -> Tokens:
        """The next frame, (K,) int64. The first one takes as many steps more as the largest delay."""
        return next_frames([self])[0]

    def _columns(self) -> NDArray[np.int64]:
        """What the next step consumes, (lanes, K)."""
        state = self._state
        if self._lanes is not None:
            self._lanes.prepare(self._prefix)
        return np.stack([self._delay.column(state.positions[lane] - state.starts[lane]) for lane in state.lanes])

    def _take(self, logits: Tensor) -> None:
        """Draw from a step's logits; the frame that is whole with it, if one is, waits to be given."""
        self._state.advance()
        if self._delay.steps % self._delay.turns_a_frame == 0:  # codebook 0's turn
            self.entropy = float(torch.special.entr(logits[0, 0].softmax(-1)).sum())
        column: Tokens = sample(logits, self.sampling, self._generator).cpu().numpy()
        self._frame = self._push(column)

    def next_chunk(self, frames: int) -> Audio:
        """Generate ``frames`` frames and decode them.

        Returns
        -------
        NDArray
            (samples, channels) float32 at the model's sample rate. A codec that looks ahead owes the last samples until
            more frames come, so the first chunks are shorter, perhaps empty; all later ones have ``frames * hop``.

        Raises
        ------
        NotANumber
            The model computed none.
        """
        return next_chunks([self], frames)[0]

    def flush(self) -> Audio:
        """The samples that the codec still owes, (samples, channels): the end of the piece. Then only reset goes on."""
        audio = np.concatenate([self._ahead, self._codec.flush()])
        self._ahead = audio[:0]
        return audio

    def audio(self, seconds: float, chunk_frames: int = 5) -> Iterator[Audio]:
        """The next ``seconds`` of audio in chunks, (samples, channels) float32.

        They are ``round(seconds * sample_rate)`` samples in all. The stream goes on afterwards: two calls
        give what one call for both would.

        Parameters
        ----------
        chunk_frames
            Frames that are generated at once. Fewer wait less, more cost less.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds must be 0 or more, not {seconds}")
        owed = round(seconds * self.model.sample_rate)
        while owed:
            audio = self._ahead if len(self._ahead) else self.next_chunk(chunk_frames)
            chunk, self._ahead = audio[:owed], audio[owed:]
            owed -= len(chunk)
            if len(chunk):
                yield chunk


def _padded(states: Tensor | None, length: int, like: Tensor) -> Tensor:
    """States (S, d) and zeros behind them, (length, d)."""
    padded = like.new_zeros(length, like.shape[1])
    if states is not None:
        padded[: len(states)] = states
    return padded


@torch.inference_mode()
def next_frames(streams: Sequence[Stream]) -> list[Tokens]:
    """The next frame of every stream, (K,) int64 each, in batches that read the model's weights once for all of them.

    A stream's music does not depend on its neighbours: streams may join and leave between any two calls.

    Parameters
    ----------
    streams
        Different streams of one model, at least one. Those that have just begun take as many steps more as their
        largest delay; the others wait for them.

    Raises
    ------
    ValueError
        They are not of one model.
    NotANumber
        The model computed none for some of the streams. The others lose nothing: they go on without those.
    """
    model = streams[0].model
    if any(stream.model is not model for stream in streams):
        raise ValueError("only streams of one model can be stepped together")
    while waiting := [stream for stream in streams if stream._frame is None]:
        prompts = [stream._kv for stream in waiting]
        columns = [stream._columns() for stream in waiting]
        states = [stream._state for stream in waiting]
        logits = model.backend.step(states, columns, prompts)
        _check_numbers(waiting, logits)
        for stream, own in zip(waiting, logits, strict=True):
            stream._take(own)
    frames = [cast(Tokens, stream._frame) for stream in streams]
    for stream in streams:
        stream._frame = None
        stream.frames_done += 1
    return frames


def _check_numbers(streams: Sequence[Stream], logits: Tensor) -> None:
    """Raise NotANumber where a stream's logits, (2, K, V) each, are none; before any of the streams has moved."""
    if not math.isfinite(float(logits.sum())):
        broken = [stream for stream, own in zip(streams, logits, strict=True) if not own.isfinite().all()]
        raise NotANumber(streams[0].model.name, broken)


def next_chunks(streams: Sequence[Stream], frames: int) -> list[Audio]:
    """The next frames of every stream as :meth:`Stream.next_chunk` gives them, computed together as far as possible.

    Raises
    ------
    ValueError
        They are not of one model.
    NotANumber
        The model computed none for some of the streams. The others lose nothing: they go on without those.
    """
    while waiting := [stream for stream in streams if len(stream._made) < frames]:
        for stream, frame in zip(waiting, next_frames(waiting), strict=True):
            stream._made.append((frame, stream.entropy))
    codes = []
    for stream in streams:
        own, entropies = zip(*stream._made[:frames], strict=True)
        del stream._made[:frames]
        codes.append(np.stack(own, axis=1))
        stream.trace = Trace(codes[-1], np.array(entropies))
    sounds = decode_many([stream._codec for stream in streams], codes)
    chunks = [np.concatenate([stream._ahead, sound]) for stream, sound in zip(streams, sounds, strict=True)]
    for stream in streams:
        stream._ahead = stream._ahead[:0]
    return chunks
