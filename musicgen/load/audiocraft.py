"""AudioCraft's own checkpoints, read as transformers' MusicGen.

Two files: ``state_dict.bin``, the language model (``{"xp.cfg": yaml, "best_state": tensors}``), and
``compression_state_dict.bin``, its codec in the same form, or only the name of one (``{"pretrained": name}``). The text
encoder is in neither: the configuration names it. Both are pickles, and are opened in torch's restricted way, which
makes tensors and plain values and runs nothing.

The names are those of AudioCraft's modules (``audiocraft/models/lm.py``, ``modules/seanet.py``, ``quantization/``), and
what they become are those of transformers' ``MusicgenForConditionalGeneration`` and its melody sibling.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenMelodyConfig,
    PreTrainedConfig,
)
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

from musicgen.errors import ModelError
from musicgen.load.audiocraft_fields import CODEC as CODEC_FIELDS
from musicgen.load.audiocraft_fields import LANGUAGE_MODEL as LANGUAGE_MODEL_FIELDS
from musicgen.load.audiocraft_fields import OVERRIDES, SECTIONS
from musicgen.load.checks import check_codec, check_text
from musicgen.load.fields import GENERATION
from musicgen.load.hub import TRANSFORMERS_FILES, download, read_json
from musicgen.load.rules import Table, must, require
from musicgen.load.settings import Settings, read_pickle, read_settings
from musicgen.load.tensors import stored, unwrapped

State = dict[str, Tensor]
Values = Mapping[str, Any]  # used fields of xp.cfg, by their paths

LANGUAGE_MODEL, CODEC = "state_dict.bin", "compression_state_dict.bin"
LM, T5, CHROMA = "transformer_lm", "conditioners.description.t5", "conditioners.self_wav.chroma_stem"
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
    chroma
        For preprocessor_config.json, of a melody model.
    origin
        The model that it was trained on from, "" for none.
    """

    config: PreTrainedConfig
    state: State
    text_encoder: Path
    settings: dict[str, Any]
    chroma: dict[str, Any]
    origin: str


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
    said = read_settings(folder, package)
    values = said.checked(SECTIONS["language model"], LANGUAGE_MODEL_FIELDS)
    melody = "self_wav" in said.get("conditioners", dict)
    _check(folder, values, melody)
    state = _language_model_state(_best_state(package, folder / LANGUAGE_MODEL), folder / LANGUAGE_MODEL)
    text_config, text_state, text_folder = _text_encoder(folder, values[f"{T5}.name"])
    channels = 2 if values["interleave_stereo_codebooks.use"] else 1
    named = values["compression_model_checkpoint"].removeprefix("//pretrained/")
    codec_config, codec_state = _codec(folder, named, values[f"{LM}.n_q"] // channels)
    generation = _generation_settings(folder, values, codec_config)
    decoder = _decoder_config(values, melody, channels)
    decoder.max_position_embeddings = max(2048, min(generation["max_length"], 1 << 14))
    parts: dict[str, Any] = {"text_encoder": text_config, "audio_encoder": codec_config, "decoder": decoder}
    return AudioCraftFiles(
        config=MusicgenMelodyConfig(**parts, **_melody_settings(values)) if melody else MusicgenConfig(**parts),
        state={**text_state, **codec_state, **state},
        text_encoder=text_folder,
        settings=generation,
        chroma=_chroma(values) if melody else {},
        origin=said.get("continue_from", str, "").removeprefix("//pretrained/"),
    )


# ------------------------------------------------------------------------------------------------------------ files


def _named(folder: Path, name: str, what: str) -> Path:
    """The folder of a part that a checkpoint only names."""
    beside = folder / name.rpartition("/")[2]
    if beside.name not in ("", "..") and beside.parent == folder and beside.is_dir():
        return beside
    try:
        return download(HUB_NAMES.get(name, name), TRANSFORMERS_FILES)
    except ModelError as error:
        raise ModelError(
            f"The checkpoint in {folder} comes without its {what}, {name}, and the hub does not give it: "
            f"go online once to download it, or put it (config.json, model.safetensors) into {beside}."
        ) from error


# --------------------------------------------------------------------------------------------------- language model


def _check(folder: Path, values: Values, melody: bool) -> None:
    """Refuse what lacks something, or does not fit together, with the reason."""
    where = f"The configuration in {folder}"
    needed = [f"{LM}.{name}" for name in ("dim", "num_heads", "num_layers", "n_q", "card")]
    needed += ["codebooks_pattern.modeling", f"{T5}.name"]
    if melody:
        needed += [f"{CHROMA}.{name}" for name in ("sample_rate",)]
    _need(values, needed, where)
    cross, prepend = (values[f"fuser.{name}"] or [] for name in ("cross", "prepend"))
    wanted = ([], ["self_wav", "description"]) if melody else (["description"], [])
    for name, given, right in zip(("cross", "prepend"), (cross, prepend), wanted, strict=True):
        require(
            given == right,
            where,
            f"fuser.{name} is {given}, but MusicGen is built for {right} in a {'melody' if melody else 'text'} model, "
            "so it cannot be played",
        )


def _need(values: Values, paths: Iterable[str], where: str) -> None:
    for path in paths:
        require(values[path] is not None, where, f"{path} is missing, so export the model again")


def _best_state(package: dict[Any, Any], path: Path) -> State:
    """The weights in a file, as AudioCraft's export or Dora leaves them."""
    state = package.get("fsdp_best_state") or package.get("best_state")
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ModelError(f"{path} holds no weights under 'best_state': export the model with AudioCraft's export.")
    return {plain: state[name] for plain, name in unwrapped(map(str, state), path).items()}


def _language_model_state(source: State, path: Path) -> State:
    state: State = {}
    for name, tensor in source.items():
        if COMPUTED.match(name):
            continue
        renamed = _rename(name, LANGUAGE_MODEL_NAMES)
        if not renamed.endswith(".in_proj_weight"):
            state[renamed] = tensor
            continue
        if tensor.ndim != 2 or len(tensor) % 3:
            raise ModelError(f"{path} does not fit its configuration ({name} has another shape): export it again.")
        attention = renamed.removesuffix(".in_proj_weight")
        for part, rows in zip("qkv", tensor.chunk(3), strict=True):
            state[f"{attention}.{part}_proj.weight"] = rows
    return state


def _rename(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _decoder_config(settings: Values, melody: bool, channels: int) -> PreTrainedConfig:
    size, entries = settings[f"{LM}.dim"], settings[f"{LM}.card"]
    values: dict[str, Any] = {
        "vocab_size": entries,
        "pad_token_id": entries,
        "bos_token_id": entries,
        "hidden_size": size,
        "num_hidden_layers": settings[f"{LM}.num_layers"],
        "num_attention_heads": settings[f"{LM}.num_heads"],
        "ffn_dim": int(settings[f"{LM}.hidden_scale"] * size),
        "activation_function": settings[f"{LM}.activation"],
        "num_codebooks": settings[f"{LM}.n_q"],
        "audio_channels": channels,
    }
    return MusicgenMelodyDecoderConfig(**values) if melody else MusicgenDecoderConfig(**values)


def _melody_settings(values: Values) -> dict[str, Any]:
    samples = int(values["dataset.segment_duration"] * values[f"{CHROMA}.sample_rate"])
    return {"num_chroma": values[f"{CHROMA}.n_chroma"], "chroma_length": 1 + samples // _chroma(values)["hop_length"]}


def _chroma(values: Values) -> dict[str, Any]:
    window = 2 ** values[f"{CHROMA}.radix2_exp"]
    return {
        "sampling_rate": values[f"{CHROMA}.sample_rate"],
        "num_chroma": values[f"{CHROMA}.n_chroma"],
        "feature_size": values[f"{CHROMA}.n_chroma"],
        "n_fft": window,
        "hop_length": window // 4,
    }


def _generation_settings(folder: Path, values: Values, codec: PreTrainedConfig) -> dict[str, Any]:
    pad = values[f"{LM}.card"]
    delays, turns = _pattern(folder, values)
    seconds = values["dataset.segment_duration"]
    usual = GENERATION["positional_scale"].default, GENERATION["positional_period"].default
    own = values[f"{LM}.positional_scale"], values[f"{LM}.max_period"]
    positions = {} if own == usual else dict(zip(("positional_scale", "positional_period"), own, strict=True))
    return {
        "bos_token_id": pad,
        "decoder_start_token_id": pad,
        "pad_token_id": pad,
        "do_sample": True,
        "guidance_scale": 3.0,  # what AudioCraft's own MusicGen takes for every checkpoint, as is the top_k
        "top_k": 250,
        "max_length": max(1, int(seconds * cast(Any, codec).frame_rate) * (max(turns) + 1)),
        "codebook_delays": delays,
        "codebook_turns": turns,
        **positions,
    }


def _pattern(folder: Path, values: Values) -> tuple[list[int], list[int]]:
    """Delays and turns of the codebooks, as the model was trained with them."""
    codebooks, pattern = values[f"{LM}.n_q"], values["codebooks_pattern.modeling"]
    none, rising = [0] * codebooks, list(range(codebooks))
    if pattern in ("coarse_first", "valle"):  # an older name of the same
        raise ModelError(
            f"The model in {folder} makes all of its first codebook before the others (coarse-first): "
            "nothing could be heard before the piece is over, so it cannot be streamed."
        )
    if pattern == "musiclm":
        raise ModelError(f"The model in {folder} makes its codebooks in groups (musiclm): it cannot be streamed.")
    if pattern == "parallel":
        return none, none
    where = f"The configuration in {folder}"
    name = "delay.delays" if pattern == "delay" else "unroll.flattening"
    numbers = values[f"codebooks_pattern.{name}"] or rising
    require(len(numbers) == codebooks, where, f"codebooks_pattern.{name} must have a number for each of {codebooks}")
    return (list(numbers), none) if pattern == "delay" else (none, list(numbers))


# ----------------------------------------------------------------------------------------------------- text encoder


def _text_encoder(folder: Path, name: str) -> tuple[PreTrainedConfig, State, Path]:
    beside = _named(folder, name, "text encoder")
    said = read_json(beside / "config.json")
    check_text(said, str(beside / "config.json"))
    weights = stored(beside)
    try:
        config = AutoConfig.for_model(**said)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{beside} holds no text encoder: it needs config.json and model.safetensors.") from error
    own = {key: torch.as_tensor(weights[key]) for key in weights if not key.startswith("decoder.")}
    return config, {f"text_encoder.{key}": tensor for key, tensor in own.items()}, beside


# ------------------------------------------------------------------------------------------------------------ codec


def _codec(folder: Path, named: str, codebooks: int) -> tuple[PreTrainedConfig, State]:
    """The codec with the first ``codebooks`` of its codebooks, which are those that the language model uses."""
    package = read_pickle(folder / CODEC) if (folder / CODEC).is_file() else {"pretrained": named}
    if "pretrained" in package:
        config, state = _pretrained_codec(_named(folder, str(package["pretrained"]), "codec"))
    else:
        own = read_settings(folder, package)
        config, state = _codec_config(own), _codec_state(_best_state(package, folder / CODEC))
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
    said, where = read_json(folder / "config.json"), str(folder / "config.json")
    check_codec(said, where)
    weights = stored(folder)
    config: PreTrainedConfig = cast(Any, EncodecConfig).from_dict(said)
    return config, {f"audio_encoder.{name}": torch.as_tensor(weights[name]) for name in weights}


def _codec_state(source: State) -> State:
    return {_rename(name, CODEC_NAMES): tensor for name, tensor in source.items()}


def _codec_config(settings: Settings) -> EncodecConfig:
    where = f"The configuration in {settings.folder}"
    values = settings.checked(SECTIONS["codec"], _codec_table(settings))
    optional = {"sample_rate", "encodec.causal", "encodec.sample_rate", "seanet.activation_params"}
    _need(
        values,
        ["sample_rate", *(path for path in values if path.partition(".")[0] != "encodec" and path not in optional)],
        where,
    )
    require(values["encodec.causal"] == values["seanet.causal"], where, "encodec.causal must be what seanet.causal is")
    require(
        values["encodec.sample_rate"] in (None, values["sample_rate"]), where, "encodec.sample_rate must be sample_rate"
    )
    alpha = (values["seanet.activation_params"] or {}).get("alpha", 1)
    require(
        alpha == 1 and not (values["seanet.activation_params"] or {}).keys() - {"alpha"},
        where,
        "seanet.activation_params.alpha must be 1, EnCodec's",
    )
    config = EncodecConfig(
        sampling_rate=values["sample_rate"],
        audio_channels=1,
        normalize=False,
        use_causal_conv=values["seanet.causal"],
        hidden_size=values["seanet.dimension"],
        codebook_dim=values["seanet.dimension"],
        codebook_size=values["rvq.bins"],
        num_filters=values["seanet.n_filters"],
        num_residual_layers=values["seanet.n_residual_layers"],
        upsampling_ratios=list(values["seanet.ratios"]),
        norm_type=values["seanet.norm"],
        kernel_size=values["seanet.kernel_size"],
        last_kernel_size=values["seanet.last_kernel_size"],
        residual_kernel_size=values["seanet.residual_kernel_size"],
        dilation_growth_rate=values["seanet.dilation_base"],
        pad_mode=values["seanet.pad_mode"],
        use_conv_shortcut=not values["seanet.true_skip"],
        compress=values["seanet.compress"],
        num_lstm_layers=values["seanet.lstm"],
        trim_right_ratio=values["seanet.decoder.trim_right_ratio"],
    )
    return config


def _codec_table(settings: Settings) -> Table:
    """The table of a codec, with what seanet.encoder and seanet.decoder name again: it must be what seanet says."""
    again = {
        f"seanet.{side}.{name}": must(settings.at(f"seanet.{name}"), why=f"it must be that of seanet.{name}")
        for side in ("encoder", "decoder")
        for name in OVERRIDES
    }
    return {**again, **CODEC_FIELDS}
