"""What is read with transformers' own classes.

Importing this module imports transformers, which takes seconds: the way from nano's files to music goes without.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoTokenizer,
    EncodecConfig,
    EncodecModel,
    MusicgenForConditionalGeneration,
    MusicgenMelodyFeatureExtractor,
    MusicgenMelodyForConditionalGeneration,
    PreTrainedConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES, AutoModelForTextEncoding

from musicgen import score
from musicgen.errors import ModelError, is_failure
from musicgen.load.audiocraft import AudioCraftFiles, read_audiocraft
from musicgen.load.checks import check_chroma, check_model, check_tokenizer
from musicgen.load.hub import find_folder, is_audiocraft, is_pointer, read_config, read_json, unreadable
from musicgen.load.tensors import Tensors, stored
from musicgen.text.conditioning import LONGEST_PROMPT, TextEncoder

LEAST_WORDS = 3
"""Tokens, besides the special ones, that a tokenizer has at the least."""
MODELS: dict[str, Any] = {
    "musicgen": MusicgenForConditionalGeneration,
    "musicgen_melody": MusicgenMelodyForConditionalGeneration,
}


@contextmanager
def quiet() -> Iterator[None]:
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


# ------------------------------------------------------------------------------------------------ parts of a checkpoint


def audiocraft(folder: Path) -> AudioCraftFiles:
    """AudioCraft's files in transformers' terms, see :func:`musicgen.load.audiocraft.read_audiocraft`."""
    with quiet():
        return read_audiocraft(folder)


def text_encoder(config: dict[str, Any], tensors: Tensors, folder: Path, device: str) -> TextEncoder:
    """The model for texts that a configuration describes, on a device, with its tokenizer from a folder.

    Raises
    ------
    ModelError
        It is no text encoder, or its weights or its tokenizer cannot be loaded.
    """
    kind = config.get("model_type")
    if kind not in MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES:
        raise ModelError(
            f"{folder} reads its prompts with '{kind}', which transformers has no text encoder for: "
            "T5, BERT and their like can be played."
        )
    try:
        own = AutoConfig.for_model(**config)
    except Exception as error:  # of any kind: it is transformers' own class that reads what it finds
        raise ModelError(
            f"{folder} describes a text encoder of type '{kind}' that cannot be made: {_reason(error)}."
        ) from error
    made = cast(Any, AutoModelForTextEncoding)._model_mapping[type(own)]
    _check_shapes(made, own, tensors, folder)
    state = {name: torch.from_numpy(weight) for name, weight in tensors.state().items()}
    model = _pretrained(made, folder, own, state).to(device)
    tokens = tokenizer(folder)
    known = model.get_input_embeddings().num_embeddings
    if max(tokens.get_vocab().values()) >= known:
        raise ModelError(f"The tokenizer in {folder} has more tokens than the text encoder: it is another model's.")
    longest = min(LONGEST_PROMPT, tokens.model_max_length)

    def tokenize(text: str) -> list[int]:
        numbers: list[int] = tokens(text, truncation=True, max_length=longest)["input_ids"]
        return numbers

    @torch.inference_mode()
    def states(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        given = torch.from_numpy(numbers)[None].to(device)
        # the mask is all ones for a single text; token types, where a tokenizer has them, are all zeros
        found: NDArray[np.float32] = model(given, attention_mask=torch.ones_like(given))[0][0].cpu().numpy()
        return found

    def cuts(text: str) -> bool:
        return len(tokens(text, truncation=True, max_length=longest + 1)["input_ids"]) > longest

    return TextEncoder(tokenize, states, own.hidden_size, known, longest, cuts)


def tokenizer(folder: Path) -> transformers.PreTrainedTokenizerBase:
    """Raises ModelError where it cannot be loaded."""
    settings = folder / "tokenizer_config.json"
    check_tokenizer(read_json(settings), str(settings))
    try:
        with quiet():
            found = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            words = len(found.get_vocab()) - len(set(found.all_special_ids))
    except BaseException as error:  # of any kind: libraries read what they find
        if not is_failure(error):
            raise
        pointers = (path for path in sorted(folder.iterdir()) if is_pointer(path))
        file = next(pointers, folder / "tokenizer.json")
        raise unreadable(file, "cannot be loaded as a tokenizer: download or export the model again") from error
    # of a folder without a tokenizer's files transformers makes one that knows no word
    if words < LEAST_WORDS:
        raise ModelError(f"{folder} holds no tokenizer, so every prompt would read the same: it needs tokenizer.json.")
    return cast(transformers.PreTrainedTokenizerBase, found)


def _check_shapes(kind: Any, config: PreTrainedConfig, tensors: Tensors, folder: Path) -> None:
    """Hold a model that is not made yet against its weights: a configuration may ask for any size."""
    try:
        with quiet(), torch.device("meta"):
            shapes = {name: tuple(weight.shape) for name, weight in kind(config).state_dict().items()}
    except Exception as error:  # of any kind, see above
        raise ModelError(f"{folder} describes a {kind.__name__} that cannot be made: {_reason(error)}.") from error
    for name, shape in shapes.items():
        if name in tensors:
            tensors.check_shape(name, shape)


def _reason(error: Exception) -> str:
    """What a library said, as a part of a sentence."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}, {lines[0][:120].rstrip('.')}" if lines else type(error).__name__


def codec(config: dict[str, Any], tensors: Tensors, device: str) -> Any:
    """``EncodecModel`` for encoding, on a device: without its decoder, which is computed in :mod:`musicgen.codec`."""
    model: Any = EncodecModel(cast(Any, EncodecConfig).from_dict(config))
    model.decoder = nn.Identity()
    for name, weight in model.state_dict().items():
        weight.copy_(torch.from_numpy(tensors.take(name, *weight.shape)))
    return model.to(device).eval().requires_grad_(False)


def chroma(values: dict[str, Any]) -> Any:
    """What a melody model hears its melody with, see :data:`musicgen.load.fields.CHROMA`."""
    return cast(Any, MusicgenMelodyFeatureExtractor)(**values)


# ------------------------------------------------------------------------------------------------------- whole models


@dataclass(frozen=True)
class Files:
    """A checkpoint as transformers' objects, whoever wrote it.

    Attributes
    ----------
    model
        ``MusicgenForConditionalGeneration`` or ``MusicgenMelodyForConditionalGeneration``, in float32.
    tokenizer
        Of its text encoder.
    settings
        The content of generation_config.json.
    chroma
        That of preprocessor_config.json.
    """

    model: Any
    tokenizer: transformers.PreTrainedTokenizerBase
    settings: dict[str, Any]
    chroma: dict[str, Any]


def read_files(folder: Path) -> Files:
    """Read a folder in transformers' layout, or one with AudioCraft's files.

    Raises
    ------
    ModelError
        It cannot be used; the message says what to do.
    """
    if is_audiocraft(folder):
        source = audiocraft(folder)
        model = _pretrained(MODELS[source.config.model_type], folder, source.config, source.state)
        return Files(model, tokenizer(source.text_encoder), source.settings, source.chroma)
    config = read_config(folder)
    check_model(config, str(folder / "config.json"))
    kind = MODELS[config["model_type"]]
    _check_shapes(kind, kind.config_class.from_dict(config), Tensors(stored(folder), folder), folder)
    settings = read_json(folder / "generation_config.json")
    return Files(_pretrained(kind, folder), tokenizer(folder), settings, read_json(folder / "preprocessor_config.json"))


def _pretrained(
    kind: Any, folder: Path, config: PreTrainedConfig | None = None, state: dict[str, Tensor] | None = None
) -> Any:
    """transformers' model, of the folder's files or of a configuration and weights, in float32."""
    given: dict[str, Any] = {"config": config, "state_dict": state} if config else {"use_safetensors": True}
    try:
        with quiet():
            model, report = kind.from_pretrained(
                None if config else folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                **given,
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"The weights in {folder} do not fit its configuration: download or export them again."
        ) from error
    if report["missing_keys"]:
        raise ModelError(
            f"The weights in {folder} are incomplete (no {min(report['missing_keys'])}): download or export them again."
        )
    return model.eval().requires_grad_(False)


def convert(name: str, target: Path) -> None:
    """Save a model, AudioCraft's too, in transformers' layout: safetensors, configurations and tokenizer in a folder.

    Raises
    ------
    ModelError
        It cannot be had or used, or the folder cannot be written.
    """
    if target.exists():
        raise ModelError(f"{target} exists already: choose a folder that does not.")
    folder = find_folder(name)
    files = read_files(folder)
    config = files.model.config
    try:
        with quiet():
            files.model.save_pretrained(target)
            files.tokenizer.save_pretrained(target)
            if config.model_type == "musicgen_melody":
                rate, bins = config.audio_encoder.sampling_rate, config.num_chroma
                chroma(check_chroma(files.chroma, rate, bins, str(folder))).save_pretrained(target)
        if (folder / score.FILE).is_file():
            shutil.copyfile(folder / score.FILE, target / score.FILE)
        (target / "generation_config.json").write_text(json.dumps(files.settings, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{target} cannot be written ({error.strerror}): choose another place.") from error
