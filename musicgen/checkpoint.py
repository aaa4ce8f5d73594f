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
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoTokenizer, MusicgenForConditionalGeneration

from musicgen.cache import StreamingPolicy
from musicgen.codec import CodecWeights, codec_weights
from musicgen.conditioning import PromptEncoder
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, sinusoids
from musicgen.errors import ModelError
from musicgen.sampling import Sampling

NANO = Path(__file__).parent / "models" / "nano"
LICENCES = {"mit": "MIT", "cc-by-nc-4.0": "CC-BY-NC-4.0"}
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}
# No pickled weights (they could run code), and none of AudioCraft's own files, which lie beside transformers'.
HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "README.md"]


@dataclass(frozen=True)
class Checkpoint:
    """A loaded MusicGen: weights, and what its files say about their use."""

    name: str
    licence: str
    channels: int
    pad: int
    decoder: DecoderWeights
    prompts: PromptEncoder
    codec: CodecWeights
    defaults: Sampling
    policy: StreamingPolicy


def load_checkpoint(name: str, device: str = "cpu", dtype: torch.dtype | None = None) -> Checkpoint:
    """Load "nano", a folder in transformers' layout, or a model of the hub.

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
    folder = find_folder(name)
    config = _read_config(folder)
    settings = _read_json(folder / "generation_config.json")
    model = _from_pretrained(folder)
    policy = _policy(folder, settings, config["decoder"])
    tokenizer = _tokenizer(folder)
    model = cast(Any, model).to(target)
    decoder = decoder_weights(model.decoder, policy.max_position, dtype or torch.float32)
    projection = getattr(model, "enc_to_dec_proj", None)
    projection = None if projection is None else (projection.weight.detach(), projection.bias.detach())
    return Checkpoint(
        name=name,
        licence=_licence(name, folder, config),
        channels=model.config.decoder.audio_channels,
        pad=model.config.decoder.pad_token_id,
        decoder=decoder,
        prompts=PromptEncoder(tokenizer, model.text_encoder, projection),
        codec=codec_weights(model.audio_encoder),
        defaults=_sampling(folder, settings),
        policy=policy,
    )


def find_folder(name: str) -> Path:
    """The folder of a model; one from the hub is downloaded unless it is already here."""
    if name == "nano":
        if not (NANO / "config.json").is_file():
            raise ModelError("The nano model is missing from this installation: install musicgen-streamer again.")
        return NANO
    folder = Path(name).expanduser()
    try:
        if name and folder.is_dir():
            return folder
    except OSError as error:
        raise ModelError(f"The folder {name} cannot be read ({error.strerror}): check its permissions.") from error
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        raise ModelError(
            f"There is no model '{name}': use 'nano', a folder, or a hub id such as 'facebook/musicgen-small'."
        )
    return _download(name)


def _download(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (RepositoryNotFoundError, HFValidationError) as error:  # gated models included
        raise ModelError(
            f"'{name}' is neither a folder here nor a public model of the hub: check its spelling."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"'{name}' is not on this machine and the hub cannot be reached: go online once to download it, "
            "or use 'nano', which needs no download."
        ) from error


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
    if kind == "musicgen_melody":
        raise ModelError(
            f"{folder} is a melody model, which needs a melody to follow: this version plays text models only, "
            "such as 'facebook/musicgen-small'."
        )
    if kind != "musicgen" or not isinstance(config.get("decoder"), dict):
        raise ModelError(
            f"{folder} holds no MusicGen checkpoint: it needs a config.json with model_type 'musicgen', "
            "as transformers' save_pretrained writes it."
        )
    activation = config["decoder"].get("activation_function", "gelu")
    if activation not in ACTIVATIONS:
        raise ModelError(f"{folder} uses the activation '{activation}': only {', '.join(ACTIVATIONS)} are known here.")
    return config


def _from_pretrained(folder: Path) -> MusicgenForConditionalGeneration:
    try:
        with _quiet_transformers():
            model, report = cast(Any, MusicgenForConditionalGeneration).from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"The weights in {folder} cannot be loaded: it needs a whole model.safetensors that fits its config.json."
        ) from error
    if report["missing_keys"]:
        raise ModelError(
            f"The weights in {folder} are incomplete (no {min(report['missing_keys'])}): download or export them again."
        )
    return cast(MusicgenForConditionalGeneration, model.eval().requires_grad_(False))


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


def _policy(folder: Path, settings: dict[str, Any], decoder: dict[str, Any]) -> StreamingPolicy:
    """What the model's card says under "streaming" in generation_config.json, else what its length allows."""
    positions = decoder.get("max_position_embeddings", 2048)
    if "streaming" in settings:
        try:
            policy = StreamingPolicy(**settings["streaming"])
            if policy.max_position > positions:
                raise ValueError(f"max_position is above the model's {positions} positions")
            return policy
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"The key 'streaming' in {folder / 'generation_config.json'} is wrong: {error}."
            ) from error
    longest = min(settings.get("max_length") or 1500, positions)
    usual = StreamingPolicy()
    max_position = min(usual.max_position, longest)
    return StreamingPolicy(min(usual.keep, max_position // 2), max_position)


def _sampling(folder: Path, settings: dict[str, Any]) -> Sampling:
    """The card's values; where it has none, the published ones (top-k 250 and guidance 3, as AudioCraft)."""
    named = {"temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "guidance_scale": "guidance"}
    values = {ours: settings[theirs] for theirs, ours in named.items() if settings.get(theirs) is not None}
    try:
        return Sampling(**values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{folder / 'generation_config.json'} is wrong: {error}.") from error


def _licence(name: str, folder: Path, config: dict[str, Any]) -> str:
    """Of the weights: "MIT", "CC-BY-NC-4.0" or "unknown"."""
    if name == "nano":
        return "MIT"
    if any(str(source).startswith("facebook/musicgen") for source in (name, config.get("_name_or_path"))):
        return "CC-BY-NC-4.0"
    card = folder / "README.md"
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
