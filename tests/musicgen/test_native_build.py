"""The native library under sanitizers, and on an emulated ARM processor: where the compilers and qemu are installed."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from musicgen.backends import native_step

NATIVE = Path(native_step.__file__).parent / "native"
SELFTEST = Path(__file__).parent / "native_selftest.cpp"
READS = Path(__file__).parent / "native_reads_selftest.cpp"
TILES = Path(__file__).parent / "native_tiles_selftest.cpp"
UNSUITABLE = 77  # what TILES returns on a processor that cannot run it
ARM = "aarch64-linux-gnu-g++"


def built(folder: Path, compiler: str, *options: str) -> Path:
    """The self-test with the library in it."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    program = folder / "selftest"
    sources = [SELFTEST, *sorted(NATIVE.glob("*.cpp"))]
    subprocess.run([compiler, "-std=c++17", "-pthread", *options, *sources, "-o", program], check=True)
    return program


def kernels_that_agree(*command: str | Path) -> set[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.split()[0] for line in done.stdout.splitlines()}


@pytest.mark.heavy
@pytest.mark.skipif(platform.system() != "Linux", reason="the sanitizers are tried on Linux")
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_no_sanitizer_complains(tmp_path: Path, sanitizers: str) -> None:
    """Every kernel of this machine, with three threads too: no byte outside its buffer, no data race."""
    options = ("-O1", "-g1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all")
    assert "portable" in kernels_that_agree(built(tmp_path, "g++", *options))


@pytest.mark.heavy
def test_a_step_reads_every_weight_once_for_all_rows(tmp_path: Path) -> None:
    """Of a stream alone, of one whose shadow is at work, of many: in all widths."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    program = tmp_path / "reads"
    sources = [READS, *(NATIVE / f"{name}.cpp" for name in ("decoder", "packing", "pool", "kernels_portable"))]
    subprocess.run(["g++", "-std=c++17", "-O1", "-pthread", *sources, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 3 * 4


@pytest.mark.heavy
@pytest.mark.skipif(platform.machine() != "x86_64" or platform.system() != "Linux", reason="AMX is there alone")
def test_amx_agrees_with_plain_code_where_plain_code_plays_its_tiles(tmp_path: Path) -> None:
    program = tmp_path / "tiles"
    sources = [NATIVE / f"{name}.cpp" for name in ("packing", "kernels_portable", "kernels_avx512")]
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    subprocess.run(["g++", "-std=c++17", "-O1", "-w", TILES, *sources, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, timeout=300)
    if done.returncode == UNSUITABLE:
        pytest.skip("this processor has no AVX-512 with VNNI")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == 3 * 6


@pytest.mark.heavy
@pytest.mark.skipif(platform.machine() in ("aarch64", "arm64"), reason="needs no emulator: the other tests ran on ARM")
def test_arm_agrees_with_plain_code(tmp_path: Path) -> None:
    if shutil.which("qemu-aarch64") is None:
        pytest.skip("qemu-aarch64 is not installed")
    program = built(tmp_path, ARM, "-O2", "-static")
    assert kernels_that_agree("qemu-aarch64", program) == {"neondot", "neon", "portable"}
