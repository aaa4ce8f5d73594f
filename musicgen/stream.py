"""A stream: frames and audio without end.

One class, although it is long: what it is asked to play, what it remembers, how it draws and what its codec owes belong
to one piece of music, and are begun anew, left to a successor and traded for another's together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from musicgen.codec import Decoder
from musicgen.conditions import Conditions, Scene, Weighted, blended, strongest
from musicgen.delay import Tokens
from musicgen.ensemble import Audio, Ensemble, Logits, step
from musicgen.errors import ModelError
from musicgen.melody import Melody
from musicgen.past import StreamingPolicy
from musicgen.sampling import Sampling, Twister, entropy, sample
from musicgen.score import Fields, Score, unknown
from musicgen.state import StreamState, Trace

if TYPE_CHECKING:
    from musicgen.model import MusicGen

HEARD = 1.0  # seconds that the codec of a stream hears that goes on elsewhere: an LSTM has forgotten what was before

_OF_THE_MUSIC = (
    *("conditions", "past", "decoder", "sampling", "frames_done", "entropy", "trace"),
    *("_twister", "_frame", "_made", "_ahead", "_lora", "_retracted", "_before"),
)
"""What two streams trade."""


class Stream:
    """One endless piece. Made by :meth:`musicgen.MusicGen.stream`; belongs to one thread.

    Attributes
    ----------
    model
        What plays.
    sampling
        May be changed at any time; the next step uses it.
    conditions
        What it is asked to play.
    past
        What it remembers.
    decoder
        Its frames to sound.
    frames_done
        Frames given so far.
    entropy
        Of codebook 0 as it was last drawn, see :class:`Trace`; 0 before the first step.
    trace
        Of the last chunk; empty before the first one.
    score
        What its frames are told beside the prompt, see :meth:`set_score`; None for nothing.
    """

    def __init__(
        self,
        model: MusicGen,
        sampling: Sampling,
        seed: int,
        codec: Literal["exact", "overlap"] | Decoder,
        policy: StreamingPolicy,
    ) -> None:
        self.model = model
        self.sampling = sampling
        self.conditions = Conditions(model)
        self._codec, self._policy = codec, policy
        self.past = model.new_past(policy, self.conditions)
        self.decoder = model.new_decoder(codec) if isinstance(codec, str) else codec
        self._twister = Twister()
        self.score: Score | None = None
        self._frame: Tokens | None = None  # whole, not given yet: a neighbour in the batch takes more steps, or failed
        # frames, their entropy and what they were told, not decoded yet for the same reason
        self._made: list[tuple[Tokens, float, Fields]] = []
        self._retracted: list[Tokens] = []  # columns whose steps are to be made anew, -1 where the token is, too
        self._lora = model.lora_strength  # that its conditions were encoded with
        self.reset(seed)

    @property
    def position(self) -> int:
        """The position that the next step takes, always < max_position."""
        return self.past.state.position

    @property
    def prompt(self) -> str:
        """What is played now, of a blend what there is most of; "" for none."""
        return strongest(self.prompts)

    @property
    def prompts(self) -> Weighted:
        """What is played now, see :meth:`set_prompts`: each text once, sorted, the weights' sum 1."""
        return self.conditions.scene.prompts

    @property
    def negative_prompt(self) -> str:
        """What is kept away from; "" for none."""
        return self.conditions.scene.negative

    def set_prompt(self, text: str) -> None:
        """Change the prompt from the next step on; the past stays, so the music leads over. "" for none.

        A melody model needs up to half a second to take it in, while it plays on.
        """
        self.set_prompts([(text, 1.0)])

    @property
    def blends(self) -> bool:
        """Whether several prompts can be played at once: a melody model has its one prompt in front of the music."""
        return not self.model.follows_melody

    def set_prompts(self, prompts: Iterable[tuple[str, float]]) -> None:
        """Change to a blend of prompts from the next step on. Other weights for the same texts cost next to nothing.

        The prompts lie side by side in what the music attends to, and the logarithm of its weight raises or lowers each
        of them as a whole: no step computes a row more. Where only one has a weight, it plays as if it were alone.

        Parameters
        ----------
        prompts
            Texts, "" for none, and weights, 0 or more. Only their ratios count, and those of the same text add up.

        Raises
        ------
        ValueError
            A weight is below 0 or no number, none is above 0, or there are more than 8 prompts.
        ModelError
            The model follows melodies, and there is more than one prompt: it has its prompt in front of the music.
        """
        self._ask(self.conditions.scene._replace(prompts=blended(prompts)))

    def set_negative_prompt(self, text: str) -> None:
        """Change what to keep away from; acts where guidance is above 1. "" for none."""
        self._ask(self.conditions.scene._replace(negative=text))

    def redraw(self) -> None:
        """Draw anew what steps have begun of frames that are not whole, as if they had been asked for what is now.

        Without it a change is heard little by little, over as many frames as the largest delay: their first codebooks
        were drawn before it. With it every token of the next frame is drawn after it, and none of the frame before. The
        next frame takes as many steps more as are made anew. In a model that follows melodies nothing changes: it takes
        in a change later, and at one frame.
        """
        begun = int(self.past.line.delays.max()) * self.past.line.turns_a_frame - len(self._retracted)
        if self.past.line.steps >= begun:
            self._retracted[:0] = self.past.retract(begun)

    def _ask(self, scene: Scene) -> None:
        self.conditions.ask(scene)
        self.past.change()

    @property
    def melody(self) -> Melody | None:
        """The tune that is followed."""
        return self.conditions.melody

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
        self.conditions.melody = melody
        self.conditions.melody_start = self.frames_begun + begins
        self.past.change()

    def set_score(self, score: Score | None) -> None:
        """Ask this for the score of every frame from the next step on; None for none.

        It is called with the number of a frame when the step is made that draws the frame's first codebook: on the
        thread that steps, once a frame, and once more where :meth:`redraw` draws a frame anew. Numbers count as
        ``frames_done`` does: the frame that is given next has the number ``frames_done``, wherever a replay, a turn or
        a successor has set the stream down; the frame that is being begun lies up to the largest delay behind that. In
        the first steps, and in those that make the last frames of a past whole, they are those of that frame too.

        It gives float32 (fields,), see :data:`musicgen.score.FIELDS`, NaN where nothing is known, or None for nothing.
        What it gives is remembered with the frame, so that a re-anchor, a redraw's neighbours and a successor know it
        again; what it raises, the call for the next frame or chunk raises, and nothing has moved.

        Parameters
        ----------
        score
            Answers at once, and alike as long as what was asked for is the same. A reset keeps it, a trade too: what
            is asked for stays with the stream that is asked.

        Raises
        ------
        ModelError
            The model follows no score.
        """
        if score is not None and not self.model.follows_score:
            raise ModelError(f"{self.model.name} follows no score, words only: say it in the prompt, or use 'nano'.")
        self.score = score

    def asked(self) -> Fields | None:
        """The score of the frame whose first codebook the next step draws; None where there is none, or no such."""
        line = self.past.line
        if self.score is None or line.steps % line.turns_a_frame:
            return None
        return self.score(self.frames_begun - self._before)

    @property
    def frames_begun(self) -> int:
        """Frames that a step has drawn a token of, given or not."""
        return self.past.line.steps // self.past.line.turns_a_frame

    @property
    def random_state(self) -> NDArray[np.uint8]:
        """Where the random numbers stand, as torch's generators have it."""
        return self._twister.state

    def reseed(self, seed: int) -> None:
        """Start the random numbers anew; nothing else changes."""
        self._twister.seed(seed)

    def reset(self, seed: int) -> None:
        """Start the piece anew, as a fresh stream with the present prompts and sampling would."""
        self.reseed(seed)
        self.forget()
        self.past.reset()
        self.conditions.melody_start = 0
        self.decoder.reset()
        self._ahead = np.zeros((0, self.model.channels), np.float32)  # decoded, not given yet
        self.frames_done = 0
        self._before = 0  # frames of the past before the one that counts as number 0
        self.entropy = 0.0
        self.trace = Trace(np.zeros((self.model.codebooks, 0), np.int64), np.zeros(0), unknown(0))

    def forget(self) -> None:
        """What was made and not given; of the past that a replay takes the place of nothing else is left."""
        self._frame = None
        self._made.clear()
        self._retracted.clear()

    @property
    def memory_frames(self) -> int:
        """How many frames :meth:`continue_from` and :meth:`reanchor` can take in; of more they take the last ones.

        Half of the positions, so that as many are left to go on from them before the next anchor.
        """
        return self.past.state.policy.life // 2 // self.past.line.turns_a_frame

    def continue_from(self, frames: NDArray[np.int64], seed: int, fields: Fields | None = None) -> Audio:
        """Start the piece anew as the continuation of frames.

        The tokens that follow are those of transformers' ``generate(decoder_input_ids=frames)``.

        Parameters
        ----------
        frames
            (K, F) int64, see :meth:`musicgen.MusicGen.encode`; F >= 1.
        fields
            (F, fields): the score that these frames follow, as far as it is known; None for unknown.

        Returns
        -------
        Audio
            Their sound, (samples, channels). What :meth:`next_chunk` gives then follows it without a seam; a
            codec that looks ahead owes its last samples until then.

        Raises
        ------
        ValueError
            The frames are not the model's.
        """
        self.model.pattern.check(frames)
        self.reset(seed)
        sound = self.decoder.decode(frames)
        self._replay(frames, fields)
        return sound

    def reanchor(self, frames: NDArray[np.int64], seed: int, fields: Fields | None = None) -> None:
        """Go on as if these frames (K, F), F >= 1, had been played last; the sound goes on without a seam.

        fields: as :meth:`continue_from` takes them.

        It takes about as long as an answer to a prompt of so many tokens: some steps.

        Raises
        ------
        ValueError
            The frames are not the model's.
        """
        self.model.pattern.check(frames)
        self.reseed(seed)
        # a melody goes on where it is, while the frames are counted anew
        count = min(frames.shape[1], self.memory_frames)
        self.conditions.melody_start += count + int(self.past.line.delays.max()) - self.frames_begun
        self._replay(frames, fields)

    def another(self) -> Stream:
        """A fresh stream of the same model, which is asked to play the same; its score is its own to be set.

        Raises
        ------
        ValueError
            Its decoder is the caller's own, for one stream alone.
        """
        if not isinstance(self._codec, str):
            raise ValueError("a decoder of your own is for one stream alone")
        stream = Stream(self.model, replace(self.sampling), 0, self._codec, self._policy)
        stream.conditions.ask(self.conditions.scene)
        stream.conditions.melody = self.conditions.melody
        return stream

    def approach(
        self, frames: NDArray[np.int64], seed: int, parts: int, heard: int, fields: Fields | None = None
    ) -> Iterator[Audio]:
        """As :meth:`continue_from`, in so many parts, each about as long: for a stream that is to play later.

        Parameters
        ----------
        heard
            How many of the frames are decoded, the last ones, at least 1.
        fields
            As :meth:`continue_from` takes them.

        Yields
        ------
        Audio
            Part of their sound, (samples, channels). The stream is ready with the last one.

        Raises
        ------
        ValueError
            The frames are not the model's.
        """
        self.model.pattern.check(frames)
        self.reset(seed)
        self.renew()
        known, rest, told = self._recent(frames, fields)
        columns, scores = np.array_split(known, parts), np.array_split(told, parts)
        codes = np.array_split(frames[:, -heard:], parts, axis=1)
        for part in range(parts):
            self.past.follow(columns[part], scores[part])
            sound = self.decoder.decode(codes[part]) if codes[part].shape[1] else self._ahead[:0]
            if part == parts - 1:
                self._finish(rest)
            yield sound

    def trade(self, other: Stream, back: int | None) -> None:
        """Play what another stream would have, which plays on what this one would have: both go on without a gap.

        What is asked for stays with this one.

        Parameters
        ----------
        back
            The other stream's frames were this one's so many frames ago, so a melody goes back with them; None: they
            were not, and a melody begins anew.
        """
        begun = self.frames_begun - self.conditions.melody_start
        other.conditions.ask(self.conditions.scene)
        other.conditions.melody = self.conditions.melody
        other.conditions.melody_start = 0 if back is None else other.frames_begun - begun + back
        other.past.change()
        other.sampling = replace(self.sampling)
        for name in _OF_THE_MUSIC:
            own, others = getattr(self, name), getattr(other, name)
            setattr(self, name, others)
            setattr(other, name, own)

    def _hear(self, frames: NDArray[np.int64]) -> None:
        """Have the codec hear the last of these frames, so that what is decoded next goes on from them."""
        if frames.shape[1]:
            self.decoder.decode(frames[:, -round(HEARD * self.model.frame_rate) :])

    def _replay(self, frames: NDArray[np.int64], fields: Fields | None) -> None:
        """Make these frames the past, at most as many as fit."""
        self.forget()
        self.renew()
        known, rest, told = self._recent(frames, fields)
        self.past.replay(known, told)
        self._finish(rest)

    def _recent(
        self, frames: NDArray[np.int64], fields: Fields | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Fields]:
        """The last frames, as many as fit: columns of the steps that know all they consume, the others, and what each
        of the first ones is told. Numbers of frames count from their end on."""
        frames = frames[:, -self.memory_frames :]
        line, count = self.past.line, frames.shape[1]
        self._before = count - self.frames_done
        sampled, whole = line.sampled(frames), count * line.turns_a_frame
        told = unknown(whole)
        if fields is not None:
            told[:: line.turns_a_frame] = fields[-count:]
        return sampled[:whole], sampled[whole:], told

    def _finish(self, columns: NDArray[np.int64]) -> None:
        """Take the last columns (T, K) of a past, which know only a part of what they hold: the rest is drawn."""
        for column in columns:
            drawn = self._draw(step([self])[0])
            self.past.push(np.where(column >= 0, column, drawn))

    def renew(self) -> None:
        """Follow the model where its adapter's strength has changed: prompts read otherwise then."""
        if self._lora != self.model.lora_strength:
            self._lora = self.model.lora_strength
            self.conditions.renew()
            self.past.change()

    def state(self) -> StreamState:
        """Where the stream stands, to be taken between chunks; see :meth:`restore`. It copies some columns, no more."""
        return StreamState(
            self.past.remembered(),
            self.conditions.scene,
            self.conditions.melody_start,
            replace(self.sampling),
            self.random_state,
            self.frames_done,
            np.array(self._retracted, np.int64).reshape(-1, self.model.codebooks),
        )

    def restore(self, state: StreamState) -> None:
        """Go on where a stream of the same model and policy stood, also one in another process.

        Its past is consumed anew, each column under the prompts of then: with the native backend the tokens that follow
        are the same to the bit, with the others as near as a prefill is to single steps. A model that follows melodies,
        and whose melody is to be set first, goes on from its last frames instead, as after :meth:`reanchor`. The sound
        follows without a gap; the codec has heard the last second alone.
        """
        self.reset(0)
        self.conditions.ask(state.scene)
        self.conditions.melody_start = state.melody_start
        self.sampling = replace(state.sampling)
        self.past.remember(state.remembered)
        self._twister.state = state.random
        self.frames_done = state.frames_done
        self._retracted = list(state.retracted)
        given = (self.past.line.steps + len(self._retracted)) // self.past.line.turns_a_frame
        self._before = max(0, given - int(self.past.line.delays.max())) - self.frames_done
        self._hear(self.model.pattern.whole(state.remembered.columns, state.remembered.steps))

    def _draw(self, logits: Logits) -> Tokens:
        return sample(logits, self.sampling, self._twister)

    @property
    def steps_next(self) -> bool:
        """Whether the next frame takes a step: none is whole that was not given."""
        return self._frame is None

    def take(self, logits: Logits) -> None:
        """Draw from a step's logits; the frame that is whole with it, if one is, waits to be given."""
        if self.past.line.steps % self.past.line.turns_a_frame == 0:  # codebook 0's turn
            self.entropy = entropy(logits[0, 0])
        drawn = self._draw(logits)
        if self._retracted:
            known = self._retracted.pop(0)
            self.past.push(np.where(known >= 0, known, drawn))  # the frame that is whole with it was given before
        else:
            self._frame = self.past.push(drawn)

    def give(self) -> Tokens:
        """The frame that is whole, (K,) int64; it counts as given."""
        assert self._frame is not None
        frame, self._frame = self._frame, None
        self.frames_done += 1
        return frame

    @property
    def kept(self) -> int:
        """Frames that were given and wait to be decoded."""
        return len(self._made)

    def keep(self, frame: Tokens) -> None:
        """Have a frame that was given wait for those that it is decoded with."""
        self._made.append((frame, self.entropy, self.past.told(self.past.line.steps - self.past.line.depth)))

    def let_go(self, frames: int) -> NDArray[np.int64]:
        """So many of the frames that wait, (K, frames) int64, to be decoded now: they are what :attr:`trace` tells."""
        own, entropies, fields = zip(*self._made[:frames], strict=True)
        del self._made[:frames]
        self.trace = Trace(np.stack(own, axis=1), np.array(entropies), np.stack(fields))
        return self.trace.frames

    def joined(self, sound: Audio) -> Audio:
        """What is decoded and was not given, and a sound behind it, (samples, channels)."""
        joined = np.concatenate([self._ahead, sound])
        self._ahead = joined[:0]
        return joined

    def next_frame(self) -> Tokens:
        """The next frame, (K,) int64. The first one takes as many steps more as the largest delay."""
        return Ensemble([self]).next_frames()[0]

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
        return Ensemble([self]).next_chunks(frames)[0]

    def flush(self) -> Audio:
        """The samples that the codec still owes, (samples, channels): the end of the piece. Then only reset goes on."""
        audio = self.joined(self.decoder.flush())
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
