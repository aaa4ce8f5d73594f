"""AudioCraft's file of diffusion networks: found or downloaded, and read without running anything."""

from __future__ import annotations

import collections
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from musicgen.codec import CodecWeights
from musicgen.diffusion.network import Shape, Unet
from musicgen.diffusion.process import Band, Levels, Schedule
from musicgen.errors import ModelError
from musicgen.load.hub import download
from musicgen.load.settings import Settings, read_pickle

if TYPE_CHECKING:
    pass

HUB_ID, FILE = "facebook/multiband-diffusion", "mbd_musicgen_32khz.th"
LICENCE = "CC-BY-NC-4.0"


def find_file(source: str | Path = HUB_ID) -> Path:
    """The file of the networks.

    Parameters
    ----------
    source
        The file, a folder with it under its released name, or a repository of the hub, which is downloaded from unless
        it is already here.

    Raises
    ------
    ModelError
        It cannot be had; the message says where it comes from and where to put it.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    how = f"download {FILE} from {HUB_ID} of the hub where there is a network, and name the file"
    if path.is_dir():
        if (path / FILE).is_file():
            return path / FILE
        raise ModelError(f"The folder {path} holds no {FILE}: {how}.")
    try:
        found = download(str(source), [FILE, "README.md"]) / FILE
    except ModelError as error:
        raise ModelError(
            f"There are no diffusion weights '{source}' here, nor can they be downloaded: {how}."
        ) from error
    if not found.is_file():
        raise ModelError(f"'{source}' of the hub holds no {FILE}: {how}.")
    return found


class _Node:
    """What is made of OmegaConf's classes, which the released file has for its configuration: attributes, no code."""


_STAND_INS: list[tuple[Any, str]] = [
    *(
        (_Node, f"omegaconf.{name}")
        for name in (
            "dictconfig.DictConfig",
            "listconfig.ListConfig",
            "nodes.AnyNode",
            "base.ContainerMetadata",
            "base.Metadata",
        )
    ),
    (typing.Any, "typing.Any"),
    (collections.defaultdict, "collections.defaultdict"),
    *((kind, f"builtins.{kind.__name__}") for kind in (dict, list, tuple, str, int, float, bool)),
]


def _plain(node: Any) -> Any:
    """What a configuration of OmegaConf holds, as dictionaries, lists and values."""
    content = vars(node).get("_content", vars(node).get("_val")) if isinstance(node, _Node) else node
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list) else content


def read_bands(path: Path, codec: CodecWeights) -> list[Band]:
    """The networks of a file, on the codec's device, in float32.

    The file is a pickle: ``{"n_bands", "sample_rate", 0: {"cfg", "model_state", "processor_state"}, 1: ...}``. It is
    opened in torch's restricted way, and nothing in it is run.

    Raises
    ------
    ModelError
        It is damaged, could run code, or holds what cannot be used with this codec.
    """
    package = read_pickle(path, f"get {FILE} from {HUB_ID}, or from somebody you trust", _STAND_INS)
    rate, count = package.get("sample_rate"), package.get("n_bands")
    if rate != codec.sample_rate or not isinstance(count, int) or count < 1:
        raise ModelError(
            f"{path} holds no networks for {codec.sample_rate} Hz (it says: {count} for {rate} Hz): "
            f"get {FILE} from {HUB_ID}."
        )
    return [_band(path, package.get(i), codec) for i in range(count)]


def _band(path: Path, part: Any, codec: CodecWeights) -> Band:
    if not isinstance(part, dict) or not isinstance(config := _plain(part.get("cfg")), dict):
        raise ModelError(f"{path} is incomplete: download it again.")
    settings = Settings(path, config)
    try:
        network = _network(_shape(settings), part["model_state"], codec)
        levels = _levels(settings, part["processor_state"], codec)
    except (KeyError, RuntimeError, AttributeError, TypeError) as error:
        raise ModelError(f"The weights in {path} do not fit its configuration: download it again.") from error
    return Band(network, _schedule(settings), levels)


def _shape(settings: Settings) -> Shape:
    """Of ``cfg.diffusion_unet``; what the networks here do not have is refused."""
    known = {"hidden", "depth", "growth", "max_channels", "emb_all_layers", "kernel", "stride", "res_blocks"}
    known |= {"norm_groups", "dropout", "codec_dim", "bilstm", "transformer", "cross_attention"}
    for name in sorted(settings.get("diffusion_unet", dict).keys() - known):
        settings.require(f"diffusion_unet.{name}", None)
    settings.require("channels", 1)
    widths, width = [1], settings.get("diffusion_unet.hidden", int)
    for _ in range(settings.get("diffusion_unet.depth", int)):
        widths.append(width)
        width = int(width * settings.get("diffusion_unet.growth", float))
        width = min(width, settings.get("diffusion_unet.max_channels", int, 10_000))
    return Shape(
        widths=tuple(widths),
        kernel=settings.get("diffusion_unet.kernel", int),
        stride=settings.get("diffusion_unet.stride", int),
        residuals=settings.get("diffusion_unet.res_blocks", int),
        groups=settings.get("diffusion_unet.norm_groups", int),
        steps=settings.get("schedule.num_steps", int),
        embeds_everywhere=settings.get("diffusion_unet.emb_all_layers", bool, False),
        latent=settings.get("diffusion_unet.codec_dim", int),
        bottleneck=_bottleneck(settings),
    )


def _bottleneck(settings: Settings) -> str:
    if settings.get("diffusion_unet.transformer", bool, False):
        return "cross" if settings.get("diffusion_unet.cross_attention", bool, False) else "transformer"
    settings.require("diffusion_unet.bilstm", True)  # without either the latents would lead to nothing
    return "lstm"


def _network(shape: Shape, state: dict[str, Tensor], codec: CodecWeights) -> Unet:
    with torch.device("meta"):  # the file's own tensors take their places: nothing is in memory twice
        network = Unet(shape)
    named = {name.replace(".mha.", "."): tensor.float() for name, tensor in state.items()}
    network.load_state_dict(named, assign=True)
    if shape.latent != codec.table.shape[1]:
        raise RuntimeError("the networks are led by latents of another codec")
    return network.eval().requires_grad_(False).to(codec.table.device)


def _levels(settings: Settings, state: dict[str, Tensor], codec: CodecWeights) -> Levels | None:
    """Of ``cfg.processor`` and what its ``MultiBandProcessor`` counted while it was trained."""
    if not settings.get("processor.use", bool, False):
        return None
    settings.require("processor.name", "multi_band_processor")
    settings.require("processor.n_bands", len(state["sum_x"]))
    power = settings.at("processor.power_std")
    means, squares, targets = (state[name].float() / state["counts"] for name in ("sum_x", "sum_x2", "sum_target_x2"))
    deviations = (squares - means**2).clamp(min=0).sqrt()
    # AudioCraft divides by the noise's power, not by its root, here and in training: so must this
    gains = (deviations / targets) ** torch.tensor(power if power is not None else 1.0)
    filters = state["split_bands.lowpass.filters"][:, 0].float()
    device = codec.table.device
    return Levels(filters.to(device), gains.to(device), means.to(device))


def _schedule(settings: Settings) -> Schedule:
    settings.require("schedule.repartition", "power")
    settings.require("schedule.n_bands", None)
    return Schedule.powers(
        first=settings.get("schedule.beta_t0", float),
        last=settings.get("schedule.beta_t1", float),
        exponent=settings.get("schedule.beta_exp", float, 1.0),
        count=settings.get("schedule.num_steps", int),
        clip=float(settings.get("schedule", dict).get("clip", 5.0) or 0.0),  # nothing is not the same as not said
        noise_scale=settings.get("schedule.noise_scale", float, 1.0),
    )
