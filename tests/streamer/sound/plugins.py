"""The tests' own LV2 effects, built: one that does what its knob says, and one that is 100 samples late."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LATE = 100
MANIFEST = "\n".join(
    [
        "@prefix lv2: <http://lv2plug.in/ns/lv2core#> .",
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .",
        *(
            f"<urn:mg:{name}> a lv2:Plugin ; lv2:binary <rude.so> ; rdfs:seeAlso <rude.ttl> ."
            for name in ("rude", "late")
        ),
    ]
)


def build(folder: Path) -> None:
    """Build them, and have this process and its children find them beside those of the system."""
    if shutil.which("gcc") is None or not Path("/usr/include/lv2").is_dir():
        pytest.skip("the tests' own plug-ins are not built: install g++ and lv2-dev")
    if ctypes.util.find_library("lilv-0") is None:
        pytest.skip("LV2 plug-ins need liblilv-0-0")
    bundle = folder / "rude.lv2"
    bundle.mkdir()
    source, library = HERE / "rude.c", bundle / "rude.so"
    subprocess.run(["gcc", "-O1", "-fPIC", "-shared", str(source), "-o", str(library), "-lm"], check=True)
    (bundle / "manifest.ttl").write_text(MANIFEST)
    shutil.copy(HERE / "rude.ttl", bundle)
    os.environ["LV2_PATH"] = os.pathsep.join([str(folder), "/usr/lib/lv2"])
