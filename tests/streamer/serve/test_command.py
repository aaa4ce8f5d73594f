"""`streamer serve` as it is typed, until Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

pytest.importorskip("fastapi", reason="install the extra serve")

from tests.streamer.serve.served import PATIENCE, asked, eventually


def test_it_serves_until_it_is_interrupted_and_leaves_nothing() -> None:
    """Shared memory that stayed would be told on stderr as Python ends."""
    command = [sys.executable, "-m", "streamer.cli.main", "serve", "--port", "0", "--streams", "1", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        try:
            found = re.search(r"1 stream at a time, on (http://\S+/)", server.stdout.readline())
            assert found is not None
            session = asked(f"{found[1]}api/sessions", {})
            eventually(lambda: asked(f"{found[1]}api/sessions/{session['id']}")["state"] == "plays")
            server.send_signal(signal.SIGINT)
            assert server.wait(PATIENCE) == 130
            assert server.stderr.read() == ""
        finally:
            server.kill()
