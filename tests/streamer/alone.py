"""A network of one's own, as Linux makes them: nothing is reached from outside, and nothing outside is reached."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

UP = "ip link set lo up"


@functools.cache
def _user() -> list[str]:
    """What a network takes besides: nothing for root, who in a changed root gets no user namespace, else one."""
    plain = subprocess.run(["unshare", "--net", "true"], capture_output=True, timeout=60)
    return ["--map-root-user"] if plain.returncode else []


def alone(*command: str, first: str = UP, spaces: Sequence[str] = ()) -> list[str]:
    """A command in a network of its own, after what that needs first, and in whatever else `unshare` is to make."""
    return ["unshare", *_user(), "--net", *spaces, "sh", "-c", f'{first} && exec "$@"', "sh", *command]


def inside(pid: int, *command: str) -> list[str]:
    """A command in the network of a process that is alone."""
    user = ["--user", "--preserve-credentials"] if _user() else []
    return ["nsenter", f"--target={pid}", *user, "--net", *command]


def needs(first: str = UP, spaces: Sequence[str] = ()) -> list[pytest.MarkDecorator]:
    """Marks of tests that run something alone: they are skipped where it cannot be."""
    linux = sys.platform.startswith("linux")
    lacking = linux and shutil.which("ip") is None
    grants = linux and not lacking and shutil.which("unshare") is not None
    if grants:
        tried = alone("true", first=first, spaces=spaces)
        grants = subprocess.run(tried, capture_output=True, timeout=60).returncode == 0
    return [
        pytest.mark.skipif(lacking, reason="install iproute2 (apt)"),
        pytest.mark.skipif(not grants, reason="this system lets nobody make a network of one's own"),
    ]
