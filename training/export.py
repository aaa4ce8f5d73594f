"""Pack codec, text encoder and language model as one folder that transformers loads unmodified.

    python -m training.export --codec runs/polish/codec.pt --text runs/text/text.pt --model runs/model/model.pt

The same checkpoints give the same bytes. The text encoder, which never changes, is a file of its own, and so is the
codec's decoder, which can be trained without anything else. What a score adds to the model lies beside the weights that
transformers loads, in ``score.safetensors``; a model that was never told anything has none.
"""

import argparse
import json
from pathlib import Path
from typing import Any, cast

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer
from tokenizers.normalizers import Replace, Sequence
from transformers import GenerationConfig, MusicgenConfig, MusicgenForConditionalGeneration

from musicgen import score
from training import text
from training.card import write_card
from training.codec import load_codec
from training.model import LENGTH, PAD, Nano, load_nano

TEXT, MODEL, PLAYER = (
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model-codec-decoder.safetensors",
)
SHARDS = (TEXT, MODEL, PLAYER)
# Keys in words that the text encoder reads wrong (training/README.md), and the same keys in words that it reads right.
SPELLINGS = {"d[ -]?flat": "c sharp", "g[ -]?flat": "f sharp", "gb": "f sharp", "a[ -]?sharp": "b flat"}
OF_A_KEY = r"(?=[ -]?(?:major|minor|maj|min)\b)"  # not "a sharp sound"
SCORE_DELAY = 0.009
"""Seconds by which attacks are heard after the beats that nano is told: the median over all styles, two streams each,
as `training.evaluate` hears them where the delay is given as 0."""
KEEP = 32
"""Frames that a lane has heard when it takes over: enough for the beat to go on. With half of the positions, 256, long
streams followed what they had strayed into instead of their prompt (training/README.md)."""
SAMPLING = {"guidance_scale": 3.2, "do_sample": True, "temperature": 1.05, "top_k": 250}


def assemble(codec: Path, words: Path | None, nano: Nano) -> Any:
    """The three trained parts as one transformers model, float32."""
    _, encoder = text.load(words)
    audio = load_codec(codec)
    config = MusicgenConfig(
        text_encoder=encoder.config.to_dict(),
        audio_encoder=audio.config.to_dict(),
        decoder=nano.decoder.config.to_dict(),
    )
    whole: Any = MusicgenForConditionalGeneration(
        config, text_encoder=encoder, audio_encoder=audio, decoder=nano.decoder
    )
    whole.enc_to_dec_proj.load_state_dict(nano.enc_to_dec_proj.state_dict())
    return whole.eval()


def shard_of(name: str) -> str:
    """The file that a tensor is written to."""
    if name.startswith("text_encoder."):
        return TEXT
    return PLAYER if name.startswith("audio_encoder.decoder.") else MODEL


def write_weights(model: Any, out: Path) -> None:
    """Float16 shards and their index."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        # The codebooks' running averages serve training only, but transformers expects them: zeros compress to nothing
        # that matters, and keep the file free of what is not used.
        value = torch.zeros_like(tensor) if name.endswith(".embed_avg") else tensor
        state[name] = value.half().contiguous().clone() if value.is_floating_point() else value.contiguous().clone()
    place = {name: shard_of(name) for name in sorted(state)}
    for shard in SHARDS:
        parts = {name: state[name] for name in place if place[name] == shard}
        save_file(parts, out / shard, metadata={"format": "pt"})
        (out / shard).chmod(0o644)  # safetensors leaves it for its owner alone
    size = sum(t.numel() * t.element_size() for t in state.values())
    write_json(out / "model.safetensors.index.json", {"metadata": {"total_size": size}, "weight_map": place})


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Sorted and indented, so that equal contents are equal bytes."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_settings(model: Any, out: Path) -> None:
    """config.json, and generation_config.json with the streaming policy that fits the training crops."""
    model.config.dtype = "float16"
    model.config.text_encoder._name_or_path = text.UPSTREAM  # not the folder it was read from on this machine
    model.config.save_pretrained(out)
    generation = cast(Any, GenerationConfig)(
        **SAMPLING, max_length=LENGTH, pad_token_id=PAD, bos_token_id=PAD, decoder_start_token_id=PAD
    ).to_diff_dict()
    generation["score_delay"] = SCORE_DELAY
    generation["streaming"] = {"policy": "reanchor", "keep": KEEP, "max_position": LENGTH}
    write_json(out / "generation_config.json", generation)
    rate = model.config.audio_encoder.sampling_rate
    features = {
        "feature_extractor_type": "EncodecFeatureExtractor",
        "processor_class": "MusicgenProcessor",
        "feature_size": 1,
        "padding_side": "left",
        "padding_value": 0.0,
        "return_attention_mask": True,
        "sampling_rate": rate,
    }
    write_json(out / "preprocessor_config.json", features)


def write_tokenizer(out: Path) -> None:
    """The text encoder's tokenizer, which spells keys as the encoder reads them.

    It is told to leave token types out: `generate` would hand them to the decoder.
    """
    tokenizer, _ = text.load(None)
    tokenizer.save_pretrained(out)
    rules = Tokenizer.from_file(str(out / "tokenizer.json"))
    spell = [Replace(Regex(rf"\b{words}{OF_A_KEY}"), right) for words, right in SPELLINGS.items()]
    rules.normalizer = Sequence([rules.normalizer, *spell])
    rules.save(str(out / "tokenizer.json"))
    path = out / "tokenizer_config.json"
    # transformers' BertTokenizer would not take the rules from tokenizer.json but make its own.
    told = {"model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "PreTrainedTokenizerFast"}
    write_json(path, {**json.loads(path.read_text()), **told})


def export(codec: Path, words: Path | None, model: Path, metrics: Path, out: Path) -> None:
    """Write the folder."""
    out.mkdir(parents=True, exist_ok=True)
    nano = load_nano(model)
    whole = assemble(codec, words, nano)
    write_weights(whole, out)
    (out / score.FILE).unlink(missing_ok=True)
    if nano.score.weight.any():
        score.save(out / score.FILE, nano.score.weight.detach().numpy())
        (out / score.FILE).chmod(0o644)
    write_settings(whole, out)
    write_tokenizer(out)
    write_card(metrics, out)


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", type=Path, default=Path("runs/polish/codec.pt"))
    parser.add_argument("--text", type=Path, default=Path("runs/text/text.pt"))
    parser.add_argument("--model", type=Path, default=Path("runs/model/model.pt"))
    parser.add_argument("--metrics", type=Path, default=Path("runs/evaluate/metrics.json"), help="for the card")
    parser.add_argument("--out", type=Path, default=Path("musicgen/models/nano"))
    arguments = parser.parse_args()
    export(arguments.codec, arguments.text, arguments.model, arguments.metrics, arguments.out)
    for path in sorted(arguments.out.iterdir()):
        print(f"{path.stat().st_size / 2**20:8.2f} MB  {path.name}")


if __name__ == "__main__":
    main()
