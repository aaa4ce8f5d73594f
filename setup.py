"""The native backend's library: built where a C++ compiler is found, left out elsewhere; all else: pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

FOLDER = Path("musicgen/backends/native")

# A plain C library that ctypes loads; as an extension, so that setuptools builds, places and ships it.
native = Extension(
    "musicgen.backends._native",
    sources=sorted(str(path) for path in FOLDER.glob("*.cpp")),
    depends=sorted(str(path) for pattern in ("*.h", "*.inc") for path in FOLDER.glob(pattern)),
    language="c++",
    extra_compile_args=["-std=c++17", "-O3", "-g0", "-fvisibility=hidden", "-pthread"],
    extra_link_args=["-pthread"],
    optional=True,
    py_limited_api=True,  # no name of one Python in the file's name
)


class AnyPython(bdist_wheel):
    """The library knows nothing of Python, so one wheel serves every version."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


setup(ext_modules=[native], cmdclass={"bdist_wheel": AnyPython})
