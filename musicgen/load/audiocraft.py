"""AudioCraft's own checkpoints, read as transformers' MusicGen.

Two files: ``state_dict.bin``, the language model (``{"xp.cfg": yaml, "best_state": tensors}``), and
``compression_state_dict.bin``, its codec in the same form, or only the name of one (``{"pretrained": name}``). The text
encoder is in neither: the configuration names it. Both are pickles, and are opened in torch's restricted way, which
makes tensors and plain values and runs nothing.

The names are those of AudioCraft's modules (``audiocraft/models/lm.py``, ``modules/seanet.py``, ``quantization/``), and
what they become are those of transformers' ``MusicgenForConditionalGeneration`` and its melody sibling.
"""

import pickle
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
import yaml
from torch import Tensor
from transformers import (
    AutoConfig,
    EncodecConfig,
    EncodecModel,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenMelodyConfig,
    PreTrainedConfig,
)
from transformers.models.auto.modeling_auto import AutoModelForTextEncoding
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

from musicgen.errors import ModelError
from musicgen.load.hub import TRANSFORMERS_FILES, download

T = TypeVar("T")
State = dict[str, Tensor]

LANGUAGE_MODEL, CODEC = "state_dict.bin", "compression_state_dict.bin"
EXPORT = "export the model with AudioCraft's export, or get it from somebody you trust"
CONDITIONER = "condition_provider.conditioners"
HUB_NAMES = {name: f"google-t5/{name}" for name in ("t5-small", "t5-base", "t5-large", "t5-3b", "t5-11b")}

DECODER = "decoder.model.decoder"
LANGUAGE_MODEL_NAMES = (
    (r"^emb\.", f"{DECODER}.embed_tokens."),
    (r"^transformer\.layers\.", f"{DECODER}.layers."),
    (r"\.mha\.", "."),  # attention that AudioCraft left to torch
    (r"\.cross_attention\.", ".encoder_attn."),
    (r"\.norm1\.", ".self_attn_layer_norm."),
    (r"\.norm_cross\.", ".encoder_attn_layer_norm."),
    (r"\.norm2\.", ".final_layer_norm."),
    (r"\.linear(\d)\.", r".fc\1."),
    (r"^out_norm\.", f"{DECODER}.layer_norm."),
    (r"^linears\.", "decoder.lm_heads."),
    (rf"^{CONDITIONER}\.description\.output_proj\.", "enc_to_dec_proj."),
    (rf"^{CONDITIONER}\.self_wav\.output_proj\.", "audio_enc_to_dec_proj."),
    (rf"^{CONDITIONER}\.description\.t5\.", "text_encoder."),  # there where it was trained along
)
COMPUTED = re.compile(rf"^{CONDITIONER}\.self_wav\.(chroma|demucs)\.")  # filters, and a model of another's
CODEC_NAMES = (
    (r"^(encoder|decoder)\.model\.", r"audio_encoder.\1.layers."),
    (r"\.(conv|convtr)\.\1\.", ".conv."),
    (r"\.(conv|convtr)\.norm\.", ".norm."),
    (r"\.weight_g$", ".parametrizations.weight.original0"),
    (r"\.weight_v$", ".parametrizations.weight.original1"),
    (r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"audio_encoder.quantizer.layers.\1.codebook."),
)


@dataclass(frozen=True)
class AudioCraftFiles:
    """An AudioCraft checkpoint in transformers' terms.

    Attributes
    ----------
    config
        ``MusicgenConfig`` or ``MusicgenMelodyConfig``.
    state
        All weights, text encoder and codec included, under the names of the model that ``config`` describes.
    text_encoder
        The folder that the text encoder came from, which has its tokenizer, too.
    settings
        For generation_config.json.
    origin
        The model that it was trained on from, "" for none.
    """

    config: PreTrainedConfig
    state: State
    text_encoder: Path
    settings: dict[str, Any]
    origin: str


@dataclass(frozen=True)
class Settings:
    """What Hydra left in a checkpoint, ``xp.cfg`` for example: nested, and read by dotted paths."""

    folder: Path
    content: dict[str, Any] = field(repr=False)

    def get(self, path: str, kind: type[T], default: T | None = None) -> T:
        """The value at a path; default where there is none, without a default that is refused."""
        value = self.at(path)
        if value is None and default is not None:
            return default
        if kind is float and isinstance(value, int):
            value = float(value)
        if not isinstance(value, kind):
            raise ModelError(f"The configuration in {self.folder} has no usable '{path}': export the model again.")
        return value

    def at(self, path: str) -> Any:
        """The value at a path, whatever it is; None where there is none."""
        value: Any = self.content
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        link = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
        return self.at(link[1]) if link and link[1] != path else value

    def require(self, path: str, *allowed: object) -> None:
        """Refuse a model that is built otherwise; what is not said is taken to be allowed."""
        value = self.at(path)
        if value is not None and value not in allowed:
            wanted = " or ".join(str(choice) for choice in allowed)
            raise ModelError(f"The model in {self.folder} has {path}={value}: only {wanted} can be played.")


def read_audiocraft(folder: Path) -> AudioCraftFiles:
    """Read AudioCraft's files.

    A text encoder or a codec that is only named is looked for in a folder of that name beside the files (``t5-base``,
    ``encodec_32khz``), then on the hub.

    Raises
    ------
    ModelError
        A file is damaged, could run code, or describes what cannot be played; the message says which.
    """
    package = read_pickle(folder / LANGUAGE_MODEL)
    if not isinstance(package.get("best_state"), dict):
        raise ModelError(f"{folder / LANGUAGE_MODEL} holds no 'best_state': export the model with AudioCraft's export.")
    settings = _settings(folder, package)
    _check(settings)
    melody = "self_wav" in settings.get("conditioners", dict)
    state = _language_model_state(package["best_state"])
    text_config, text_state, text_folder = _text_encoder(settings)
    channels = 2 if settings.get("interleave_stereo_codebooks.use", bool, False) else 1
    codec_config, codec_state = _codec(settings, settings.get("transformer_lm.n_q", int) // channels)
    generation = _generation_settings(settings, codec_config)
    decoder = _decoder_config(settings, melody, channels)
    decoder.max_position_embeddings = max(2048, generation["max_length"])
    parts: dict[str, Any] = {"text_encoder": text_config, "audio_encoder": codec_config, "decoder": decoder}
    return AudioCraftFiles(
        config=MusicgenMelodyConfig(**parts, **_melody_settings(settings)) if melody else MusicgenConfig(**parts),
        state={**text_state, **codec_state, **state},
        text_encoder=text_folder,
        settings=generation,
        origin=settings.get("continue_from", str, "").removeprefix("//pretrained/"),
    )


# ------------------------------------------------------------------------------------------------------------ files


def read_pickle(path: Path, remedy: str = EXPORT, stand_ins: Sequence[tuple[Any, str]] = ()) -> dict[Any, Any]:
    """Open one of AudioCraft's files without running anything that it holds.

    Parameters
    ----------
    remedy
        What to do about a file that is none, as the end of a sentence.
    stand_ins
        What to make in place of classes that a file may name beside tensors and plain values: (class, full name).

    Raises
    ------
    ModelError
        It is damaged, could run code, or is no dictionary.
    """
    try:
        with torch.serialization.safe_globals(list(stand_ins)):
            # mapped, not read, where the format allows: the weights of the large model would be in memory twice
            package = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds more than tensors and plain values, so it could run code and was not opened: {remedy}."
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: download or export the model again.") from error
    if not isinstance(package, dict):
        raise ModelError(f"{path} is no AudioCraft checkpoint: {remedy}.")
    return package


def _settings(folder: Path, package: dict[str, Any]) -> Settings:
    try:
        content = yaml.safe_load(package.get("xp.cfg", ""))
    except (yaml.YAMLError, AttributeError) as error:
        raise ModelError(f"The configuration in {folder} is not plain YAML: export the model again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"The checkpoint in {folder} has no configuration ('xp.cfg'): export the model again.")
    return Settings(folder, content)


def _named(folder: Path, name: str, what: str) -> Path:
    """The folder of a part that a checkpoint only names."""
    beside = folder / name.rpartition("/")[2]
    if beside.is_dir():
        return beside
    try:
        return download(HUB_NAMES.get(name, name), TRANSFORMERS_FILES)
    except ModelError as error:
        raise ModelError(
            f"The checkpoint in {folder} comes without its {what}, {name}, and the hub does not give it: "
            f"go online once to download it, or put it (config.json, model.safetensors) into {beside}."
        ) from error


# --------------------------------------------------------------------------------------------------- language model


def _check(settings: Settings) -> None:
    """Refuse what MusicGen's architecture here does not have, with the reason."""
    settings.require("lm_model", "transformer_lm")
    settings.require("transformer_lm.norm_first", True)
    settings.require("transformer_lm.positional_embedding", "sin")
    settings.require("transformer_lm.activation", "gelu", "relu")
    settings.require("transformer_lm.past_context", None)
    settings.require("transformer_lm.kv_repeat", 1)
    settings.require("fuser.cross_attention_pos_emb", False)
    settings.require("fuser.sum", [])
    settings.require("fuser.input_interpolate", [])
    settings.require("interleave_stereo_codebooks.per_timestep", False)
    settings.require("conditioners.description.model", "t5")
    settings.require("conditioners.description.t5.normalize_text", False)
    settings.require("conditioners.self_wav.model", "chroma_stem")
    settings.require("conditioners.self_wav.chroma_stem.argmax", True)
    unknown = settings.get("conditioners", dict).keys() - {"description", "self_wav", "args"}
    if unknown:
        raise ModelError(
            f"The model in {settings.folder} follows '{min(unknown)}': only text and melody can be given here."
        )
    where = "prepend" if "self_wav" in settings.get("conditioners", dict) else "cross"
    if "description" not in settings.get(f"fuser.{where}", list, []):
        raise ModelError(
            f"The model in {settings.folder} does not take its text by fuser.{where}: it cannot be played."
        )


def _language_model_state(source: State) -> State:
    state = {}
    for name, tensor in source.items():
        if COMPUTED.match(name):
            continue
        renamed = _rename(name, LANGUAGE_MODEL_NAMES)
        if renamed.endswith(".in_proj_weight"):
            attention = renamed.removesuffix(".in_proj_weight")
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                state[f"{attention}.{part}_proj.weight"] = rows
        else:
            state[renamed] = tensor
    return state


def _rename(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _decoder_config(settings: Settings, melody: bool, channels: int) -> PreTrainedConfig:
    size, entries = settings.get("transformer_lm.dim", int), settings.get("transformer_lm.card", int)
    values: dict[str, Any] = {
        "vocab_size": entries,
        "pad_token_id": entries,
        "bos_token_id": entries,
        "hidden_size": size,
        "num_hidden_layers": settings.get("transformer_lm.num_layers", int),
        "num_attention_heads": settings.get("transformer_lm.num_heads", int),
        "ffn_dim": int(settings.get("transformer_lm.hidden_scale", float, 4.0) * size),
        "activation_function": settings.get("transformer_lm.activation", str, "gelu"),
        "num_codebooks": settings.get("transformer_lm.n_q", int),
        "audio_channels": channels,
    }
    return MusicgenMelodyDecoderConfig(**values) if melody else MusicgenDecoderConfig(**values)


def _melody_settings(settings: Settings) -> dict[str, Any]:
    chroma = "conditioners.self_wav.chroma_stem"
    samples = int(settings.get("dataset.segment_duration", float) * settings.get(f"{chroma}.sample_rate", int))
    hop = 2 ** settings.get(f"{chroma}.radix2_exp", int) // 4
    return {"num_chroma": settings.get(f"{chroma}.n_chroma", int), "chroma_length": 1 + samples // hop}


def _generation_settings(settings: Settings, codec: PreTrainedConfig) -> dict[str, Any]:
    pad = settings.get("transformer_lm.card", int)
    delays, turns = _pattern(settings)
    seconds = settings.get("dataset.segment_duration", float, 30.0)
    return {
        "bos_token_id": pad,
        "decoder_start_token_id": pad,
        "pad_token_id": pad,
        "do_sample": True,
        "guidance_scale": 3.0,  # what AudioCraft's own MusicGen takes for every checkpoint, as is the top_k
        "top_k": 250,
        "max_length": int(seconds * cast(Any, codec).frame_rate) * (max(turns) + 1),
        "codebook_delays": delays,
        "codebook_turns": turns,
    }


def _pattern(settings: Settings) -> tuple[list[int], list[int]]:
    """Delays and turns of the codebooks, as the model was trained with them."""
    codebooks = settings.get("transformer_lm.n_q", int)
    none, pattern = [0] * codebooks, settings.get("codebooks_pattern.modeling", str)
    if pattern in ("coarse_first", "valle"):  # an older name of the same
        raise ModelError(
            f"The model in {settings.folder} makes all of its first codebook before the others (coarse-first): "
            "nothing could be heard before the piece is over, so it cannot be streamed."
        )
    settings.require("codebooks_pattern.modeling", "delay", "parallel", "unroll")
    if pattern == "parallel":
        return none, none
    if pattern == "unroll":
        settings.require("codebooks_pattern.unroll.delays", none)
        return none, settings.get("codebooks_pattern.unroll.flattening", list, list(range(codebooks)))
    settings.require("codebooks_pattern.delay.flatten_first", 0)
    settings.require("codebooks_pattern.delay.empty_initial", 0)
    return settings.get("codebooks_pattern.delay.delays", list, list(range(codebooks))), none


# ----------------------------------------------------------------------------------------------------- text encoder


def _text_encoder(settings: Settings) -> tuple[PreTrainedConfig, State, Path]:
    name = settings.get("conditioners.description.t5.name", str)
    folder = _named(settings.folder, name, "text encoder")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        model = AutoModelForTextEncoding.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"The text encoder in {folder} cannot be loaded: it needs config.json and model.safetensors."
        ) from error
    return config, {f"text_encoder.{key}": value for key, value in model.state_dict().items()}, folder


# ------------------------------------------------------------------------------------------------------------ codec


def _codec(settings: Settings, codebooks: int) -> tuple[PreTrainedConfig, State]:
    """The codec with the first ``codebooks`` of its codebooks, which are those that the language model uses."""
    folder = settings.folder
    if (folder / CODEC).is_file():
        package = read_pickle(folder / CODEC)
    else:
        package = {"pretrained": settings.get("compression_model_checkpoint", str).removeprefix("//pretrained/")}
    if "pretrained" in package:
        config, state = _pretrained_codec(_named(folder, str(package["pretrained"]), "codec"))
    else:
        own = _settings(folder, package)
        config, state = _codec_config(own), _codec_state(package.get("best_state", {}))
    there = len({name.split(".")[3] for name in state if name.startswith("audio_encoder.quantizer.layers.")})
    if there < codebooks:
        raise ModelError(f"The codec of {folder} has {there} codebooks, the model needs {codebooks}: they do not fit.")
    for name in [name for name in state if _codebook(name) >= codebooks]:
        del state[name]
    # transformers derives the number of codebooks from the bandwidth, rounding down: half a codebook more
    bits = (codebooks + 0.5) * cast(Any, config).frame_rate * cast(Any, config).codebook_nbits
    config.target_bandwidths = [bits / 1000]
    return config, state


def _codebook(name: str) -> int:
    found = re.match(r"audio_encoder\.quantizer\.layers\.(\d+)\.", name)
    return int(found[1]) if found else -1


def _pretrained_codec(folder: Path) -> tuple[PreTrainedConfig, State]:
    try:
        model = EncodecModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"The codec in {folder} cannot be loaded: it needs config.json and model.safetensors."
        ) from error
    return model.config, {f"audio_encoder.{name}": value for name, value in model.state_dict().items()}


def _codec_state(source: State) -> State:
    return {_rename(name, CODEC_NAMES): tensor for name, tensor in source.items()}


def _codec_config(settings: Settings) -> EncodecConfig:
    settings.require("compression_model", "encodec")
    settings.require("encodec.autoencoder", "seanet")
    settings.require("encodec.quantizer", "rvq")
    settings.require("seanet.activation", "ELU")
    settings.require("seanet.norm", "weight_norm", "time_group_norm")
    settings.require("seanet.disable_norm_outer_blocks", 0)
    settings.require("seanet.decoder.final_activation", None)
    ratios: Sequence[int] = settings.get("seanet.ratios", list)
    return EncodecConfig(
        sampling_rate=settings.get("sample_rate", int),
        audio_channels=settings.get("channels", int),
        normalize=settings.get("encodec.renormalize", bool, False),
        use_causal_conv=settings.get("encodec.causal", bool, False),
        hidden_size=settings.get("seanet.dimension", int),
        codebook_dim=settings.get("seanet.dimension", int),
        codebook_size=settings.get("rvq.bins", int),
        num_filters=settings.get("seanet.n_filters", int),
        num_residual_layers=settings.get("seanet.n_residual_layers", int),
        upsampling_ratios=list(ratios),
        norm_type=settings.get("seanet.norm", str),
        kernel_size=settings.get("seanet.kernel_size", int),
        last_kernel_size=settings.get("seanet.last_kernel_size", int),
        residual_kernel_size=settings.get("seanet.residual_kernel_size", int),
        dilation_growth_rate=settings.get("seanet.dilation_base", int),
        pad_mode=settings.get("seanet.pad_mode", str),
        use_conv_shortcut=not settings.get("seanet.true_skip", bool),
        compress=settings.get("seanet.compress", int),
        num_lstm_layers=settings.get("seanet.lstm", int),
        trim_right_ratio=settings.get("seanet.decoder.trim_right_ratio", float, 1.0),
    )
