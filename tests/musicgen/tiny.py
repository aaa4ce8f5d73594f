"""Small random MusicGen checkpoints, saved as transformers saves them: real architecture, no download."""

import json
from pathlib import Path
from typing import Any, cast

import musicgen  # noqa: F401  (first: it makes transformers importable beside any torchaudio)

# isort: split
import tokenizers
import torch
from transformers import (
    BertConfig,
    BertModel,
    EncodecConfig,
    EncodecModel,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyFeatureExtractor,
    MusicgenMelodyForConditionalGeneration,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.models.musicgen.modeling_musicgen import MusicgenForCausalLM
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig
from transformers.models.musicgen_melody.modeling_musicgen_melody import MusicgenMelodyForCausalLM
from transformers.models.t5.modeling_t5 import T5EncoderModel

WORDS = (
    "deep house techno lo-fi piano rain drums bass calm bright dark warm slow fast guitar strings ambient "
    "jazz chords melody with and a the 90 122 bpm"
)


def tiny_checkpoint(
    folder: Path,
    *,
    melody: bool = False,
    channels: int = 1,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 2,
    ffn: int | None = None,
    codebooks: int = 4,
    vocab: int = 64,
    latent: int = 16,
    text_hidden: int = 32,
    text_encoder: str = "t5",
    max_positions: int = 2048,
    causal_codec: bool = False,
    lstm_layers: int = 2,
    sampling_rate: int = 32000,
    ratios: tuple[int, ...] = (8, 5, 4, 4),
    filters: int = 4,
    streaming: dict[str, object] | None = None,
    seed: int = 0,
) -> Path:
    """Save a small random MusicGen checkpoint, with tokenizer, and return its folder.

    Parameters
    ----------
    folder
        Where to save; made if missing.
    melody
        One that can follow a melody: prefix conditioning, no cross-attention.
    channels
        1 (mono) or 2 (stereo: the decoder then has ``2 * codebooks`` interleaved ones).
    codebooks, vocab
        Of the codec: codebooks a channel, entries a codebook (a power of 2).
    latent
        Features of a codec's frame.
    text_encoder
        "t5", "flan-t5" (T5 with gated feed-forward layers) or "bert" (as nano's).
    causal_codec
        A causal EnCodec (no look-ahead, as nano's) or one that looks ahead (as the 32 kHz one).
    streaming
        Extra key ``streaming`` of generation_config.json:
        ``{"policy": "reanchor", "keep": 8, "max_position": 24}``.
    """
    torch.manual_seed(seed)
    tokenizer = _tokenizer()
    codec = EncodecModel(
        _codec_config(causal_codec, lstm_layers, sampling_rate, ratios, filters, codebooks, vocab, latent)
    )
    shape: dict[str, Any] = {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "ffn_dim": 4 * hidden if ffn is None else ffn,
        "num_codebooks": codebooks * channels,
        "audio_channels": channels,
        "max_position_embeddings": max_positions,
        "pad_token_id": vocab,
        "bos_token_id": vocab,
    }
    parts: dict[str, Any] = {
        "text_encoder": _text_encoder(text_encoder, len(tokenizer), text_hidden),
        "audio_encoder": codec,
    }
    model: Any
    if melody:
        parts["decoder"] = cast(Any, MusicgenMelodyForCausalLM)(MusicgenMelodyDecoderConfig(**shape))
        configs = {name: part.config for name, part in parts.items()}
        model = MusicgenMelodyForConditionalGeneration(config=MusicgenMelodyConfig(**configs), **parts)
        cast(Any, MusicgenMelodyFeatureExtractor)(sampling_rate=sampling_rate).save_pretrained(folder)
    else:
        parts["decoder"] = MusicgenForCausalLM(MusicgenDecoderConfig(**shape))
        configs = {name: part.config for name, part in parts.items()}
        model = MusicgenForConditionalGeneration(config=MusicgenConfig(**configs), **parts)
    _make_lively(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    generation: dict[str, object] = {
        "bos_token_id": vocab,
        "decoder_start_token_id": vocab,
        "pad_token_id": vocab,
        "do_sample": True,
        "guidance_scale": 3.0,
        "max_length": 1500,
    }
    if streaming is not None:
        generation["streaming"] = streaming
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


def _text_encoder(kind: str, vocabulary: int, size: int) -> Any:
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "d_model": size,
        "d_kv": 8,
        "d_ff": 2 * size,
        "num_layers": 1,
        "num_heads": 2,
    }
    if kind == "bert":
        return BertModel(
            BertConfig(
                vocab_size=vocabulary,
                hidden_size=size,
                intermediate_size=2 * size,
                num_hidden_layers=1,
                num_attention_heads=2,
            )
        )
    gated: dict[str, Any] = {"feed_forward_proj": "gated-gelu"} if kind == "flan-t5" else {}
    return T5EncoderModel(T5Config(**shape, **gated))


def _codec_config(
    causal: bool,
    lstm_layers: int,
    rate: int,
    ratios: tuple[int, ...],
    filters: int,
    codebooks: int,
    entries: int,
    latent: int,
) -> EncodecConfig:
    config = EncodecConfig(
        sampling_rate=rate,
        upsampling_ratios=list(ratios),
        num_filters=filters,
        hidden_size=latent,
        num_lstm_layers=lstm_layers,
        codebook_size=entries,
        codebook_dim=latent,
        use_causal_conv=causal,
        pad_mode="constant" if causal else "reflect",
        use_conv_shortcut=False,
    )
    # num_quantizers follows from the bandwidth: codebooks * frame rate * bits of a code; half a code more to round down
    config.target_bandwidths = [(codebooks + 0.5) * config.frame_rate * config.codebook_nbits / 1000]
    return config


def _make_lively(model: Any) -> None:
    """Scale the weights up so that tokens depend on prompt and past, which fresh weights (std 0.02) hardly do."""
    with torch.no_grad():
        for name, weight in model.decoder.named_parameters():
            if "embed_tokens" in name:
                weight.normal_()
            elif weight.dim() == 2:
                weight.normal_(0.0, (2.0 if "lm_heads" in name else 1.0) * weight.shape[1] ** -0.5)
            elif name.endswith("layer_norm.weight"):
                weight.normal_(1.0, 0.1)
            else:
                weight.normal_(0.0, 0.1)
        if hasattr(model, "enc_to_dec_proj"):
            model.enc_to_dec_proj.weight.normal_(0.0, 0.5)
            model.enc_to_dec_proj.bias.normal_(0.0, 0.5)
        if hasattr(model, "audio_enc_to_dec_proj"):
            model.audio_enc_to_dec_proj.weight.normal_(0.0, 2.0)
            model.audio_enc_to_dec_proj.bias.normal_(0.0, 0.5)
        for name, buffer in model.audio_encoder.named_buffers():
            if name.endswith("codebook.embed"):
                buffer.normal_()


def _tokenizer() -> PreTrainedTokenizerFast:
    """A word tokenizer that ends every text in </s>, as T5's does."""
    special = ["<pad>", "</s>", "<unk>"]
    vocabulary = {word: index for index, word in enumerate([*special, *dict.fromkeys(WORDS.split())])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )
