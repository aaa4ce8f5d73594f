"""Melody models: their streams are transformers' ``generate``, and a new prompt or melody is taken in without a gap."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import MusicgenMelodyFeatureExtractor

from musicgen import Ensemble, ModelError, MusicGen, Stream, StreamingPolicy
from musicgen.backends import NAMES, Backend, obstacle, prepare
from musicgen.backends.cuda_step import CudaBackend
from musicgen.backends.torch_step import TorchBackend
from musicgen.decoder import DecoderWeights
from musicgen.load.checkpoint import load_checkpoint
from musicgen.past.prefix import PrefixPast
from musicgen.sampling import Twister
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

SHAPES: dict[str, dict[str, Any]] = {
    "mono": {},
    "stereo": {"channels": 2},
    "stereo, odd sizes, no projections": {
        "channels": 2, "hidden": 12, "heads": 3, "layers": 3, "ffn": 50, "codebooks": 3, "vocab": 32, "text_hidden": 12,
    },
}  # fmt: skip
OPTIONS: dict[str, Any] = {"top_k": 50, "guidance_scale": 3.0}
RATE = 32000


def tune(*notes: float, seconds: float = 1.0) -> NDArray[np.float32]:
    """Notes (Hz) one after the other."""
    time = np.arange(int(seconds * RATE)) / RATE
    return np.concatenate([np.sin(2 * np.pi * note * time) for note in notes]).astype(np.float32)


def moved_on(oracle: Oracle, sound: NDArray[np.float32], frames: int) -> torch.Tensor:
    """The chroma that transformers hears in a sound of which so many codec frames are over, to the nearest of its own
    frames, in a loop."""
    chroma = oracle.chroma(sound)[0]
    return chroma.roll(-round(frames * 640 / 4096), 0).repeat(235, 1)[:235]


TUNE = tune(440, 523.25, 659.25, 392, seconds=1.5)
OTHER = tune(311.13, 466.16)


@pytest.fixture(scope="module", params=SHAPES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[MusicGen, Oracle]:
    folder = tiny_checkpoint(tmp_path_factory.mktemp("melody"), melody=True, seed=4, **SHAPES[request.param])
    return MusicGen.load(str(folder), backend="torch"), Oracle(folder)


@pytest.fixture(scope="module")
def mono(tmp_path_factory: pytest.TempPathFactory) -> tuple[MusicGen, Oracle]:
    folder = tiny_checkpoint(tmp_path_factory.mktemp("melody") / "mono", melody=True, seed=4)
    return MusicGen.load(str(folder), backend="torch"), Oracle(folder)


def frames_of(stream: Stream, count: int) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


def test_notes_that_are_played_have_the_chroma_that_transformers_hears_in_their_sound(
    mono: tuple[MusicGen, Oracle],
) -> None:
    model, oracle = mono
    notes = (69, 72, 76, 67, 60, 61, 62, 63, 65, 66, 68, 70, 71)
    sound = tune(*(440 * 2 ** ((note - 69) / 12) for note in notes), seconds=1.024)
    rate = 1000 / 8.192
    held = np.repeat(notes, 125).astype(np.int64)
    ours, heard = model.tune(held, rate).chroma, oracle.chroma(sound)[0].numpy()
    assert ours.shape == heard.shape
    (other,) = np.nonzero((ours != heard).any(1))
    # Every eighth window has its middle where one note ends and the next begins: either is right, whatever rounds.
    assert (other % 8 == 0).all()
    windows = np.append(np.repeat([note % 12 for note in notes], 8), notes[-1] % 12)
    for place in other:
        assert {ours[place].argmax(), heard[place].argmax()} == {windows[place - 1], windows[place]}


def test_a_rest_follows_the_note_before_it_and_nothing_but_rests_is_no_tune(mono: tuple[MusicGen, Oracle]) -> None:
    model, _ = mono
    held = np.array([-1] * 50 + [69] * 50 + [-1] * 50 + [60] * 50, np.int64)
    assert model.tune(held, 50).chroma.argmax(1).tolist() == [9] * 24 + [0] * 8
    with pytest.raises(ValueError, match="at least one note"):
        model.tune(held[:50], 50)


@pytest.mark.parametrize("rate", [0.5, 3.0, 7.0])
def test_however_long_the_moments_are_their_notes_are_followed(mono: tuple[MusicGen, Oracle], rate: float) -> None:
    model, _ = mono
    notes = np.array([61, 63, -1, 65, 68])
    expected = model.tune(np.repeat(notes, 100), 100 * rate).chroma.argmax(1)
    heard = model.tune(notes, rate).chroma.argmax(1)
    assert set(heard) == {1, 3, 5, 8}
    assert (heard != expected).sum() <= 3  # where one note ends and the next begins


def test_only_melody_models_take_notes(tiny_model: MusicGen) -> None:
    with pytest.raises(ModelError, match="follows no melody"):
        tiny_model.tune(np.array([60]), 50)


@pytest.mark.parametrize("guidance", [3.0, 1.0])
@pytest.mark.parametrize("sound", [None, TUNE], ids=["without", "with"])
def test_stream_equals_generate(
    pair: tuple[MusicGen, Oracle], sound: NDArray[np.float32] | None, guidance: float
) -> None:
    model, oracle = pair
    options: dict[str, Any] = {"top_k": 50, "guidance_scale": guidance}
    expected = oracle.generate("calm piano with rain", 50, seed=7, melody=sound, **options)
    melody = None if sound is None else model.melody(sound, RATE)
    stream = model.stream("calm piano with rain", melody=melody, seed=7, top_k=50, guidance=guidance)
    np.testing.assert_array_equal(frames_of(stream, expected.shape[1]), expected)


def test_prompt_melody_and_seed_are_heard(mono: tuple[MusicGen, Oracle]) -> None:
    model, _ = mono
    played = {
        (prompt, index, seed): frames_of(model.stream(prompt, melody=melody, seed=seed), 30).tobytes()
        for prompt in ("deep house", "slow ambient strings", "")
        for index, melody in enumerate((None, model.melody(TUNE, RATE), model.melody(OTHER, RATE)))
        for seed in (1, 2)
    }
    assert len(set(played.values())) == len(played)


def test_chroma_is_transformers(mono: tuple[MusicGen, Oracle]) -> None:
    """Of sounds shorter and longer than the 30 s the models take, in any rate, mono or not."""
    model, oracle = mono
    encoder, projection = model.melodies, oracle.model.audio_enc_to_dec_proj
    assert encoder is not None
    for sound in (TUNE, TUNE[:100], np.tile(TUNE, 6)):
        chroma = oracle.chroma(sound)[0]
        repeated = chroma.repeat(235, 1)[:235]
        with torch.no_grad():
            expected = projection(repeated)
        np.testing.assert_allclose(encoder.states(model.melody(sound, RATE)), expected, atol=1e-6, rtol=1e-6)
    stereo = np.stack([TUNE, -0.5 * TUNE], axis=1)
    assert np.array_equal(encoder.states(model.melody(stereo, RATE)), encoder.states(model.melody(0.25 * TUNE, RATE)))


def test_the_chroma_of_a_whole_song_is_transformers(mono: tuple[MusicGen, Oracle]) -> None:
    """Though it is made of pieces, and transformers itself stops after 30 s."""
    model, oracle = mono
    noise = np.random.default_rng(1).normal(size=70 * RATE).astype(np.float32)
    for samples in (len(noise), 469 * 4096 + 1, 470 * 4096 - 1):
        song = noise[:samples]
        extractor = cast(Any, MusicgenMelodyFeatureExtractor).from_pretrained(oracle.folder)
        whole = extractor(song, sampling_rate=RATE, max_length=samples, return_tensors="pt")["input_features"][0]
        assert np.array_equal(model.melody(song, RATE).chroma, whole)


def test_a_melody_in_another_rate_has_the_same_notes(mono: tuple[MusicGen, Oracle]) -> None:
    model, _ = mono
    encoder = model.melodies
    assert encoder is not None
    time = np.arange(44100 * 4) / 44100
    other = np.sin(2 * np.pi * 440 * time)
    assert np.array_equal(
        encoder.states(model.melody(other, 44100)), encoder.states(model.melody(tune(440, seconds=4), RATE))
    )


def frames_until_taken_in(stream: Stream) -> tuple[list[NDArray[np.int64]], int, NDArray[np.uint8]]:
    """Play until the last change has been taken in.

    Returns the frames, how many steps were done before the first step that knew of it, and the random numbers' state.
    """
    past, frames = stream.past, []
    assert isinstance(past, PrefixPast)
    while True:
        steps, random_state = stream.past.line.steps, stream.random_state
        frames.append(stream.next_frame())
        if past.up_to_date:
            return frames, steps, random_state


@pytest.mark.parametrize("change", ["prompt", "negative prompt", "melody", "melody that has begun", "no melody"])
def test_a_change_goes_on_as_generate_would_with_the_last_frames(pair: tuple[MusicGen, Oracle], change: str) -> None:
    """From the step on at which it has been taken in, and no frame is missing or comes twice."""
    model, oracle = pair
    keep = 20
    policy = StreamingPolicy(keep=keep, max_position=400)
    stream = model.stream("deep house", melody=model.melody(TUNE, RATE), seed=3, top_k=50, guidance=3.0, policy=policy)
    played = list(frames_of(stream, 40).T)
    changed_at = stream.past.line.steps
    begin = changed_at - keep
    prompt, negative = "deep house", ""
    heard: torch.Tensor | None = moved_on(oracle, TUNE, begin)
    if change == "prompt":
        prompt = "calm piano with rain and warm bass"
        stream.set_prompt(prompt)
    elif change == "negative prompt":
        negative = "jazz"
        stream.set_negative_prompt(negative)
    elif change == "melody":
        heard = moved_on(oracle, OTHER, -keep)  # its beginning is heard from the change on
        stream.set_melody(model.melody(OTHER, RATE))
    elif change == "melody that has begun":
        heard = moved_on(oracle, OTHER, 30 - keep)
        stream.set_melody(model.melody(OTHER, RATE), begins=-30)
    else:
        heard = None
        stream.set_melody(None)
    frames, steps, random_state = frames_until_taken_in(stream)
    assert changed_at < steps < changed_at + 25
    played += frames + list(frames_of(stream, 20).T)
    assert len(played) == stream.frames_done
    whole = np.stack(played, 1)
    expected = oracle.generate(
        prompt, 20, negative=negative, melody=heard, frames=whole[:, begin:steps], random_state=random_state, **OPTIONS
    )
    until = expected.shape[1]
    assert until > steps - begin + 10
    np.testing.assert_array_equal(whole[:, begin : begin + until], expected)


@pytest.mark.parametrize(("keep", "life"), [(40, 100), (50, 100), (4, 12)])
def test_a_reanchored_stream_continues_as_generate_would(mono: tuple[MusicGen, Oracle], keep: int, life: int) -> None:
    """With the melody as far on as the music is."""
    model, oracle = mono
    policy = StreamingPolicy(keep=keep, max_position=life)
    stream = model.stream("slow ambient strings", melody=model.melody(TUNE, RATE), seed=4, top_k=50, policy=policy)
    played: list[NDArray[np.int64]] = []
    for _ in range(3):
        live = stream.past.state.lanes[0]
        while stream.past.state.lanes[0] == live:
            played.append(stream.next_frame())
        random_state, steps = stream.random_state, stream.past.line.steps
        assert stream.past.state.frames == keep
        rest = frames_of(stream, min(life - keep, 20) - 4)
        played += list(rest.T)
        whole = np.stack(played, 1)
        begin = steps - keep
        expected = oracle.generate(
            "slow ambient strings", rest.shape[1] + 3, melody=moved_on(oracle, TUNE, begin),
            frames=whole[:, begin:steps], random_state=random_state, **OPTIONS,
        )  # fmt: skip
        until = min(expected.shape[1], whole.shape[1] - begin)
        np.testing.assert_array_equal(whole[:, begin : begin + until], expected[:, :until])


def test_changes_faster_than_they_can_be_taken_in(mono: tuple[MusicGen, Oracle]) -> None:
    """Every frame comes, and in the end the last of them counts."""
    model, _ = mono
    stream = model.stream("deep house", seed=1, policy=StreamingPolicy(keep=10, max_position=40))
    for index in range(100):
        stream.set_prompt(("deep house", "jazz chords", "calm piano")[index % 3])
        stream.next_frame()
        assert 0 < stream.past.state.frames <= 40
    stream.set_prompt("warm bass")
    frames_of(stream, 40)
    assert isinstance(stream.past, PrefixPast) and stream.past.up_to_date
    assert stream.prompt == "warm bass"


def test_streams_in_one_batch_play_what_they_play_alone(mono: tuple[MusicGen, Oracle]) -> None:
    model, _ = mono
    policy = StreamingPolicy(keep=8, max_position=30)
    settings: list[dict[str, Any]] = [
        {"prompt": "deep house", "seed": 1},
        {"prompt": "jazz piano with rain", "seed": 2, "melody": model.melody(TUNE, RATE)},
    ]
    alone = [frames_of(model.stream(**setting, policy=policy), 60) for setting in settings]
    streams = [model.stream(**setting, policy=policy) for setting in settings]
    ensemble = Ensemble(streams)
    together = [ensemble.next_frames() for _ in range(60)]
    for index, expected in enumerate(alone):
        np.testing.assert_array_equal(np.stack([frames[index] for frames in together], 1), expected)


def test_reset_plays_the_same_again(mono: tuple[MusicGen, Oracle]) -> None:
    model, _ = mono
    stream = model.stream("deep house", melody=model.melody(TUNE, RATE), seed=1)
    first = frames_of(stream, 30)
    stream.set_prompt("jazz piano")
    frames_of(stream, 30)
    stream.set_prompt("deep house")
    stream.reset(1)
    np.testing.assert_array_equal(frames_of(stream, 30), first)


def test_a_melody_that_is_none(mono: tuple[MusicGen, Oracle], tiny_model: MusicGen) -> None:
    model, _ = mono
    with pytest.raises(ValueError, match="one sample"):
        model.melody(np.zeros(0, np.float32), RATE)
    with pytest.raises(ValueError, match="finite"):
        model.melody(np.array([0.0, np.nan]), RATE)
    assert not tiny_model.follows_melody
    with pytest.raises(ModelError, match="follows no melody"):
        tiny_model.melody(TUNE, RATE)
    with pytest.raises(ModelError, match="follows no melody"):
        tiny_model.stream(melody=model.melody(TUNE, RATE))


def test_silence_can_be_followed(mono: tuple[MusicGen, Oracle]) -> None:
    model, _ = mono
    stream = model.stream("deep house", melody=model.melody(np.zeros(RATE, np.float32), RATE))
    assert stream.next_frame().shape == (4,)


def test_it_sounds(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path, melody=True, channels=2)))
    audio = np.concatenate(list(model.stream("deep house", melody=model.melody(TUNE, RATE)).audio(0.5)))
    assert audio.shape == (RATE // 2, 2)
    assert audio.std() > 1e-3


def backend_named(name: str, weights: DecoderWeights, folder: Path) -> Backend:
    if name == "cuda":
        return CudaBackend(weights)  # without a GPU it computes the same, uncaptured
    if reason := obstacle(name):
        pytest.skip(reason)
    return prepare(weights, name, threads=1, folder=folder)


@pytest.mark.parametrize("name", NAMES)
def test_every_backend_takes_in_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Beside the reference, both playing the same tokens: prefix, change of prompt and re-anchor."""
    folder = tiny_checkpoint(tmp_path, melody=True, hidden=128, seed=4)
    checkpoint = load_checkpoint(str(folder))
    logits: list[NDArray[np.float32]] = []

    def forced(row: NDArray[np.float32], _sampling: Any, twister: Twister) -> NDArray[np.int64]:
        logits.append(row)
        return twister.choose(np.ones_like(row[0]))

    monkeypatch.setattr("musicgen.stream.sample", forced)
    for backend in (TorchBackend(checkpoint.decoder, threads=1), backend_named(name, checkpoint.decoder, folder)):
        model = MusicGen(checkpoint, backend)
        policy = StreamingPolicy(keep=20, max_position=60)
        stream = model.stream("deep house", melody=model.melody(TUNE, RATE), seed=1, policy=policy)
        frames_of(stream, 30)
        stream.set_prompt("calm piano")
        frames_of(stream, 70)
    expected, given = torch.from_numpy(np.stack(logits)).chunk(2)
    similar = torch.cosine_similarity(given.flatten(2), expected.flatten(2), dim=2)
    assert similar.min() > {"native": 0.99, "onnx": 0.99, "native-int6": 0.99, "native-int4": 0.9}.get(name, 0.999999)
