"""Make ``import torchaudio`` work where its compiled extension does not fit the installed torch.

The registries offer torchaudio built for one torch and one CUDA only. Beside another torch (a CPU build, a newer one)
its shared library cannot be loaded and the whole package fails to import, and transformers with it, which imports
torchaudio wherever it finds it. Nothing used here needs the compiled part.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn


def import_torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled extension if that cannot be loaded.

    Raises
    ------
    ModuleNotFoundError
        torchaudio is not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except OSError:  # what torch.ops.load_library raises for a library it cannot load
        _put_extension_aside()
        return importlib.import_module("torchaudio")


def _put_extension_aside() -> None:
    """Stand in for ``torchaudio._extension`` with what that module holds in a build without compiled parts."""
    extension = ModuleType("torchaudio._extension")
    extension.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=_refuse)
    for name in [name for name in sys.modules if name.startswith("torchaudio")]:
        del sys.modules[name]  # left behind by the failed attempt
    sys.modules["torchaudio._extension"] = extension


def _refuse(_function: object) -> Callable[..., NoReturn]:
    def unavailable(*_arguments: object, **_options: object) -> NoReturn:
        raise RuntimeError("forced alignment needs a torchaudio built for the installed torch")

    return unavailable
