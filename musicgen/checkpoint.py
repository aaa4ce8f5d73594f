"""A name, folder or hub id to weights and settings.

Importing this module imports transformers (seconds): everything else in the package goes without.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    MusicgenForConditionalGeneration,
    MusicgenMelodyFeatureExtractor,
    MusicgenMelodyForConditionalGeneration,
    PreTrainedConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES

from musicgen.audiocraft import is_audiocraft, read_audiocraft
from musicgen.cache import StreamingPolicy
from musicgen.codec import CodecWeights, codec_weights
from musicgen.codec.encoder import CodecEncoder
from musicgen.conditioning import PromptEncoder
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, sinusoids
from musicgen.delay import DelayLine, delays_of
from musicgen.errors import ModelError
from musicgen.hub import find_folder
from musicgen.melody import MelodyEncoder
from musicgen.sampling import Sampling

LICENCES = {"mit": "MIT", "cc-by-nc-4.0": "CC-BY-NC-4.0"}
MODELS: dict[str, Any] = {
    "musicgen": MusicgenForConditionalGeneration,
    "musicgen_melody": MusicgenMelodyForConditionalGeneration,
}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}


@dataclass(frozen=True)
class Checkpoint:
    """A loaded MusicGen: weights, and what its files say about their use. Fields: see :class:`musicgen.MusicGen`."""

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
    encoder: CodecEncoder
    defaults: Sampling
    policy: StreamingPolicy


@dataclass(frozen=True)
class _Files:
    """What a folder holds, whoever wrote it.

    Attributes
    ----------
    model
        ``MusicgenForConditionalGeneration`` or ``MusicgenMelodyForConditionalGeneration``, in float32.
    settings
        The content of generation_config.json.
    origin
        The model that it was trained on from, "" for none.
    """

    folder: Path
    model: Any
    tokenizer: transformers.PreTrainedTokenizerBase
    settings: dict[str, Any]
    origin: str


def load_checkpoint(name: str, device: str = "cpu", dtype: torch.dtype | None = None) -> Checkpoint:
    """Load "nano", a folder in transformers' layout or with AudioCraft's files, or a model of the hub.

    Parameters
    ----------
    device
        Where the decoder, the text encoder and the codec run.
    dtype
        Of the decoder; None for float32. Text encoder, codec and sampling always compute in float32.

    Raises
    ------
    ModelError
        It cannot be had or used; the message says what to do.
    """
    target = _device(device)
    files = read_files(find_folder(name))
    config = files.model.config
    delays, turns = _pattern(files)
    policy = _policy(files, max(turns) + 1)
    model = files.model.to(target)
    prompts = PromptEncoder(files.tokenizer, model.text_encoder, _projection(model, "enc_to_dec_proj"))
    melodies = _melodies(files) if config.model_type == "musicgen_melody" else None
    prefix = melodies.length + prompts.longest if melodies else 0
    decoder = decoder_weights(model.decoder, policy.max_position + prefix, dtype or torch.float32)
    return Checkpoint(
        name=name,
        licence=_licence(name, files),
        channels=config.decoder.audio_channels,
        pad=config.decoder.pad_token_id,
        delays=delays,
        turns=turns,
        decoder=decoder,
        prompts=prompts,
        melodies=melodies,
        codec=codec_weights(model.audio_encoder),
        encoder=CodecEncoder(model.audio_encoder, config.decoder.num_codebooks // config.decoder.audio_channels),
        defaults=_sampling(files),
        policy=policy,
    )


def convert(name: str, target: Path) -> None:
    """Save a model, AudioCraft's too, in transformers' layout: safetensors, configurations and tokenizer in a folder.

    Raises
    ------
    ModelError
        It cannot be had or used, or the folder cannot be written.
    """
    if target.exists():
        raise ModelError(f"{target} exists already: choose a folder that does not.")
    files = read_files(find_folder(name))
    try:
        with _quiet_transformers():
            files.model.save_pretrained(target)
            files.tokenizer.save_pretrained(target)
            if files.model.config.model_type == "musicgen_melody":
                _chroma(files).save_pretrained(target)
        (target / "generation_config.json").write_text(json.dumps(files.settings, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{target} cannot be written ({error.strerror}): choose another place.") from error


def read_files(folder: Path) -> _Files:
    """Read a folder in transformers' layout, or one with AudioCraft's files."""
    if is_audiocraft(folder):
        with _quiet_transformers():
            source = read_audiocraft(folder)
        model = _from_pretrained(folder, source.config, source.state)
        return _Files(folder, model, _tokenizer(source.text_encoder), source.settings, source.origin)
    config = _read_config(folder)
    settings = _read_json(folder / "generation_config.json")
    return _Files(folder, _from_pretrained(folder), _tokenizer(folder), settings, str(config.get("_name_or_path", "")))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: download or export the model again.") from error
    return content if isinstance(content, dict) else {}


def _read_config(folder: Path) -> dict[str, Any]:
    config = _read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in MODELS or not isinstance(config.get("decoder"), dict):
        raise ModelError(
            f"{folder} holds no MusicGen checkpoint: it needs a config.json with model_type 'musicgen' or "
            "'musicgen_melody', as transformers' save_pretrained writes it."
        )
    text_encoder = (config.get("text_encoder") or {}).get("model_type")
    if text_encoder not in MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES:
        raise ModelError(
            f"{folder} reads its prompts with '{text_encoder}', which transformers has no text encoder for: "
            "T5, BERT and their like can be played."
        )
    activation = config["decoder"].get("activation_function", "gelu")
    if activation not in ACTIVATIONS:
        raise ModelError(f"{folder} uses the activation '{activation}': only {', '.join(ACTIVATIONS)} are known here.")
    return config


def _from_pretrained(
    folder: Path, config: PreTrainedConfig | None = None, state: dict[str, Tensor] | None = None
) -> Any:
    """transformers' model, of the folder's files or of a configuration and weights, in float32."""
    kind = config.model_type if config else _read_config(folder)["model_type"]
    given: dict[str, Any] = {"config": config, "state_dict": state} if config else {"use_safetensors": True}
    try:
        with _quiet_transformers():
            model, report = MODELS[kind].from_pretrained(
                None if config else folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                **given,
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        wanted = (
            "whole weights that fit the configuration"
            if config
            else "a whole model.safetensors that fits its config.json"
        )
        raise ModelError(f"The weights in {folder} cannot be loaded: it needs {wanted}.") from error
    if report["missing_keys"]:
        raise ModelError(
            f"The weights in {folder} are incomplete (no {min(report['missing_keys'])}): download or export them again."
        )
    unknown = (state or {}).keys() - model.state_dict().keys()
    if unknown:
        raise ModelError(
            f"The model in {folder} has parts that MusicGen has not, such as {min(unknown)}: it cannot be played."
        )
    return model.eval().requires_grad_(False)


def _projection(model: Any, name: str) -> tuple[Tensor, Tensor] | None:
    """Weight and bias of a linear layer that a model only has where sizes differ."""
    layer = getattr(model, name, None)
    return None if layer is None else (layer.weight.detach(), layer.bias.detach())


def _melodies(files: _Files) -> MelodyEncoder:
    config = files.model.config
    projection = _projection(files.model, "audio_enc_to_dec_proj")
    return MelodyEncoder(_chroma(files), projection, config.chroma_length, config.num_chroma)


def _chroma(files: _Files) -> Any:
    """What a melody model hears its melody with: as its files say, else as the released ones."""
    config, source = files.model.config, files.folder / "preprocessor_config.json"
    try:
        if source.is_file():
            return cast(Any, MusicgenMelodyFeatureExtractor).from_pretrained(files.folder, local_files_only=True)
        rate, bins = config.audio_encoder.sampling_rate, config.num_chroma
        return cast(Any, MusicgenMelodyFeatureExtractor)(sampling_rate=rate, num_chroma=bins)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{source} cannot be used: download or export the model again.") from error


def _tokenizer(folder: Path) -> transformers.PreTrainedTokenizerBase:
    try:
        with _quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ModelError(f"The tokenizer in {folder} cannot be loaded: it needs tokenizer.json.") from error
    return cast(transformers.PreTrainedTokenizerBase, tokenizer)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars, and none of the warnings that MusicGen's padding token (one above the vocabulary) causes."""
    logging = cast(Any, transformers.utils.logging)
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _device(device: str) -> torch.device:
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError) as error:  # torch raises either for a device it was built without
        raise ModelError(f"The device '{device}' is not available here: use 'cpu'.") from error
    return target


def _policy(files: _Files, turns: int) -> StreamingPolicy:
    """What the model's card says under "streaming" in generation_config.json, else what its length allows."""
    positions = files.model.config.decoder.max_position_embeddings
    if "streaming" in files.settings:
        try:
            policy = StreamingPolicy(**files.settings["streaming"])
            if policy.max_position > positions:
                raise ValueError(f"max_position is above the model's {positions} positions")
            if policy.keep % turns or policy.max_position % turns:
                raise ValueError(f"keep and max_position must be whole frames, {turns} steps each")
            return policy
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"The key 'streaming' in {files.folder / 'generation_config.json'} is wrong: {error}."
            ) from error
    frames = min(files.settings.get("max_length") or 1500, positions) // turns
    usual = StreamingPolicy()
    life = min(usual.max_position, frames)
    return StreamingPolicy(min(usual.keep, life // 2) * turns, life * turns)


def _pattern(files: _Files) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Delays and turns, see :class:`musicgen.delay.DelayLine`: of generation_config.json, else MusicGen's usual ones.

    Its keys are "codebook_delays" and "codebook_turns", each a whole number for each codebook.
    """
    decoder = files.model.config.decoder
    usual = delays_of(decoder.num_codebooks, decoder.audio_channels)
    delays = files.settings.get("codebook_delays", usual)
    turns = files.settings.get("codebook_turns", [0] * len(usual))
    try:
        if len(delays) != len(usual) or not all(isinstance(number, int) for number in (*delays, *turns)):
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
    values = {ours: files.settings[theirs] for theirs, ours in named.items() if files.settings.get(theirs) is not None}
    try:
        return Sampling(**values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{files.folder / 'generation_config.json'} is wrong: {error}.") from error


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


def decoder_weights(model: nn.Module, positions: int, dtype: torch.dtype) -> DecoderWeights:
    """The weights of transformers' ``MusicgenForCausalLM``, laid out for single steps.

    Parameters
    ----------
    positions
        How many positions to build embeddings for.
    """
    source = cast(Any, model)
    config, decoder = source.config, source.model.decoder
    embeddings = [table.weight for table in decoder.embed_tokens]
    sizes = torch.tensor([0, *(table.shape[0] for table in embeddings[:-1])])

    def matrix(*linear: nn.Linear) -> Tensor:
        """Linear layers side by side, (in, sum of out)."""
        return torch.cat([layer.weight.detach() for layer in linear]).to(dtype).t().contiguous()

    def norm(layer: nn.LayerNorm) -> tuple[Tensor, Tensor]:
        return layer.weight.detach().to(dtype), layer.bias.detach().to(dtype)

    def cross_weights(layer: Any) -> CrossWeights:
        cross = layer.encoder_attn
        return CrossWeights(
            norm=norm(layer.encoder_attn_layer_norm),
            q=matrix(cross.q_proj),
            kv=matrix(cross.k_proj, cross.v_proj),
            out=matrix(cross.out_proj),
        )

    def layer_weights(layer: Any) -> LayerWeights:
        own = layer.self_attn
        return LayerWeights(
            self_norm=norm(layer.self_attn_layer_norm),
            qkv=matrix(own.q_proj, own.k_proj, own.v_proj),
            self_out=matrix(own.out_proj),
            cross=cross_weights(layer) if hasattr(layer, "encoder_attn") else None,
            feed_norm=norm(layer.final_layer_norm),
            feed_in=matrix(layer.fc1),
            feed_out=matrix(layer.fc2),
        )

    return DecoderWeights(
        embed=torch.cat(embeddings).detach().to(dtype),
        offsets=sizes.cumsum(0).to(embeddings[0].device),
        positions=sinusoids(positions, config.hidden_size).to(embeddings[0].device, dtype),
        layers=tuple(layer_weights(layer) for layer in decoder.layers),
        norm=norm(decoder.layer_norm),
        heads=matrix(*source.lm_heads),
        activation=ACTIVATIONS[config.activation_function],
        head_count=config.num_attention_heads,
    )
