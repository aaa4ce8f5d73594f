"""AudioCraft's files, written from a checkpoint of transformers: the names are those of AudioCraft's modules."""

import re
from pathlib import Path
from typing import Any

import musicgen  # noqa: F401  (first: it makes transformers importable beside any torchaudio)

# isort: split
import torch
import yaml
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoTokenizer,
    MusicgenForConditionalGeneration,
    MusicgenMelodyForConditionalGeneration,
)

State = dict[str, Tensor]

# transformers' name of a layer's part -> AudioCraft's
LAYER = {
    "self_attn.out_proj": "self_attn.out_proj",
    "self_attn_layer_norm": "norm1",
    "encoder_attn.out_proj": "cross_attention.out_proj",
    "encoder_attn_layer_norm": "norm_cross",
    "fc1": "linear1",
    "fc2": "linear2",
    "final_layer_norm": "norm2",
}
CONDITIONERS = "condition_provider.conditioners"


def audiocraft_twin(twin: Path, folder: Path, **options: Any) -> Path:
    """The model in transformers' folder ``twin`` as AudioCraft would export it, see :func:`audiocraft_folder`."""
    melody = AutoConfig.from_pretrained(twin).model_type == "musicgen_melody"
    kind: Any = MusicgenMelodyForConditionalGeneration if melody else MusicgenForConditionalGeneration
    model = kind.from_pretrained(twin).eval()
    return audiocraft_folder(model, AutoTokenizer.from_pretrained(twin), folder, **options)


def audiocraft_folder(model: Any, tokenizer: Any, folder: Path, *, codec: str = "own", **changes: Any) -> Path:
    """Write a model of transformers as AudioCraft would export it, and return its folder.

    Parameters
    ----------
    codec
        "own": in the file. "named": only its name is, and it lies beside the files.
    changes
        Of ``xp.cfg``, by dotted path.
    """
    folder.mkdir(parents=True)
    settings = language_model_settings(model.config)
    for path, value in changes.items():
        _set(settings, path, value)
    save(folder / "state_dict.bin", language_model_state(model), settings)
    if codec == "own":
        save(folder / "compression_state_dict.bin", codec_state(model.audio_encoder), codec_settings(model.config))
    else:
        torch.save({"pretrained": "facebook/encodec_32khz", "exported": True}, folder / "compression_state_dict.bin")
        model.audio_encoder.save_pretrained(folder / "encodec_32khz")
    model.text_encoder.save_pretrained(folder / "t5-base")
    tokenizer.save_pretrained(folder / "t5-base")
    return folder


def save(path: Path, state: State, settings: dict[str, Any]) -> None:
    torch.save({"best_state": state, "xp.cfg": yaml.safe_dump(settings), "version": "1.3.0", "exported": True}, path)


def _set(settings: dict[str, Any], path: str, value: Any) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        settings = settings.setdefault(parent, {})
    settings[name] = value


def language_model_state(model: Any) -> State:
    decoder = model.decoder.model.decoder
    state: State = {}
    for k, (table, head) in enumerate(zip(decoder.embed_tokens, model.decoder.lm_heads, strict=True)):
        state[f"emb.{k}.weight"], state[f"linears.{k}.weight"] = table.weight, head.weight
    for index, layer in enumerate(decoder.layers):
        prefix = f"transformer.layers.{index}"
        for theirs, name in (("self_attn", "self_attn"), ("encoder_attn", "cross_attention")):
            if hasattr(layer, theirs):
                own = getattr(layer, theirs)
                rows = torch.cat([own.q_proj.weight, own.k_proj.weight, own.v_proj.weight])
                state[f"{prefix}.{name}.in_proj_weight"] = rows
        for theirs, tensor in layer.state_dict().items():
            part, kind = theirs.rsplit(".", 1)
            if part in LAYER:
                state[f"{prefix}.{LAYER[part]}.{kind}"] = tensor
    state |= {f"out_norm.{kind}": tensor for kind, tensor in decoder.layer_norm.state_dict().items()}
    for kind, tensor in model.enc_to_dec_proj.state_dict().items():
        state[f"{CONDITIONERS}.description.output_proj.{kind}"] = tensor
    if hasattr(model, "audio_enc_to_dec_proj"):
        for kind, tensor in model.audio_enc_to_dec_proj.state_dict().items():
            state[f"{CONDITIONERS}.self_wav.output_proj.{kind}"] = tensor
        state[f"{CONDITIONERS}.self_wav.chroma.spec.window"] = torch.hann_window(16384)
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def language_model_settings(config: Any) -> dict[str, Any]:
    """As ``config/model/lm/musicgen_lm.yaml`` and ``config/conditioner`` of AudioCraft have them."""
    decoder, melody = config.decoder, config.model_type == "musicgen_melody"
    stereo = decoder.audio_channels == 2
    t5 = {"model": "t5", "t5": {"name": "t5-base", "finetune": False, "normalize_text": False, "word_dropout": 0.3}}
    chroma = {"sample_rate": "${sample_rate}", "n_chroma": 12, "radix2_exp": 14, "argmax": True}
    self_wav = {"self_wav": {"model": "chroma_stem", "chroma_stem": chroma}} if melody else {}
    return {
        "solver": "musicgen",
        "sample_rate": config.audio_encoder.sampling_rate,
        "channels": decoder.audio_channels,
        "compression_model_checkpoint": "//pretrained/facebook/encodec_32khz",
        "continue_from": None,
        "dataset": {"segment_duration": 30},
        "lm_model": "transformer_lm",
        "codebooks_pattern": {
            "modeling": "delay",
            "delay": {
                "delays": [k // decoder.audio_channels for k in range(decoder.num_codebooks)],
                "flatten_first": 0,
                "empty_initial": 0,
            },
        },
        "interleave_stereo_codebooks": {"use": stereo, "per_timestep": False},
        "transformer_lm": {
            "dim": decoder.hidden_size,
            "num_heads": decoder.num_attention_heads,
            "num_layers": decoder.num_hidden_layers,
            "hidden_scale": decoder.ffn_dim // decoder.hidden_size,
            "n_q": decoder.num_codebooks,
            "card": decoder.vocab_size,
            "activation": "gelu",
            "norm_first": True,
            "positional_embedding": "sin",
            "past_context": None,
        },
        "conditioners": {"args": {"drop_desc_p": 0.0}, "description": t5, **self_wav},
        "fuser": {
            "cross_attention_pos_emb": False,
            "sum": [],
            "cross": [] if melody else ["description"],
            "prepend": ["self_wav", "description"] if melody else [],
            "input_interpolate": [],
        },
    }


def codec_state(codec: Any) -> State:
    state: State = {}
    for name, tensor in codec.state_dict().items():
        ours = name
        if name.startswith("quantizer"):
            ours = re.sub(r"quantizer\.layers\.(\d+)\.codebook", r"quantizer.vq.layers.\1._codebook", name)
        elif ".lstm." in name:
            ours = name.replace(".layers.", ".model.")
        else:
            upsamples = name.startswith("decoder") and re.fullmatch(r"decoder\.layers\.\d+\.conv\..*", name)
            transposed = upsamples and isinstance(
                codec.get_submodule(name.split(".conv.")[0]).conv, torch.nn.ConvTranspose1d
            )
            inner = "convtr.convtr" if transposed else "conv.conv"
            ours = name.replace(".layers.", ".model.").replace(".conv.", f".{inner}.")
            ours = ours.replace("parametrizations.weight.original0", "weight_g")
            ours = ours.replace("parametrizations.weight.original1", "weight_v")
        state[ours] = tensor.detach().clone()
    return state


def codec_settings(config: Any) -> dict[str, Any]:
    """As ``config/model/encodec/default.yaml`` of AudioCraft has them, links left as they are exported."""
    codec = config.audio_encoder
    return {
        "sample_rate": codec.sampling_rate,
        "channels": 1,
        "compression_model": "encodec",
        "encodec": {
            "autoencoder": "seanet",
            "quantizer": "rvq",
            "sample_rate": "${sample_rate}",
            "channels": "${channels}",
            "causal": codec.use_causal_conv,
            "renormalize": False,
        },
        "seanet": {
            "dimension": codec.hidden_size,
            "channels": "${channels}",
            "causal": "${encodec.causal}",
            "n_filters": codec.num_filters,
            "n_residual_layers": 1,
            "ratios": codec.upsampling_ratios,
            "activation": "ELU",
            "norm": "weight_norm",
            "kernel_size": 7,
            "residual_kernel_size": 3,
            "last_kernel_size": 7,
            "dilation_base": 2,
            "pad_mode": codec.pad_mode,
            "true_skip": True,
            "compress": 2,
            "lstm": codec.num_lstm_layers,
            "disable_norm_outer_blocks": 0,
            "decoder": {"trim_right_ratio": 1.0, "final_activation": None},
            "encoder": {},
        },
        "rvq": {"n_q": codec.num_quantizers, "bins": codec.codebook_size},
    }
