"""Run a command as on a bare machine: a new Debian root with Python, make and git alone, and in it a new clone.

Usage: python3 .ci/fresh.py COMMAND ...        (or: make fresh COMMAND="make play SECONDS=10")

It needs Debian or Ubuntu, root, debootstrap (installed when it is missing) and the right to make namespaces. From this
machine the root gets how packages are reached, apt's sources, pip's settings and certificates, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "/root/project"  # where the clone lies in the bare root
PACKAGES = "python3,python3-venv,make,git,ca-certificates"
SETTINGS = re.compile(r"^(PIP_|SSL_CERT_|REQUESTS_CA_|CURL_CA_|GIT_SSL_|(https?|no)_proxy$)", re.IGNORECASE)
PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")


class NoBareRoot(Exception):
    """This machine cannot make one: why, as a sentence."""


class BareRoot:
    """A copy of the bare root with a clone of this checkout; commands run in it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settings = {name: value for name, value in os.environ.items() if SETTINGS.match(name)}
        named = local_paths([*self._settings.values(), *(read(path) for path in PIP_FILES)])
        self._shared = [path for path in named if not Path(f"{folder}{path}").exists()]

    def run(self, command: str) -> int:
        """The exit status of a command in the clone; what it says is heard here."""
        return subprocess.run(self._inside(command), stdin=subprocess.DEVNULL).returncode

    def _inside(self, command: str) -> list[str]:
        environment = {
            "HOME": "/root",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **self._settings,
        }
        root = shlex.quote(str(self.folder))
        lines = [
            "set -e",
            f"mount --rbind /dev {root}/dev",
            f"mount -t tmpfs tmpfs {root}/dev/shm",
            f"mount -t proc proc {root}/proc",
            *(self._mount(path) for path in self._shared),
            f"exec chroot {root} env -i {' '.join(shlex.quote(f'{k}={v}') for k, v in environment.items())} "
            f"bash -c {shlex.quote(f'cd {PROJECT} && {command}')}",
        ]
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", "\n".join(lines)]

    def _mount(self, path: Path) -> str:
        """Show a folder or file of this machine at the same place in the root, to be read only."""
        here, there = shlex.quote(str(path)), shlex.quote(f"{self.folder}{path}")
        make = f"mkdir -p {there}" if path.is_dir() else f"mkdir -p $(dirname {there}) && touch {there}"
        return f"{make} && mount --bind {here} {there} && mount -o remount,bind,ro {there}"


@contextlib.contextmanager
def bare_root() -> Iterator[BareRoot]:
    """A bare root, which is removed in the end.

    Raises
    ------
    NoBareRoot
        This machine cannot make one.
    """
    check_machine()
    template = made_template()
    folder = Path(tempfile.mkdtemp(prefix="bare-root-"))
    try:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{template}/.", folder], check=True)
        copy_settings(folder)
        clone = subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", f"{folder}{PROJECT}"])
        if clone.returncode:
            raise NoBareRoot("git cannot clone this checkout.")
        yield BareRoot(folder)
    finally:
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)])


def check_machine() -> None:
    if sys.platform != "linux" or shutil.which("apt-get") is None:
        raise NoBareRoot("A bare root is made on Debian and Ubuntu only.")
    if os.geteuid() != 0:
        raise NoBareRoot("Only root can make a bare root.")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        raise NoBareRoot("This machine does not let us make namespaces (unshare --mount --pid).")
    if shutil.which("debootstrap") is None:
        for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "debootstrap"]):
            subprocess.run(command, capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    if shutil.which("debootstrap") is None:
        raise NoBareRoot("debootstrap is not installed, and apt-get cannot install it.")


def made_template() -> Path:
    """The bare root as debootstrap makes it, kept between runs outside the checkout."""
    release = re.search(r"(?m)^VERSION_CODENAME=(\S+)", read("/etc/os-release"))
    mirror = re.search(r"(?m)^(?:URIs:|deb(?: \[.*?\])?) *(\S+)", "\n".join(read(path) for path in apt_sources()))
    if release is None or mirror is None:
        raise NoBareRoot("The system's release or its package mirror is not to be found.")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "musicgen-streamer"
    kind = hashlib.sha256(f"{PACKAGES} {mirror[1]}".encode()).hexdigest()[:8]
    template = cache / f"bare-{release[1]}-{kind}"
    if not template.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix="half-", dir=cache))
        print(f"Making a bare {release[1]} root, once, in {template}", flush=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release[1], str(half), mirror[1]]
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode:
            shutil.rmtree(half, ignore_errors=True)
            raise NoBareRoot(f"debootstrap failed: {' '.join(made.stdout.split()[-30:])}")
        half.chmod(0o755)
        half.rename(template)
    return template


def copy_settings(root: Path) -> None:
    """How this machine reaches its packages: names, apt's sources, certificates, pip's files."""
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for name in ("etc/resolv.conf", "etc/hosts", "etc/apt", "etc/ssl/certs", "usr/share/keyrings"):
        subprocess.run(["cp", "-aL", "--parents", f"./{name}", root], cwd="/", stderr=subprocess.DEVNULL)
    for name in PIP_FILES:
        path = Path(name).expanduser()
        inside = root / name.replace("~", "root").lstrip("/")
        if path.is_file():
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, inside)


def apt_sources() -> list[str]:
    folder = Path("/etc/apt/sources.list.d")
    more = [*folder.glob("debian.sources"), *folder.glob("ubuntu.sources"), *folder.glob("*.list")]
    return [str(path) for path in (*more, Path("/etc/apt/sources.list"))]


def read(path: str) -> str:
    try:
        return Path(path).expanduser().read_text()
    except OSError:
        return ""


def local_paths(settings: list[str]) -> list[Path]:
    """Folders and files on this machine's disk that pip's settings name, such as indexes and certificates."""
    named = {Path(found) for text in settings for found in re.findall(r"(?<![:/\w])(?:file://)?(/[^\s:,\"']+)", text)}
    # An index's pages point to files beside its folder.
    whole = {path.parent if path.name == "simple" else path for path in named}
    return sorted(path for path in whole if path.exists())


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        with bare_root() as root:
            sys.exit(root.run(" ".join(sys.argv[1:])))
    except NoBareRoot as why:
        sys.exit(f"{why}")


if __name__ == "__main__":
    main()
