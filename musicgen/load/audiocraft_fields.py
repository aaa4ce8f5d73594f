"""The rules for AudioCraft's configurations, ``xp.cfg`` in its files.

AudioCraft builds a model from a few sections of it, and hands all that they hold to its modules: every field there has
a rule. The other sections are about training, data and logs, and nothing that plays reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

from musicgen.load.rules import FLAG, TEXT, Kind, Number, OneOf, Rule, Several, Whole, harmless, must, used

_TRAINING = "it concerns training alone"
_SAME = "it changes how fast or in how much memory a result is computed, not which"
_OTHER_PATTERN = "another pattern's"
_PATTERNS = "codebooks_pattern"
_LM = "transformer_lm"
_T5 = "conditioners.description.t5"
_CHROMA = "conditioners.self_wav.chroma_stem"
NAMES = Kind(list, "a list of names")


def _within(section: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    return {f"{section}.{name}": rule for name, rule in rules.items()}


LANGUAGE_MODEL: dict[str, Rule] = {
    "lm_model": must("transformer_lm", why="MAGNeT and others make a piece as a whole, not step by step"),
    "sample_rate": used(Whole(1000, 384_000), None, "Hz, where a codec or a melody names it"),
    "channels": used(OneOf((1, 2)), None, "of the training data; interleave_stereo_codebooks decides"),
    "compression_model_checkpoint": used(TEXT, "", "the codec, where there is no file of it"),
    "dataset.segment_duration": used(Number(1, 600), 30.0, "seconds that the model was trained on"),
    **_within(
        _LM,
        {
            "dim": used(Whole(4, 1 << 14), None, "size of a state"),
            "num_heads": used(Whole(1, 512), None, "attention heads; they divide dim"),
            "num_layers": used(Whole(1, 256), None, "layers"),
            "hidden_scale": used(Number(0, 64, above=True), 4.0, "size of the feed-forward layers, in dims"),
            "n_q": used(Whole(1, 64), None, "codebooks of a frame, all channels together"),
            "card": used(Whole(2, 1 << 16), None, "entries of a codebook"),
            "activation": used(OneOf(("gelu", "relu")), "gelu", "of the feed-forward layers; gated ones are refused"),
            "positional_scale": used(Number(-1000, 1000), 1.0, "factor of the position embeddings"),
            "max_period": used(Number(1, 1e9, above=True), 10_000.0, "longest period of the position embeddings"),
            "positional_embedding": must("sin", why="keys and values are kept without rotation"),
            "xpos": must(False, why="it belongs to rotary positions"),
            "norm_first": must(True, why="MusicGen norms before each part"),
            "norm": must("layer_norm", why="MusicGen has no other"),
            "causal": must(True, why="a stream knows no future"),
            "past_context": must(None, why="the model hears its whole past; a stream's policy says how far that goes"),
            "kv_repeat": must(1, why="each head has keys of its own"),
            "layer_scale": must(None, why="MusicGen's layers have no scale"),
            "qk_layer_norm": must(False, why="MusicGen does not norm queries and keys"),
            "qk_layer_norm_cross": must(False, why="MusicGen does not norm queries and keys"),
            **dict.fromkeys(
                ("bias_ff", "bias_attn", "bias_proj"), must(False, why="MusicGen has biases in its norms alone")
            ),
            **harmless("fuser decides", "cross_attention"),
            **harmless("codebooks_pattern says it", "q_modeling"),
            **harmless("rows are never padded for each other", "two_step_cfg"),
            **harmless(
                _TRAINING,
                *("dropout", "attention_dropout", "emb_lr", "lr", "weight_decay", "checkpointing", "weight_init"),
                *("depthwise_init", "zero_bias_init"),
            ),
            **harmless(_SAME, "custom", "memory_efficient", "attention_as_float32"),
        },
    ),
    **_within(
        _PATTERNS,
        {
            "modeling": used(
                OneOf(("delay", "parallel", "unroll", "coarse_first", "valle", "musiclm")),
                None,
                "how codebooks follow each other; coarse-first patterns and MusicLM's cannot be streamed",
            ),
            "delay.delays": used(Several(Whole(0, 500), 1, 64), None, "frames that each codebook waits"),
            "delay.flatten_first": must(0, why="all frames of a stream are alike"),
            "delay.empty_initial": must(0, why="a stream begins with one column of padding"),
            "unroll.flattening": used(Several(Whole(0, 63), 1, 64), None, "steps of a frame in which codebooks come"),
            "unroll.delays": used(Several(Whole(0, 0), 1, 64), None, "an unrolled frame's codebooks do not wait"),
            **harmless(_OTHER_PATTERN, "parallel", "coarse_first", "valle", "music_lm", "musiclm"),
        },
    ),
    **_within("interleave_stereo_codebooks", {"use": used(FLAG, False, "codebooks alternate between left and right")}),
    "interleave_stereo_codebooks.per_timestep": must(False, why="left and right come in the same frame"),
    **harmless(_TRAINING, "conditioners.args.merge_text_conditions_p", "conditioners.args.drop_desc_p"),
    "conditioners.description.model": must("t5", why="prompts are read by T5"),
    **_within(
        _T5,
        {
            "name": used(TEXT, None, "the text encoder"),
            "normalize_text": must(False, why="prompts are read as they are"),
            **harmless(_TRAINING, "word_dropout", "finetune"),
            **harmless("T5 computes in float32 here", "autocast_dtype"),
        },
    ),
    "conditioners.self_wav.model": must("chroma_stem", why="melodies are heard as chroma"),
    **_within(
        _CHROMA,
        {
            "sample_rate": used(Whole(1000, 384_000), None, "Hz; it must be the codec's"),
            "n_chroma": used(Whole(1, 128), 12, "pitch classes"),
            "radix2_exp": used(Whole(2, 17), 12, "a chroma frame's window is 2 to this, its hop a quarter of that"),
            "argmax": must(True, why="of each chroma frame the strongest pitch class is followed"),
            "eval_wavs": must(None, why="the melody is the musician's"),
            **dict.fromkeys(("nfft", "winlen", "winhop"), must(None, why="radix2_exp says it")),
            **harmless("AudioCraft's own MusicGen repeats a short melody whatever this says", "match_len_on_eval"),
            **harmless("it belongs to eval_wavs", "n_eval_wavs"),
            **harmless(_SAME, "cache_path"),
            **harmless("the strongest pitch class is the same in any norm", "norm"),
        },
    ),
    **_within(
        "fuser",
        {
            "cross": used(NAMES, None, "[description] in a text model, [] in a melody model"),
            "prepend": used(NAMES, None, "[] in a text model, [self_wav, description] in a melody model"),
            "sum": must([], why="MusicGen adds no condition to its frames"),
            "input_interpolate": must([], why="MusicGen stretches no condition over its frames"),
            "cross_attention_pos_emb": must(False, why="the prompt has no positions in cross-attention"),
            **harmless("it belongs to cross_attention_pos_emb", "cross_attention_pos_emb_scale"),
        },
    ),
    "attribute_dropout.args.active_on_eval": must(False, why="a prompt that is given is heard"),
    **harmless(_TRAINING, "attribute_dropout.text", "attribute_dropout.wav", "attribute_dropout.joint_embed"),
    **harmless(
        "AudioCraft's own MusicGen plays every model with a guidance of 3",
        "classifier_free_guidance.inference_coef",
    ),
    **harmless(_TRAINING, "classifier_free_guidance.training_dropout"),
}

_SEANET: dict[str, Rule] = {
    "dimension": used(Whole(1, 8192), None, "size of a frame's state"),
    "channels": must(1, why="MusicGen decodes each channel by itself"),
    "causal": used(FLAG, None, "whether the codec looks ahead"),
    "n_filters": used(Whole(1, 1024), None, "channels of the widest layer"),
    "n_residual_layers": used(Whole(1, 8), None, "residual layers after each upsampling"),
    "ratios": used(Several(Whole(1, 64), 1, 8), None, "their product is a frame's samples"),
    "activation": must("ELU", why="EnCodec has no other"),
    "activation_params": used(Kind(dict, "{alpha: 1}"), {}, "alpha must be 1, EnCodec's"),
    "norm": used(OneOf(("weight_norm", "time_group_norm")), None, "of the convolutions"),
    "norm_params": must({}, None, why="EnCodec's norms have no settings"),
    "kernel_size": used(Whole(1, 255), None, "of the first convolution"),
    "residual_kernel_size": used(Whole(1, 255), None, "of the residual layers"),
    "last_kernel_size": used(Whole(1, 255), None, "of the last convolution"),
    "dilation_base": used(Whole(1, 16), None, "of the residual layers"),
    "pad_mode": used(OneOf(("constant", "reflect")), None, "of the convolutions"),
    "true_skip": used(FLAG, None, "whether residual layers have no convolution around them"),
    "compress": used(Whole(1, 64), None, "how much narrower the residual layers are inside"),
    "lstm": used(
        Whole(1, 8),
        None,
        "layers of the LSTM; a codec without one is refused, for transformers' EnCodec always has one",
    ),
    "disable_norm_outer_blocks": must(0, why="all of EnCodec's layers are normed alike"),
}

CODEC: dict[str, Rule] = {
    "compression_model": must("encodec", why="only EnCodec can be decoded as a stream"),
    "sample_rate": used(Whole(1000, 384_000), None, "Hz"),
    "channels": must(1, why="MusicGen decodes each channel by itself"),
    **_within(
        "encodec",
        {
            "autoencoder": must("seanet", why="EnCodec has no other"),
            "quantizer": must("rvq", why="the language model needs codes"),
            "sample_rate": used(Whole(1000, 384_000), None, "Hz; it must be sample_rate"),
            "channels": must(1, why="MusicGen decodes each channel by itself"),
            "causal": used(FLAG, False, "it must be seanet's"),
            "renormalize": must(False, why="a stream of codes carries no loudness beside them"),
            "renorm": must(None, False, why="a stream of codes carries no loudness beside them"),
        },
    ),
    **_within("seanet", _SEANET),
    "seanet.decoder.trim_right_ratio": used(Number(0, 1), 1.0, "of the transposed convolutions"),
    "seanet.decoder.final_activation": must(None, why="EnCodec's last layer has none"),
    **harmless("it belongs to final_activation", "seanet.decoder.final_activation_params"),
    **_within(
        "rvq", {"n_q": used(Whole(1, 1024), None, "codebooks"), "bins": used(Whole(2, 1 << 16), None, "entries")}
    ),
    **_within(
        "rvq",
        harmless(
            _TRAINING,
            *("q_dropout", "decay", "kmeans_init", "kmeans_iters", "threshold_ema_dead_code"),
            *("orthogonal_reg_weight", "orthogonal_reg_active_codes_only", "orthogonal_reg_max_codes"),
        ),
    ),
}

OVERRIDES = tuple(_SEANET)
"""Fields of seanet that seanet.encoder and seanet.decoder may name again; both must then say the same."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "language model": (
        *("lm_model", "sample_rate", "channels", "compression_model_checkpoint", _LM, _PATTERNS, "conditioners"),
        *("fuser", "interleave_stereo_codebooks", "attribute_dropout", "classifier_free_guidance"),
        "dataset.segment_duration",
    ),
    "codec": ("compression_model", "sample_rate", "channels", "encodec", "seanet", "rvq"),
}
"""What AudioCraft reads when it builds each of them."""

TABLES: Mapping[str, tuple[str, Mapping[str, Rule]]] = {
    "AudioCraft's state_dict.bin, xp.cfg": (
        "The language model. Sections that are not here are about training: nothing that plays reads them.",
        LANGUAGE_MODEL,
    ),
    "AudioCraft's compression_state_dict.bin, xp.cfg": (
        "The codec. What seanet.encoder or seanet.decoder name again must be what seanet says.",
        CODEC,
    ),
}
