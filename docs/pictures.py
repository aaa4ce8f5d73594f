"""Draws what one sees: ``python docs/pictures.py`` writes docs/play.svg, docs/models.svg and docs/page.png.

Needs tmux, whose panes are terminals that can be read, for those of 80 columns; and Chromium, with the extra
``browser``, for the page. docs/plugin.png is taken by ``python -m tests.plugin.screen docs/plugin.png``.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).parent
STREAMER = f"{shlex.quote(sys.executable)} -m streamer.cli.main"
PLAY = 'play --prompt "warm house, 122 bpm" --wav-out house.wav'
PICTURES = {
    # name: (what is typed, the lines that are enough, and what has to stand among them)
    "play": (PLAY, 6, r"buffer +\d+ ms.* -?\d+ dB"),
    "models": ("models", 26, r"Backend: "),
}
SECONDS = 120.0
LISTENED = 5.0
"""Seconds that a picture waits, once it shows what it should, so that its numbers are those of music at ease."""


def tmux(*arguments: str) -> str:
    """What a tmux of our own answers."""
    command = ["tmux", "-L", "pictures", "-f", "/dev/null", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def screen(command: str, lines: int, wanted: str, folder: str) -> str:
    """What the command, run in a folder, shows, colours included, once the wanted pattern is there.

    Raises
    ------
    SystemExit
        It never is.
    """
    tmux("new-session", "-d", "-c", folder, "-x", "80", "-y", str(lines), f"{command}; sleep 60")
    try:
        end = time.monotonic() + SECONDS
        while not re.search(wanted, tmux("capture-pane", "-p")):
            if time.monotonic() > end:
                raise SystemExit(f"`{command}` showed no {wanted!r}:\n{tmux('capture-pane', '-p')}")
            time.sleep(0.2)
        time.sleep(LISTENED)
        return tmux("capture-pane", "-e", "-p")
    finally:
        tmux("kill-server")


def photograph(path: Path, folder: str) -> None:
    """The page, played by a hand that blends two prompts."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "streamer.cli.main", "play", "--web", "--web-port", "7779", "--osc-port", "7778"]
    command += ["--wav-out", "page.wav", "--prompt", "deep house, warm bass, 122 bpm"]
    with (
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as playing,
        sync_playwright() as tools,
    ):
        assert playing.stdout is not None
        address = next(line.split()[-1] for line in playing.stdout if line.startswith("Page on"))
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(address)
        page.fill("#slots li:nth-child(2) input", "jazz trio, 122 bpm")
        page.keyboard.press("Enter")
        page.focus("#plane")
        for _ in range(3):
            page.keyboard.press("ArrowUp")
        time.sleep(LISTENED)
        page.screenshot(path=path, full_page=True)
        browser.close()
        playing.terminate()


def draw(typed: str, shown: str, path: Path) -> None:
    """Write a terminal's window as a picture, in whatever monospaced font the reader has."""
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), typed))
    console.print(Text.from_ansi(shown.rstrip()))
    svg = console.export_svg(title="")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def main() -> None:
    """Draw all pictures."""
    for name, (typed, lines, wanted) in PICTURES.items():
        with tempfile.TemporaryDirectory() as folder:
            shown = screen(f"{STREAMER} {typed}", lines, wanted, folder)
        draw(f"streamer {typed}", shown, FOLDER / f"{name}.svg")
    with tempfile.TemporaryDirectory() as folder:
        photograph(FOLDER / "page.png", folder)


if __name__ == "__main__":
    main()
