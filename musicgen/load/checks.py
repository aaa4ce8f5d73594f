"""Configurations held against the tables of their fields, and their fields against each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicgen.load.fields import BERT, CHROMA, CODEC, DECODER, GENERATION, LARGEST_NUMBER, MUSICGEN, T5, TOKENIZER
from musicgen.load.rules import (
    check,
    require,
)


def check_model(config: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """Hold a config.json against its tables.

    Returns
    -------
    dict
        The used fields of "model", "decoder", "codec" and "text", with defaults.

    Raises
    ------
    ModelError
        A field has a value that it cannot have here, is not known, or does not fit the others.
    """
    model = check(MUSICGEN, config, where)
    decoder = check(DECODER, model["decoder"], where, "decoder")
    codec = check_codec(model["audio_encoder"], where, "audio_encoder")
    _check_decoder(decoder, where)
    require(
        codec["codebook_size"] == decoder["vocab_size"],
        where,
        f"the decoder has {decoder['vocab_size']} tokens, but the codec {codec['codebook_size']} entries a codebook; "
        "they must be the same",
    )
    return {"model": model, "decoder": decoder, "codec": codec, "text": check_text(model["text_encoder"], where)}


def _check_decoder(decoder: Mapping[str, Any], where: str) -> None:
    heads, size = decoder["num_attention_heads"], decoder["hidden_size"]
    require(size % heads == 0, where, f"{heads} attention heads cannot share a hidden_size of {size}")
    codebooks, channels = decoder["num_codebooks"], decoder["audio_channels"]
    require(codebooks % channels == 0, where, f"{channels} channels cannot share {codebooks} codebooks")
    pad, entries = decoder["pad_token_id"], decoder["vocab_size"]
    require(pad == entries, where, f"decoder.pad_token_id is {pad}, but must be vocab_size, {entries}")
    bos = decoder["bos_token_id"]
    require(bos in (None, pad), where, f"decoder.bos_token_id is {bos}, but a stream begins with pad_token_id, {pad}")


def check_codec(config: Mapping[str, Any], where: str, part: str = "") -> dict[str, Any]:
    """Hold the configuration of a codec against its table, and its fields against each other."""
    codec = check(CODEC, config, where, part)
    hop = 1
    for ratio in codec["upsampling_ratios"]:
        hop *= ratio
    rate = codec["sampling_rate"]
    require(hop <= rate, where, f"a frame of {hop} samples is longer than a second at {rate} Hz")
    require(
        codec["use_causal_conv"] or codec["trim_right_ratio"] == 1,
        where,
        "audio_encoder.trim_right_ratio must be 1 in a codec that is not causal",
    )
    require(
        codec["codebook_dim"] in (None, codec["hidden_size"]),
        where,
        f"audio_encoder.codebook_dim is {codec['codebook_dim']}, but must be hidden_size, {codec['hidden_size']}",
    )
    require(
        codec["num_filters"] >= codec["compress"],
        where,
        "audio_encoder.compress leaves nothing of the last residual layers",
    )
    reach = codec["residual_kernel_size"] * codec["dilation_growth_rate"] ** (codec["num_residual_layers"] - 1)
    require(reach <= 1 << 14, where, f"the codec's residual layers reach over {reach} samples, more than 16384")
    bits = rate / hop * (codec["codebook_size"] - 1).bit_length()
    encoded = 1000 * max(codec["target_bandwidths"]) / bits
    require(encoded <= 1024, where, f"the codec's target_bandwidths ask for {encoded:.0f} codebooks, more than 1024")
    require(
        codec["chunk_length_s"] is None or codec["overlap"] is not None,
        where,
        "the codec has chunk_length_s but no overlap, so add `overlap` to its part",
    )
    return codec


def check_text(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Hold the configuration of a text encoder against its table.

    One without a table is read by transformers' own class, so only absurd numbers are refused.
    """
    table = {"t5": T5, "bert": BERT}.get(str(config.get("model_type")))
    if table is not None:
        values = check(table, config, where, "text_encoder")
        heads = values.get("num_attention_heads", 1)
        require(
            values.get("hidden_size", 0) % heads == 0,
            where,
            f"{heads} attention heads do not divide the text encoder's size",
        )
        return values
    for name, value in config.items():
        most = 256 if "layer" in name else LARGEST_NUMBER
        require(
            not isinstance(value, int) or -1 <= value <= most, where, f"text_encoder.{name} must be from 0 to {most}"
        )
    return dict(config)


def check_generation(settings: Mapping[str, Any], pad: int, where: str) -> dict[str, Any]:
    """Hold a generation_config.json against its table.

    Parameters
    ----------
    pad
        The decoder's padding token.
    """
    values = check(GENERATION, settings, where)
    for name in ("pad_token_id", "bos_token_id", "decoder_start_token_id"):
        require(values[name] in (None, pad), where, f"{name} is {values[name]}, but must be the padding token, {pad}")
    if not values["do_sample"]:
        values["top_k"] = 1
    return values


def check_tokenizer(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Hold the fields of a tokenizer_config.json that are used against their table."""
    return check(TOKENIZER, {name: settings[name] for name in TOKENIZER if name in settings}, where)


def check_chroma(settings: Mapping[str, Any], rate: int, pitch_classes: int, where: str) -> dict[str, Any]:
    """Hold a preprocessor_config.json against its table, the codec's rate and the model's pitch classes."""
    values = check(
        CHROMA,
        {"sampling_rate": rate, "num_chroma": pitch_classes, "feature_size": pitch_classes} | dict(settings),
        where,
    )
    require(
        values["sampling_rate"] == rate, where, f"sampling_rate is {values['sampling_rate']}, but the codec's is {rate}"
    )
    require(
        values["n_fft"] >= values["hop_length"], where, "hop_length is longer than n_fft, so parts would not be heard"
    )
    for name in ("num_chroma", "feature_size"):
        require(
            values[name] == pitch_classes,
            where,
            f"{name} is {values[name]}, but config.json's num_chroma is {pitch_classes}",
        )
    return values
