"""Fixtures that several rooms' tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tiny tensors gain nothing from threads
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test reaches for the hub

import signal
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from musicgen import MusicGen  # before transformers, see musicgen/_torchaudio.py
from tests.musicgen.tiny import tiny_checkpoint

# A shell that runs the tests in the background has Ctrl-C ignored, nohup a closed terminal: children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes says nothing about its correctness on a shared machine.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "Fail what is skipped because something is not installed: for machines on which our set-up may install it."
    parser.addoption("--nothing-to-install", action="store_true", help=words)
    words = "Try so many times as many examples in every property test: a search for faults, not a check."
    parser.addoption("--deep", type=int, default=1, metavar="TIMES", help=words)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    times: int = config.getoption("deep")
    found = [item for item in items if isinstance(item, pytest.Function) and hypothesis.is_hypothesis_test(item.obj)]
    machines = {item.cls: "settings" for item in found if hasattr(item.cls, "settings")}
    tests = {item.obj: "_hypothesis_internal_use_settings" for item in found if item.cls not in machines}
    for test, name in (tests | machines).items() if times > 1 else ():
        own = getattr(test, name)
        setattr(test, name, hypothesis.settings(own, max_examples=own.max_examples * times))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _nothing_missing(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _nothing_missing(collector.config, (yield))


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _nothing_missing(config: pytest.Config, report: Report) -> Report:
    """Make a failure of a skip whose reason says what to install, where nothing should be left to install."""
    if config.getoption("nothing_to_install") and report.skipped and isinstance(report.longrepr, tuple):
        _, _, reason = report.longrepr
        if "install" in reason:
            report.outcome = "failed"
            report.longrepr = reason
    return report


@pytest.fixture(autouse=True)
def patience() -> Generator[None, None, None]:
    """What plays in the tests' own process asks to go before others: the next test is to begin as everybody does."""
    if sys.platform == "win32":
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    if os.getpriority(os.PRIO_PROCESS, 0) < before:
        os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random mono MusicGen checkpoint (32 kHz, 50 Hz frames, 4 codebooks, looks ahead), as a folder."""
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "mono")


@pytest.fixture(scope="session")
def tiny_model(tiny_model_dir: Path) -> MusicGen:
    """``tiny_model_dir``, loaded."""
    return MusicGen.load(str(tiny_model_dir), backend="torch")
