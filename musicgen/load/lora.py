"""PEFT's LoRA adapters: what a folder with an adapter_config.json adds to the weights of its base model.

Merged as PEFT merges them (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models"): a weight becomes
``W + s * alpha / r * B A``, where s is the strength, which can be turned while the music plays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from musicgen.arrays import Array, floats
from musicgen.errors import ModelError
from musicgen.load.hub import find_folder, read_json
from musicgen.load.rules import FLAG, PART, TEXT, Kind, Number, Rule, Whole, check, harmless, must, require, used
from musicgen.load.tensors import Files, Tensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
BEFORE = "base_model.model."
"""What PEFT puts in front of the names of a model's weights."""
ADAPTED = ("decoder.", "enc_to_dec_proj.", "audio_enc_to_dec_proj.", "text_encoder.")
_TRAINING = "it concerns training alone"
_NAMED = "the weights name what is adapted"

FIELDS: dict[str, Rule] = {
    "peft_type": must("LORA", why="of PEFT's methods, LoRA adds to weights"),
    "base_model_name_or_path": used(TEXT, None, "the base model: a folder, beside the adapter's too, or a hub id"),
    "r": used(Whole(1, 4096), 8, "rank"),
    "lora_alpha": used(Number(0, 1e6), 8, "divided by the rank, the scale of what is added"),
    "use_rslora": used(FLAG, False, "divide by the root of the rank"),
    "rank_pattern": used(PART, {}, "ranks of single modules"),
    "alpha_pattern": used(PART, {}, "alphas of single modules"),
    "modules_to_save": used(Kind(list, "a list of names"), None, "modules trained whole; strength blends to them"),
    "fan_in_fan_out": must(False, why="MusicGen's weights are stored the usual way round"),
    "bias": must("none", why="MusicGen's layers have none to adapt"),
    "lora_bias": must(False, None, why="MusicGen's layers have none to adapt"),
    "use_dora": must(False, None, why="DoRA scales each weight by its length, so its strength is no factor"),
    "use_qalora": must(False, None, why="it belongs to quantised weights"),
    "use_bdlora": must(None, False, why="its blocks are no product of two matrices"),
    "layer_replication": must(None, why="it makes a deeper model"),
    "target_parameters": must(None, [], why="MusicGen's weights are modules"),
    "trainable_token_indices": must(None, why="single tokens are no product of two matrices"),
    "alora_invocation_tokens": must(None, why="an adapter acts on the whole stream"),
    **dict.fromkeys(
        ("monteclora_config", "velora_config", "kasa_config"), must(None, why="they add more than the two matrices")
    ),
    "arrow_config": must(None, why="one adapter is played"),
    "megatron_config": must(None, why="weights are whole"),
    "exclude_modules": Rule("harmless", _NAMED),
    "init_lora_weights": must(
        True, False, "gaussian", "orthogonal", "eva", None, why="others change the base model's own weights"
    ),
    **harmless(_NAMED, "target_modules", "layers_to_transform", "layers_pattern"),
    **harmless(
        _TRAINING,
        *("lora_dropout", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "inference_mode"),
        *("revision", "runtime_config", "megatron_core", "qalora_group_size", "ensure_weight_tying"),
    ),
    **harmless("it is a note", "task_type", "auto_mapping", "peft_version"),
}

TABLES: Mapping[str, tuple[str, Mapping[str, Rule]]] = {
    "PEFT's adapter_config.json": ("A LoRA adapter, played over its base model.", FIELDS)
}


@dataclass(frozen=True)
class Addition:
    """What is added to one weight: ``scale * second @ first``, transposed for embeddings; or all of a saved one."""

    first: str
    second: str
    scale: float
    transposed: bool


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter.

    Attributes
    ----------
    folder
        It lies in.
    base
        Its base model, as its configuration names it.
    weights
        Its tensors, checked as a model's are.
    additions
        What it adds, by the names of the base model's weights.
    saved
        Weights that were trained whole: the base model's names, and its own.
    """

    folder: Path
    base: str
    weights: Tensors
    additions: Mapping[str, Addition]
    saved: Mapping[str, str]

    def apply(self, name: str, weight: Array, strength: float) -> Array:
        """A weight of the base model with what the adapter adds to it, float32."""
        if name in self.saved:
            own = self.weights.take(self.saved[name], *weight.shape)
            base = floats(weight)
            return base + np.float32(strength) * (own - base)
        if name not in self.additions or strength == 0:
            return weight
        addition = self.additions[name]
        first, second = self.weights.read(addition.first), self.weights.read(addition.second)
        if first.ndim != 2 or second.ndim != 2 or len(first) != second.shape[1]:
            raise ModelError(f"The adapter in {self.folder} is damaged ({addition.first} has another shape).")
        added = second @ first
        added = added.T if addition.transposed else added
        if added.shape != weight.shape:
            raise ModelError(f"The adapter in {self.folder} does not fit its base model, {self.base} ({name}).")
        return floats(weight) + np.float32(strength * addition.scale) * added


class Adapted(Mapping[str, Array]):
    """A base model's weights with an adapter at a strength."""

    def __init__(self, source: Mapping[str, Array], adapter: Adapter, strength: float) -> None:
        self._source = source
        self._adapter = adapter
        self._strength = strength

    def __getitem__(self, name: str) -> Array:
        return self._adapter.apply(name, self._source[name], self._strength)

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def __len__(self) -> int:
        return len(self._source)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model of its own."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def read_adapter(folder: Path) -> Adapter:
    """Read a folder that PEFT has saved an adapter in.

    Raises
    ------
    ModelError
        It is damaged, or adds something that is no product of two matrices.
    """
    where = str(folder / CONFIG)
    values = check(FIELDS, read_json(folder / CONFIG), where)
    require(
        values["base_model_name_or_path"], where, "base_model_name_or_path is missing, so name the base model there"
    )
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{folder} holds no {WEIGHTS}: save the adapter again, as safetensors.")
    weights = Files([folder / WEIGHTS])
    additions: dict[str, Addition] = {}
    saved: dict[str, str] = {}
    for name in weights:
        module, part = _parts(name, where)
        if not f"{module}.".startswith(ADAPTED):
            raise ModelError(f"{folder / WEIGHTS} adapts {module}, which stays as it is while music plays.")
        if part == "saved":
            saved[module] = name
        elif part != "B":
            second = name.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B")
            require(second in weights, str(folder / WEIGHTS), f"{second} is missing, so save the adapter again")
            additions[f"{module}.weight"] = Addition(name, second, _scale(values, module, where), part == "embedding")
    require(additions or saved, str(folder / WEIGHTS), "it adapts nothing, so save the adapter again")
    return Adapter(folder, values["base_model_name_or_path"], Tensors(weights, folder), additions, saved)


def base_folder(adapter: Adapter) -> Path:
    """The folder of an adapter's base model: beside it, or wherever a model of that name is.

    Raises
    ------
    ModelError
        There is none.
    """
    try:
        beside = adapter.folder / adapter.base
        return beside if beside.is_dir() and adapter.base not in ("", ".") else find_folder(adapter.base)
    except ModelError as error:
        raise ModelError(f"The adapter in {adapter.folder} needs its base model: {error}") from error


_LORA = re.compile(
    r"(?P<module>.+)\.(?:lora_(?P<part>[AB])(?:\.\w+)?\.weight|lora_embedding_(?P<table>[AB])(?:\.\w+)?)"
)


def _parts(name: str, where: str) -> tuple[str, str]:
    """The module that a tensor adapts, and what of it: "A", "B", "embedding" (its A) or "saved" (a whole weight)."""
    plain = name.removeprefix(BEFORE)
    found = _LORA.fullmatch(plain)
    if found is None:
        require("lora_" not in plain, where, f"the adapter holds {plain}, which is no part of LoRA")
        return re.sub(r"\.modules_to_save(\.\w+)?(?=\.)|\.base_layer(?=\.)", "", plain), "saved"
    return found["module"], found["part"] or ("embedding" if found["table"] == "A" else "B")


def _scale(values: Mapping[str, Any], module: str, where: str) -> float:
    """alpha / r, or what the patterns say of a module."""

    def of(pattern: Mapping[str, Any], usual: float) -> float:
        for key, value in pattern.items():
            if re.match(rf"(.*\.)?({re.escape(key)})$", module):
                require(value in Number(0, 1e6, above=True), where, f"a pattern's value for {key} is no number above 0")
                return float(value)
        return usual

    rank, alpha = of(values["rank_pattern"], values["r"]), of(values["alpha_pattern"], values["lora_alpha"])
    return alpha / (math.sqrt(rank) if values["use_rslora"] else rank)
