"""What is known of a model before it is loaded: its size, licence, channels, and what it can do.

The ten released models (Copet et al. 2023, "Simple and Controllable Music Generation"; the stereo ones followed in
November 2023) differ in a few numbers only, from which the others follow.
"""

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path

from safetensors import safe_open

T5_BASE = 109_628_544  # weights of its encoder
ENCODEC_32KHZ = 56_884_674
META_LICENCE = "CC-BY-NC-4.0"


@dataclass(frozen=True)
class Card:
    """A model in numbers.

    Attributes
    ----------
    name
        What it is loaded by.
    licence
        Of the weights.
    channels
        1 or 2.
    melody
        Whether it can follow a melody. Every model takes text, and can continue from audio.
    layers, hidden
        Of the decoder.
    decoder, text_encoder, codec
        Weights.
    step_size, heads_size
        Weights of the decoder that every step reads, and those of the heads among them.
    positions
        That its cache holds, see :class:`musicgen.StreamingPolicy`.
    """

    name: str
    licence: str
    channels: int
    melody: bool
    layers: int
    hidden: int
    decoder: int
    text_encoder: int
    codec: int
    step_size: int
    heads_size: int
    positions: int = 1200

    @property
    def abilities(self) -> tuple[str, ...]:
        """What its music can be led by."""
        return ("text", "melody", "continuation") if self.melody else ("text", "continuation")

    def memory(self, bytes_per_weight: int = 4) -> int:
        """Bytes that the model and one stream take once it is loaded; the decoder's and the cache's numbers as given.

        Text encoder and codec are float32. The cache holds keys and values of two lanes, each with a conditional and a
        null row.
        """
        cache = self.layers * 2 * 2 * 2 * self.positions * self.hidden
        return bytes_per_weight * (self.decoder + cache) + 4 * (self.text_encoder + self.codec)


def _released(size: str, channels: int, melody: bool, layers: int, hidden: int) -> Card:
    codebooks, entries = 4 * channels, 2048
    attention = 4 * hidden**2 + 2 * hidden  # with its norm, whose scale and shift are the only biases
    feed = 2 * hidden * 4 * hidden + 2 * hidden
    layer = attention + feed if melody else 2 * attention + feed
    projections = 768 * hidden + hidden + (12 * hidden + hidden if melody else 0)
    heads = codebooks * hidden * entries
    tables = heads + codebooks * hidden * (entries + 1)
    return Card(
        name=f"facebook/musicgen-{'stereo-' if channels == 2 else ''}{size}",
        licence=META_LICENCE,
        channels=channels,
        melody=melody,
        layers=layers,
        hidden=hidden,
        decoder=layers * layer + 2 * hidden + tables + projections,
        text_encoder=T5_BASE,
        codec=ENCODEC_32KHZ,
        step_size=layers * _layer_step(hidden, 4 * hidden, melody) + heads,
        heads_size=heads,
    )


def _layer_step(hidden: int, feed: int, melody: bool) -> int:
    """Weights that a step reads of one layer: keys and values of cross-attention are computed once a prompt."""
    return (4 if melody else 6) * hidden**2 + 2 * hidden * feed


RELEASED: tuple[Card, ...] = tuple(
    _released(size, channels, melody, layers, hidden)
    for channels in (1, 2)
    for size, melody, layers, hidden in (
        ("small", False, 24, 1024),
        ("medium", False, 48, 1536),
        ("large", False, 48, 2048),
        ("melody", True, 48, 1536),
        ("melody-large", True, 48, 2048),
    )
)
"""All MusicGen models that Meta has released with text or melody conditioning."""


def nano() -> Card:
    """The model that comes with the package, as its files say."""
    folder = Path(__file__).parent / "nano"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    weights, decoder = _count(folder), config["decoder"]
    hidden, melody = decoder["hidden_size"], config["model_type"] == "musicgen_melody"
    heads = decoder["num_codebooks"] * hidden * decoder["vocab_size"]
    return Card(
        name="nano",
        licence="MIT",
        channels=decoder["audio_channels"],
        melody=melody,
        layers=decoder["num_hidden_layers"],
        hidden=hidden,
        decoder=weights["decoder"] + weights.get("enc_to_dec_proj", 0),
        text_encoder=weights["text_encoder"],
        codec=weights["audio_encoder"],
        step_size=decoder["num_hidden_layers"] * _layer_step(hidden, decoder["ffn_dim"], melody) + heads,
        heads_size=heads,
        positions=settings["streaming"]["max_position"],
    )


def _count(folder: Path) -> dict[str, int]:
    """Weights by part; only the files' headers are read."""
    counts: dict[str, int] = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "np") as file:
            for name in file.keys():  # noqa: SIM118 (no dictionary)
                part = name.split(".")[0]
                counts[part] = counts.get(part, 0) + prod(file.get_slice(name).get_shape())
    return counts
