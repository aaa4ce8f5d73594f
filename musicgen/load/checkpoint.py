"""A name, folder or hub id to weights and settings.

What transformers alone can read, T5 for example, is left to :mod:`musicgen.load.with_transformers`, whose import takes
seconds: it is imported when a checkpoint needs it, and nano does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import tokenizers

from musicgen.codec import CodecWeights, read_codec, read_encoder
from musicgen.codec.encoder import CodecEncoder
from musicgen.codec.native_encoder import NativeEncoder
from musicgen.decoder import DecoderWeights, sinusoids
from musicgen.delay import DelayLine, delays_of
from musicgen.errors import ModelError, is_failure
from musicgen.load.checks import check_chroma, check_generation, check_model, check_tokenizer
from musicgen.load.decoder import Make, decoder_weights, maker
from musicgen.load.fields import STREAMING, TRAINED_FRAMES
from musicgen.load.hub import find_folder, is_audiocraft, read_config, read_json, unreadable
from musicgen.load.lora import Adapted, Adapter, base_folder, is_adapter, read_adapter
from musicgen.load.rules import check
from musicgen.load.tensors import Tensors, stored
from musicgen.melody import MelodyEncoder
from musicgen.past.policy import StreamingPolicy
from musicgen.sampling import Sampling
from musicgen.score import ScoreEmbedding
from musicgen.score import load as load_score
from musicgen.text.bert import bert_states, is_plain, read_bert
from musicgen.text.conditioning import LONGEST_PROMPT, Projection, PromptEncoder, TextEncoder

if TYPE_CHECKING:
    import torch

PREPROCESSOR = "preprocessor_config.json"
LICENCES = {"mit": "MIT", "cc-by-nc-4.0": "CC-BY-NC-4.0"}


@dataclass(frozen=True)
class Adaptable:
    """The parts of a checkpoint that a LoRA adapter changes."""

    decoder: DecoderWeights
    prompts: PromptEncoder
    melodies: MelodyEncoder | None


@dataclass(frozen=True)
class Checkpoint:
    """A loaded MusicGen: weights, and what its files say about their use. Fields: see :class:`musicgen.MusicGen`.

    ``codec_again`` and ``native_encoder`` read the codec's weights anew, so that nobody has to keep them. ``adapted``
    gives its parts with its LoRA adapter at a strength; None without an adapter.
    """

    name: str
    licence: str
    channels: int
    pad: int
    delays: tuple[int, ...]
    turns: tuple[int, ...]
    decoder: DecoderWeights
    prompts: PromptEncoder
    melodies: MelodyEncoder | None
    codec: CodecWeights
    codec_again: Callable[[], CodecWeights]
    encoder: CodecEncoder
    native_encoder: Callable[[], NativeEncoder]
    defaults: Sampling
    policy: StreamingPolicy
    score: ScoreEmbedding | None
    score_delay: float
    adapted: Callable[[float], Adaptable] | None = None

    @property
    def device(self) -> str:
        """Where it is computed."""
        return self.decoder.device


@dataclass(frozen=True)
class _Files:
    """What a folder holds, whoever wrote it.

    Attributes
    ----------
    config
        The content of config.json.
    model
        Its fields that are used, with their defaults.
    decoder
        Those of its part about the decoder, by attributes.
    tensors
        The weights under transformers' names.
    tokenizer
        The folder with the text encoder's tokenizer.
    settings
        The fields of generation_config.json that are used, with their defaults.
    chroma
        Those of preprocessor_config.json, in a melody model.
    origin
        The model that it was trained on from, "" for none.
    device
        Where torch is to compute.
    make
        What makes the decoder's weights.
    """

    folder: Path
    config: dict[str, Any]
    model: dict[str, Any]
    decoder: Any
    tensors: Tensors
    tokenizer: Path
    settings: dict[str, Any]
    chroma: dict[str, Any]
    origin: str
    device: str
    make: Make

    @property
    def melody(self) -> bool:
        """Whether it can follow one."""
        return bool(self.model["model_type"] == "musicgen_melody")


def load_checkpoint(name: str, device: str = "cpu", dtype: torch.dtype | None = None) -> Checkpoint:
    """Load "nano", a folder in transformers' layout or with AudioCraft's files, or a model of the hub.

    Parameters
    ----------
    device
        Where the decoder and the codec run, and a text encoder that is computed with torch.
    dtype
        Of the decoder; None for float32. Text encoder, codec and sampling always compute in float32.

    Returns
    -------
    Checkpoint
        The decoder's weights are numpy's on a CPU in float32, torch's otherwise.

    Raises
    ------
    ModelError
        It cannot be had or used; the message says what to do.
    """
    folder = find_folder(name)
    adapter = read_adapter(folder) if is_adapter(folder) else None
    files = _read(base_folder(adapter) if adapter else folder, device, maker(device, dtype))
    delays, turns = _pattern(files)
    policy = _policy(files, max(turns) + 1)
    try:
        if adapter is None:
            return _checkpoint(name, files, delays, turns, policy)
        return _with_adapter(name, files, adapter, delays, turns, policy)
    except (TypeError, KeyError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(
            f"The configuration in {files.folder} is none that a model can have ({error}): "
            "download or export the model again."
        ) from error
    finally:
        files.tensors.close()


def _with_adapter(
    name: str,
    files: _Files,
    adapter: Adapter,
    delays: tuple[int, ...],
    turns: tuple[int, ...],
    policy: StreamingPolicy,
) -> Checkpoint:
    """The base model with the adapter as it was trained, and the way to other strengths."""
    plain = files.tensors
    strangers = {*adapter.additions, *adapter.saved} - set(plain.source)
    if strangers:
        raise ModelError(
            f"The adapter in {adapter.folder} does not fit its base model, {adapter.base}, "
            f"which has no {min(strangers)}: it is another model's."
        )

    def at(strength: float) -> _Files:
        return replace(files, tensors=plain.on(Adapted(plain.source, adapter, strength)))

    reads = any(part.startswith("text_encoder.") for part in (*adapter.additions, *adapter.saved))
    same = None if reads else _text_encoder(files)  # which takes longer to make than all the rest
    made = _checkpoint(name, at(1.0), delays, turns, policy, same)
    licence = _licence(adapter.base, files)
    if licence != "CC-BY-NC-4.0":  # the adapter's own card counts, unless what it stands on says more
        licence = _licence(name, replace(files, folder=adapter.folder))
    score = load_score(adapter.folder, files.decoder.hidden_size) or made.score  # trained with it, or the base model's
    return replace(made, licence=licence, score=score, adapted=lambda strength: _adaptable(at(strength), policy, same))


def _adaptable(files: _Files, policy: StreamingPolicy, text_encoder: TextEncoder | None = None) -> Adaptable:
    """The parts as the files have them; a text encoder that is there already is taken instead of theirs."""
    shape, tensors = files.decoder, files.tensors
    text_encoder = text_encoder or _text_encoder(files)
    prompts = PromptEncoder(text_encoder, _projection(tensors.part("enc_to_dec_proj"), text_encoder.size, shape))
    melodies = _melodies(files) if files.melody else None
    positions = sinusoids(
        policy.max_position + (melodies.length + prompts.longest if melodies else 0),
        shape.hidden_size,
        files.settings["positional_scale"],
        files.settings["positional_period"],
    )
    decoder = decoder_weights(tensors.part("decoder"), shape, positions, files.make, cross=not files.melody)
    return Adaptable(decoder, prompts, melodies)


def _checkpoint(
    name: str,
    files: _Files,
    delays: tuple[int, ...],
    turns: tuple[int, ...],
    policy: StreamingPolicy,
    text_encoder: TextEncoder | None = None,
) -> Checkpoint:
    shape, tensors = files.decoder, files.tensors
    config, sounds = files.config["audio_encoder"], tensors.part("audio_encoder")
    own_codebooks = shape.num_codebooks // shape.audio_channels
    codec = read_codec(config, sounds, own_codebooks)
    parts = _adaptable(files, policy, text_encoder)
    checkpoint = Checkpoint(
        name=name,
        licence=_licence(name, files),
        channels=shape.audio_channels,
        pad=shape.pad_token_id,
        delays=delays,
        turns=turns,
        decoder=parts.decoder,
        prompts=parts.prompts,
        melodies=parts.melodies,
        codec=codec,
        codec_again=lambda: read_codec(config, sounds, own_codebooks),
        encoder=CodecEncoder(lambda: _codec_model(config, sounds, files.device), own_codebooks),
        native_encoder=lambda: _native_encoder(config, sounds, own_codebooks),
        defaults=_sampling(files),
        policy=policy,
        score=load_score(files.folder, shape.hidden_size),
        score_delay=files.settings["score_delay"],
    )
    left = tensors.untaken("text_encoder.", "audio_encoder.encoder.", "audio_encoder.quantizer.")
    if left and is_audiocraft(files.folder):  # transformers' files may hold what can be computed, such as positions
        raise ModelError(
            f"The model in {files.folder} has parts that MusicGen has not, such as {min(left)}: it cannot be played."
        )
    return checkpoint


def _native_encoder(config: dict[str, Any], sounds: Tensors, codebooks: int) -> NativeEncoder:
    """Reads it, and lets go of the files again: the part that was read would count as this process's memory."""
    try:
        return NativeEncoder(read_encoder(config, sounds, codebooks))
    finally:
        sounds.close()


def _read(folder: Path, device: str, make: Make) -> _Files:
    """Read a folder in transformers' layout, or one with AudioCraft's files, and hold it against the tables."""
    if is_audiocraft(folder):
        from musicgen.load.with_transformers import audiocraft

        source = audiocraft(folder)
        config: dict[str, Any] = source.config.to_dict()
        tokenizer, settings, heard = source.text_encoder, source.settings, source.chroma
    else:
        source, tokenizer, config = None, folder, read_config(folder)
        settings, heard = read_json(folder / "generation_config.json"), read_json(folder / PREPROCESSOR)
    values = check_model(config, str(folder / "config.json"))
    model, decoder, codec = values["model"], values["decoder"], values["codec"]
    settings = check_generation(settings, decoder["pad_token_id"], str(folder / "generation_config.json"))
    if model["model_type"] == "musicgen_melody":
        heard = check_chroma(heard, codec["sampling_rate"], model["num_chroma"], str(folder / PREPROCESSOR))
    return _Files(
        folder=folder,
        config=config,
        model=model,
        decoder=SimpleNamespace(**decoder),
        tensors=Tensors(source.state if source else stored(folder), folder),
        tokenizer=tokenizer,
        settings=settings,
        chroma=heard,
        origin=source.origin if source else model["_name_or_path"],
        device=device,
        make=make,
    )


def _text_encoder(files: _Files) -> TextEncoder:
    config, tensors = files.config.get("text_encoder") or {}, files.tensors.part("text_encoder")
    numbers = files.tokenizer / "tokenizer.json"
    if not (is_plain(config) and numbers.is_file()):
        from musicgen.load.with_transformers import text_encoder

        return text_encoder(config, tensors, files.tokenizer, files.device)
    bert, tokenizer = read_bert(config, tensors), _tokenizer(numbers)
    if max(tokenizer.get_vocab().values(), default=0) >= len(bert.words):
        raise ModelError(f"{numbers} has more tokens than the text encoder: it is another model's.")
    side = files.tokenizer / "tokenizer_config.json"
    said = check_tokenizer(read_json(side), str(side))
    longest = int(min(LONGEST_PROMPT, len(bert.positions), said["model_max_length"] or LONGEST_PROMPT))
    tokenizer.enable_truncation(longest, direction=said["truncation_side"])
    return TextEncoder(
        tokenize=lambda text: tokenizer.encode(text).ids,
        states=lambda tokens: bert_states(bert, tokens),
        size=bert.words.shape[1],
        known=len(bert.words),
        longest=longest,
        cuts=lambda text: bool(tokenizer.encode(text).overflowing),
    )


def _tokenizer(path: Path) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except BaseException as error:  # it raises nothing more special
        if not is_failure(error):
            raise
        raise unreadable(path, "cannot be read: download or export the model again") from error
    tokenizer.no_padding()  # which a file may ask for
    return tokenizer


def _codec_model(config: dict[str, Any], tensors: Tensors, device: str) -> Any:
    from musicgen.load.with_transformers import codec

    return codec(config, tensors, device)


def _projection(tensors: Tensors, size: int, decoder: Any) -> Projection | None:
    """Weight and bias of a linear layer to the decoder's size, which a model only has where sizes differ."""
    if size == decoder.hidden_size:
        return None
    return tensors.take("weight", decoder.hidden_size, size), tensors.take("bias", decoder.hidden_size)


def _melodies(files: _Files) -> MelodyEncoder:
    from musicgen.load.with_transformers import chroma

    bins = files.model["num_chroma"]
    projection = _projection(files.tensors.part("audio_enc_to_dec_proj"), bins, files.decoder)
    return MelodyEncoder(chroma(files.chroma), projection, files.model["chroma_length"], bins)


def _policy(files: _Files, turns: int) -> StreamingPolicy:
    """What the model's card says under "streaming" in generation_config.json, else what its length allows."""
    positions = files.decoder.max_position_embeddings
    card = files.folder / "generation_config.json"
    if files.settings["streaming"] is not None:
        values = check(STREAMING, files.settings["streaming"], str(card), "streaming")
        try:
            policy = StreamingPolicy(**values)
            if policy.max_position > positions:
                raise ValueError(f"max_position is above the model's {positions} positions")
            if policy.keep % turns or policy.max_position % turns:
                raise ValueError(f"keep and max_position must be whole frames, {turns} steps each")
            return policy
        except (TypeError, ValueError) as error:
            sentence = str(error).rstrip(".")
            raise ModelError(f"The key 'streaming' in {card} is wrong: {sentence}.") from error
    trained = files.settings["max_length"]
    frames = min(trained if trained >= TRAINED_FRAMES * turns else 1500 * turns, positions) // turns
    usual = StreamingPolicy()
    life = min(usual.max_position, frames)
    return StreamingPolicy(min(usual.keep, life // 2) * turns, life * turns)


def _pattern(files: _Files) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Delays and turns, see :class:`musicgen.delay.DelayLine`: of generation_config.json, else MusicGen's usual ones.

    Its keys are "codebook_delays" and "codebook_turns", each a whole number for each codebook.
    """
    decoder = files.decoder
    usual = delays_of(decoder.num_codebooks, decoder.audio_channels)
    delays = files.settings["codebook_delays"] or usual
    turns = files.settings["codebook_turns"] or [0] * len(usual)
    try:
        if len(delays) != len(usual):
            raise ValueError(f"each needs a whole number for each of {len(usual)} codebooks")
        DelayLine(delays, decoder.pad_token_id, turns)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The keys 'codebook_delays' and 'codebook_turns' in {files.folder / 'generation_config.json'} "
            f"are wrong: {error}."
        ) from error
    return tuple(delays), tuple(turns)


def _sampling(files: _Files) -> Sampling:
    """The card's values; where it has none, the published ones (top-k 250 and guidance 3, as AudioCraft)."""
    named = {"temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "guidance_scale": "guidance"}
    return Sampling(**{ours: files.settings[theirs] for theirs, ours in named.items()})


def _licence(name: str, files: _Files) -> str:
    """Of the weights: "MIT", "CC-BY-NC-4.0" or "unknown"."""
    if name == "nano":
        return "MIT"
    if any(source.startswith("facebook/musicgen") for source in (name, files.origin)):
        return "CC-BY-NC-4.0"
    card = files.folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    stated = re.search(r"\A---\n(?:.*\n)*?license:\s*[\"']?([\w.-]+)", text)
    return LICENCES.get(stated[1].lower(), "unknown") if stated else "unknown"
