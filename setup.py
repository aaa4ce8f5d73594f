"""What is built where a C++ compiler is found, and left out elsewhere: the native backend's library, the DAW plug-in.

All else stands in pyproject.toml.
"""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

sys.path.insert(0, str(Path(__file__).parent / "plugin"))
from make_plugin import build_if_possible

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


class WithPlugin(build_ext):
    """The plug-in is no extension of Python: its files lie in a folder of the bridge's, for `streamer plugin`."""

    def run(self) -> None:
        super().run()
        root = Path() if self.inplace else Path(self.build_lib)
        build_if_possible(root / "streamer/surfaces/bridge/built")


setup(ext_modules=[native], cmdclass={"bdist_wheel": AnyPython, "build_ext": WithPlugin})
