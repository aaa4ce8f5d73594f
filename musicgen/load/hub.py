"""From a name to the folder that holds a model's files, on this machine or downloaded from the hub; what kind it is."""

import json
import re
from pathlib import Path
from typing import Any

from musicgen.errors import ModelError

NANO = Path(__file__).parents[1] / "models" / "nano"
# Of what transformers saves, no pickled weights: they could run code.
TRANSFORMERS_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "README.md"]
# Pickled as well, but read without running anything, see musicgen/load/audiocraft.py.
AUDIOCRAFT_FILES = ["state_dict.bin", "compression_state_dict.bin", "score.safetensors", "README.md"]
POINTER = b"version https://git-lfs.github.com/spec/"


def is_audiocraft(folder: Path) -> bool:
    """Whether a folder holds AudioCraft's files and not, or not also, those of transformers."""
    return (folder / AUDIOCRAFT_FILES[0]).is_file() and not (folder / "config.json").is_file()


def find_folder(name: str) -> Path:
    """The folder of a model: "nano", a folder, or a hub id, which is downloaded unless it is already here.

    Raises
    ------
    ModelError
        There is no such model, or it cannot be had now.
    """
    if name == "nano":
        if not (NANO / "config.json").is_file():
            raise ModelError("The nano model is missing from this installation: install musicgen-streamer again.")
        return NANO
    try:
        folder = Path(name).expanduser()
        if name and folder.is_dir():
            return folder
    except OSError as error:
        raise ModelError(f"The folder {name} cannot be read ({error.strerror}): check its permissions.") from error
    except (RuntimeError, ValueError):  # the home of nobody, or a name that no file can have: no folder either way
        pass
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        raise ModelError(
            f"There is no model '{name}': use 'nano', a folder, or a hub id such as 'facebook/musicgen-small'."
        )
    folder = download(name, TRANSFORMERS_FILES)
    own = any((folder / file).is_file() for file in ("config.json", "adapter_config.json"))
    return folder if own else download(name, AUDIOCRAFT_FILES)


def download(name: str, patterns: list[str]) -> Path:
    """The folder with a hub repository's files that match, downloaded unless they are already here.

    Raises
    ------
    ModelError
        There is no such repository, or it cannot be had now.
    """
    from huggingface_hub import snapshot_download  # takes a while, and what is here needs no hub
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (RepositoryNotFoundError, HFValidationError) as error:  # gated models included
        raise ModelError(
            f"'{name}' is neither a folder here nor a public model of the hub: check its spelling."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"'{name}' is not on this machine and the hub cannot be reached: go online once to download it, "
            "or use 'nano', which needs no download."
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of a model's folder; empty where there is no such file.

    Raises
    ------
    ModelError
        The file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    except (ValueError, RecursionError) as error:  # of nothing but brackets, for one
        raise unreadable(path, "is not valid JSON: download or export the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object: download or export the model again.")
    return content


def is_pointer(path: Path) -> bool:
    """Whether a file is what git-LFS leaves in its place."""
    try:
        with path.open("rb") as file:
            return file.read(len(POINTER)) == POINTER
    except OSError:
        return False


def unreadable(path: Path, otherwise: str) -> ModelError:
    """What to say of a file that could not be read: git-LFS leaves pointers where the files themselves should be."""
    if is_pointer(path):
        return ModelError(f"{path} is a git-LFS pointer, not the file itself: run `git lfs pull` in its folder.")
    return ModelError(f"{path} {otherwise}.")


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a MusicGen in transformers' layout.

    Raises
    ------
    ModelError
        There is none.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") not in ("musicgen", "musicgen_melody") or not isinstance(config.get("decoder"), dict):
        raise ModelError(
            f"{folder} holds no MusicGen checkpoint: it needs a config.json with model_type 'musicgen' or "
            "'musicgen_melody', as transformers' save_pretrained writes it."
        )
    return config
