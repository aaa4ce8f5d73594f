"""The rules for the fields of transformers' files: config.json, generation_config.json, preprocessor_config.json.

Bounds are far beyond every released model, and low enough that what is built from them stays small until the weights
have been held against it.
"""

from __future__ import annotations

from collections.abc import Mapping

from musicgen.decoder import ACTIVATIONS
from musicgen.load.rules import (
    FLAG,
    PART,
    TEXT,
    Number,
    OneOf,
    Rule,
    Several,
    Whole,
    harmless,
    must,
    used,
)
from musicgen.past.policy import POLICIES

_TRAINING = "it concerns training alone"
_OUTPUT = "it chooses what transformers returns beside the result"
_SAME = "it changes how fast or in how much memory a result is computed, not which"
_ELSEWHERE = "generation_config.json says how to generate"
_ENDLESS = "a stream has no end"
_BEAMS = "a stream draws one token after the other, it searches no beams"

# What every configuration of transformers may have, its older versions' fields included.
COMMON: dict[str, Rule] = {
    "quantization_config": must(None, why="quantised weights are not read"),
    "auto_map": must(None, {}, why="a model's own code is not run"),
    "custom_pipelines": must(None, {}, why="a model's own code is not run"),
    "pruned_heads": must({}, None, why="attention has all of its heads here"),
    **harmless("weights are read in whichever type they are stored in", "dtype", "torch_dtype"),
    **harmless("it is a note", "architectures", "transformers_version", "finetuning_task", "model_name"),
    **harmless(_SAME, "attn_implementation", "chunk_size_feed_forward", "use_cache"),
    **harmless(_OUTPUT, "output_attentions", "output_hidden_states", "return_dict", "output_past"),
    **harmless(_TRAINING, "gradient_checkpointing", "initializer_factor", "initializer_range"),
    **harmless(
        "it concerns other uses of the class",
        *("id2label", "label2id", "num_labels", "problem_type", "tokenizer_class", "prefix", "task_specific_params"),
        *("classifier_dropout", "is_encoder_decoder", "tie_encoder_decoder", "torchscript", "use_bfloat16"),
        *("tf_legacy_loss", "sep_token_id", "decoder_start_token_id", "eos_token_id"),
    ),
    **harmless(
        _ELSEWHERE,
        *("bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping"),
        *("encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id"),
        *("forced_eos_token_id", "guidance_scale", "length_penalty", "max_length", "min_length"),
        *("no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_scores"),
        *("remove_invalid_values", "repetition_penalty", "return_dict_in_generate", "suppress_tokens", "temperature"),
        *("top_k", "top_p", "typical_p"),
    ),
}

MUSICGEN: dict[str, Rule] = {
    **COMMON,
    "model_type": used(OneOf(("musicgen", "musicgen_melody")), "musicgen", "with cross-attention, or with a prefix"),
    "decoder": used(PART, {}, "below"),
    "audio_encoder": used(PART, {}, "below"),
    "text_encoder": used(PART, {}, "below"),
    "_name_or_path": used(TEXT, "", "a model made from one of Meta's keeps its licence"),
    **harmless("the embeddings of text and of codes are different things", "tie_word_embeddings"),
    **harmless("decoder names it", "pad_token_id", "bos_token_id"),
    **harmless("model_type decides", "is_decoder", "add_cross_attention", "cross_attention_hidden_size"),
    "num_chroma": used(Whole(1, 128), 12, "pitch classes of a melody"),
    "chroma_length": used(Whole(1, 4096), 235, "chroma frames that a melody model has in front of its music"),
}

DECODER: dict[str, Rule] = {
    **COMMON,
    "model_type": used(TEXT, "musicgen_decoder", "the type above decides"),
    "vocab_size": used(Whole(2, 1 << 16), 2048, "entries of a codebook"),
    "max_position_embeddings": used(Whole(2, 1 << 14), 2048, "positions that a stream may take"),
    "num_hidden_layers": used(Whole(1, 256), 24, "layers"),
    "ffn_dim": used(Whole(1, 1 << 17), 4096, "size of the feed-forward layers"),
    "num_attention_heads": used(Whole(1, 512), 16, "attention heads; they divide hidden_size"),
    "hidden_size": used(Whole(4, 1 << 14), 1024, "size of a state"),
    "activation_function": used(OneOf(tuple(ACTIVATIONS)), "gelu", "of the feed-forward layers"),
    "num_codebooks": used(Whole(1, 64), 4, "codebooks of a frame, all channels together"),
    "audio_channels": used(OneOf((1, 2)), 1, "2: codebooks alternate between left and right"),
    "pad_token_id": used(Whole(0, 1 << 16), 2048, "the token above the codebook's; it must equal vocab_size"),
    "bos_token_id": used(Whole(0, 1 << 16), None, "it must be the padding token, with which streams begin"),
    "cross_attention_hidden_size": must(None, why="the prompt is brought to hidden_size by enc_to_dec_proj"),
    "tie_word_embeddings": must(False, why="each codebook's head has weights of its own"),
    **harmless(_TRAINING, "layerdrop", "dropout", "attention_dropout", "activation_dropout"),
    **harmless("transformers' class does not apply it either", "scale_embedding"),
    **harmless("model_type decides", "is_decoder", "add_cross_attention"),
}

CODEC: dict[str, Rule] = {
    **COMMON,
    "model_type": must("encodec", why="only EnCodec can be decoded as a stream"),
    "target_bandwidths": used(
        Several(Number(0, 1000, above=True), 1, 64),
        [1.5, 3.0, 6.0, 12.0, 24.0],
        "codebooks that a sound is encoded with",
    ),
    "sampling_rate": used(Whole(1000, 384_000), 24_000, "Hz"),
    "audio_channels": must(1, why="MusicGen decodes each channel by itself"),
    "normalize": must(False, why="a stream of codes carries no loudness beside them"),
    "chunk_length_s": used(Number(0.01, 60), None, "seconds of the chunks that the codec is defined on; null: none"),
    "overlap": used(Number(0, 0.99), None, "share of a chunk that the next one overlaps"),
    "hidden_size": used(Whole(1, 8192), 128, "size of a frame's state"),
    "num_filters": used(Whole(1, 1024), 32, "channels of the widest layer"),
    "num_residual_layers": used(Whole(1, 8), 1, "residual layers after each upsampling"),
    "upsampling_ratios": used(Several(Whole(1, 64), 1, 8), [8, 5, 4, 2], "their product is a frame's samples"),
    "norm_type": used(
        OneOf(("weight_norm", "time_group_norm")),
        "weight_norm",
        "of the convolutions; time_group_norm needs all of time, so only codec='overlap' decodes it",
    ),
    "kernel_size": used(Whole(1, 255), 7, "of the first convolution"),
    "last_kernel_size": used(Whole(1, 255), 7, "of the last convolution"),
    "residual_kernel_size": used(Whole(1, 255), 3, "of the residual layers"),
    "dilation_growth_rate": used(Whole(1, 16), 2, "of the residual layers"),
    "use_causal_conv": used(FLAG, True, "whether the codec looks ahead"),
    "pad_mode": used(OneOf(("constant", "reflect")), "reflect", "of the convolutions"),
    "compress": used(Whole(1, 64), 2, "how much narrower the residual layers are inside"),
    "num_lstm_layers": used(Whole(1, 8), 2, "layers of the LSTM; transformers' EnCodec always has one"),
    "trim_right_ratio": used(Number(0, 1), 1.0, "of the transposed convolutions; 1 unless the codec is causal"),
    "codebook_size": used(Whole(2, 1 << 16), 1024, "entries of a codebook; it must equal the decoder's vocab_size"),
    "codebook_dim": used(Whole(1, 8192), None, "size of an entry; it must equal hidden_size; null: that"),
    "use_conv_shortcut": used(FLAG, True, "whether residual layers have a convolution around them"),
    **harmless(
        "it concerns other uses of the class",
        *("pad_token_id", "bos_token_id", "is_decoder", "add_cross_attention", "cross_attention_hidden_size"),
        "tie_word_embeddings",
    ),
}

_TEXT: dict[str, Rule] = {
    **COMMON,
    "chunk_size_feed_forward": must(0, None, why="transformers then takes prompts of certain lengths only"),
    "is_decoder": must(False, None, why="a prompt is read as a whole"),
    "add_cross_attention": must(False, None, why="a prompt is read by itself"),
    **harmless("a prompt is read alone, without padding", "pad_token_id", "bos_token_id"),
    **harmless("it concerns other uses of the class", "tie_word_embeddings", "cross_attention_hidden_size"),
}

T5: dict[str, Rule] = {
    **_TEXT,
    "model_type": must("t5", why="this is the table of T5"),
    "vocab_size": used(Whole(1, 1 << 20), 32128, "tokens"),
    "d_model": used(Whole(1, 1 << 14), 512, "size of a state"),
    "d_kv": used(Whole(1, 4096), 64, "size of a head"),
    "d_ff": used(Whole(1, 1 << 17), 2048, "size of the feed-forward layers"),
    "num_layers": used(Whole(1, 256), 6, "layers"),
    "num_heads": used(Whole(1, 512), 8, "attention heads"),
    "relative_attention_num_buckets": used(Whole(2, 4096), 32, "buckets of the relative positions"),
    "relative_attention_max_distance": used(Whole(2, 1 << 16), 128, "the furthest that they tell apart"),
    "layer_norm_epsilon": used(Number(0, 1, above=True), 1e-6, "of the norms"),
    "feed_forward_proj": used(
        OneOf(("relu", "gated-gelu", "gelu", "silu", "gated-silu", "gated-relu", "gelu_new")),
        "relu",
        "the feed-forward layers' activation",
    ),
    "dense_act_fn": used(
        OneOf(("relu", "gelu", "silu", "gelu_new")), None, "their activation, where feed_forward_proj is not to decide"
    ),
    "is_gated_act": used(FLAG, None, "whether they are gated, where feed_forward_proj is not to decide"),
    **harmless("there is no T5 decoder here", "num_decoder_layers", "scale_decoder_outputs"),
    **harmless("T5's positions are relative", "n_positions"),
    **harmless(_TRAINING, "dropout_rate"),
}

BERT: dict[str, Rule] = {
    **_TEXT,
    "model_type": must("bert", why="this is the table of BERT"),
    "vocab_size": used(Whole(1, 1 << 20), 30522, "tokens"),
    "hidden_size": used(Whole(1, 1 << 14), 768, "size of a state"),
    "num_hidden_layers": used(Whole(1, 256), 12, "layers"),
    "num_attention_heads": used(Whole(1, 512), 12, "attention heads; they divide hidden_size"),
    "intermediate_size": used(Whole(1, 1 << 17), 3072, "size of the feed-forward layers"),
    "hidden_act": used(
        OneOf((*ACTIVATIONS, "gelu_new", "gelu_pytorch_tanh", "tanh", "mish")), "gelu", "of the feed-forward layers"
    ),
    "max_position_embeddings": used(Whole(1, 1 << 16), 512, "the longest prompt, in tokens"),
    "type_vocab_size": used(Whole(1, 1024), 2, "kinds of token; a prompt is of the first"),
    "layer_norm_eps": used(Number(0, 1, above=True), 1e-12, "of the norms"),
    "position_embedding_type": must("absolute", None, why="transformers computes no other any more"),
    **harmless(_TRAINING, "hidden_dropout_prob", "attention_probs_dropout_prob"),
}

LARGEST_NUMBER = 1 << 20
"""In the configuration of a text encoder without a table, which transformers' own class reads."""

GENERATION: dict[str, Rule] = {
    "temperature": used(Number(0, 100, above=True), 1.0, "the default of `temperature`", null=True),
    "top_k": used(Whole(0, 1 << 20), 250, "the default of `topk`", null=True),
    "top_p": used(Number(0, 1), 1.0, "the default of `topp`", null=True),
    "guidance_scale": used(Number(-1000, 1000), 3.0, "the default of `cfg`", null=True),
    "do_sample": used(FLAG, True, "false: only the likeliest token is taken, as with a top_k of 1", null=True),
    "max_length": used(
        Whole(1, 1 << 31),
        1500,
        "the length that the model was trained on, in steps; less than 5 s is no such length and is not taken for it",
        null=True,
    ),
    "streaming": used(PART, None, "the policy: `keep`, `max_position`, `policy`, see streaming.md"),
    "score_delay": used(
        Number(0, 0.2), 0.0, "seconds by which a note is heard after its place in the score, see models.md"
    ),
    "codebook_delays": used(Several(Whole(0, 500), 1, 64), None, "frames that each codebook waits; null: MusicGen's"),
    "codebook_turns": used(Several(Whole(0, 63), 1, 64), None, "steps of a frame in which codebooks come; null: one"),
    "positional_scale": used(Number(-1000, 1000), 1.0, "factor of the position embeddings"),
    "positional_period": used(Number(1, 1e9, above=True), 10_000.0, "longest period of the position embeddings"),
    "pad_token_id": used(Whole(0, 1 << 16), None, "it must be the decoder's padding token"),
    "bos_token_id": used(Whole(0, 1 << 16), None, "it must be the decoder's padding token"),
    "decoder_start_token_id": used(Whole(0, 1 << 16), None, "it must be the decoder's padding token"),
    "num_beams": must(None, 1, why=_BEAMS),
    "num_beam_groups": must(None, 1, why=_BEAMS),
    "diversity_penalty": must(None, 0, 0.0, why=_BEAMS),
    "constraints": must(None, why=_BEAMS),
    "force_words_ids": must(None, why=_BEAMS),
    "penalty_alpha": must(None, 0, 0.0, why="contrastive search is not computed here"),
    "dola_layers": must(None, why="DoLa is not computed here"),
    "min_p": must(None, 0, 0.0, why="a stream has temperature, top_k and top_p"),
    "top_h": must(None, why="a stream has temperature, top_k and top_p"),
    "typical_p": must(None, 1, 1.0, why="a stream has temperature, top_k and top_p"),
    "epsilon_cutoff": must(None, 0, 0.0, why="a stream has temperature, top_k and top_p"),
    "eta_cutoff": must(None, 0, 0.0, why="a stream has temperature, top_k and top_p"),
    **dict.fromkeys(
        ("repetition_penalty", "encoder_repetition_penalty"), must(None, 1, 1.0, why="music may repeat itself")
    ),
    **dict.fromkeys(
        ("no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), must(None, 0, why="music may repeat itself")
    ),
    **dict.fromkeys(
        (
            *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "forced_bos_token_id"),
            *("forced_eos_token_id", "forced_decoder_ids", "exponential_decay_length_penalty", "watermarking_config"),
        ),
        must(None, why="all tokens are weighed as the model weighs them"),
    ),
    "token_healing": must(None, False, why="tokens are no text"),
    "cache_implementation": Rule("harmless", _SAME),
    **harmless(
        _SAME,
        *("use_cache", "cache_config", "max_cache_len", "low_memory", "prefill_chunk_size", "compile_config"),
        *("disable_compile", "continuous_batching_config", "use_mtp", "speculation_type", "is_assistant"),
        *("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"),
        *("prompt_lookup_num_tokens", "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind"),
        *("target_lookbehind", "assistant_ensemble_weight", "return_legacy_cache"),
    ),
    **harmless(
        _ENDLESS,
        *("max_new_tokens", "min_length", "min_new_tokens", "max_time", "stop_strings", "eos_token_id"),
        *("early_stopping", "length_penalty"),
    ),
    **harmless("probabilities are normalised in any case", "renormalize_logits"),
    **harmless("values that are no numbers end the music", "remove_invalid_values"),
    **harmless(
        _OUTPUT,
        *("num_return_sequences", "output_attentions", "output_hidden_states", "output_scores", "output_logits"),
        "return_dict_in_generate",
    ),
    **harmless("it is a note", "transformers_version"),
}

STREAMING: dict[str, Rule] = {
    "policy": used(OneOf(POLICIES), "reanchor", "a shadow takes over, or the past is consumed again at once"),
    "keep": used(Whole(1, 1 << 14), 600, "steps of the past that are kept; at most half of max_position"),
    "max_position": used(Whole(2, 1 << 14), 1200, "positions that are used; at most the decoder's"),
}

TRAINED_FRAMES = 250
"""The least that ``max_length`` is taken to be the length of training for."""

CHROMA: dict[str, Rule] = {
    "sampling_rate": used(Whole(1000, 384_000), 32_000, "Hz; it must be the codec's"),
    "hop_length": used(Whole(1, 1 << 17), 4096, "samples from one chroma frame to the next"),
    "n_fft": used(Whole(2, 1 << 17), 16_384, "samples of a chroma frame's window"),
    "num_chroma": used(Whole(1, 128), 12, "pitch classes; it must be config.json's"),
    "feature_size": used(Whole(1, 128), 12, "pitch classes; it must be config.json's"),
    "padding_value": must(0.0, 0, why="what is not there is silent"),
    "stem_indices": must([3, 2], why="drums and bass are what Demucs takes away"),
    "feature_extractor_type": must(
        "MusicgenMelodyFeatureExtractor", None, why="melodies are heard as chroma, as this class does"
    ),
    **harmless("a melody is heard whole, and then looped", "chunk_length", "n_samples"),
    **harmless("a melody is heard alone, without padding", "padding_side", "return_attention_mask"),
    **harmless("it is a note", "processor_class", "transformers_version"),
}

TOKENIZER: dict[str, Rule] = {
    "model_max_length": used(Number(1, 1e31), None, "tokens that are heard of a prompt; no more than 256 ever are"),
    "truncation_side": used(OneOf(("right", "left")), "right", "the end of a longer prompt that is not heard"),
}

TABLES: Mapping[str, tuple[str, Mapping[str, Rule]]] = {
    "config.json": ("The model.", MUSICGEN),
    "config.json, decoder": ("The language model.", DECODER),
    "config.json, audio_encoder": ("The codec, EnCodec.", CODEC),
    "config.json, text_encoder of type t5": ("Read by transformers' own class.", T5),
    "config.json, text_encoder of type bert": (
        "Read here, or by transformers' own class where its activation is none of the decoder's.",
        BERT,
    ),
    "generation_config.json": (
        "How tokens are drawn unless the musician says so. A card need not be there.",
        GENERATION,
    ),
    "generation_config.json, streaming": ("How streams go on for ever, see [streaming.md](streaming.md).", STREAMING),
    "preprocessor_config.json": (
        "How a melody model hears. Other models hear nothing through it, and it is not read.",
        CHROMA,
    ),
    "tokenizer_config.json": (
        "tokenizer.json says all else; where a text encoder is read by transformers, so is this.",
        TOKENIZER,
    ),
}
