"""The native backend's library: built where a C++ compiler is found, left out elsewhere; all else: pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

FOLDER = Path("musicgen/backends/native")

# A plain C library that ctypes loads; as an extension, so that setuptools builds, places and ships it.
native = Extension(
    "musicgen.backends._native",
    sources=sorted(str(path) for path in FOLDER.glob("*.cpp")),
    depends=sorted(str(path) for pattern in ("*.h", "*.inc") for path in FOLDER.glob(pattern)),
    language="c++",
    extra_compile_args=["-std=c++17", "-O3", "-fvisibility=hidden", "-pthread"],
    extra_link_args=["-pthread"],
    optional=True,
)

setup(ext_modules=[native])
