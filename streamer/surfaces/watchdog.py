"""What systemd wants to hear of a service: that it is ready, alive and about to end. Elsewhere nobody asks."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

from streamer.reporting import harmless


class Watchdog:
    """Tells whoever started this process, where that asked for it (`sd_notify`).

    Parameters
    ----------
    environment : mapping, optional
        This process's unless given.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        path = environment.get("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path
        micros = environment.get("WATCHDOG_USEC", "0")
        asked = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.every = int(micros) / 2e6 if asked and micros.isascii() and micros.isdecimal() else 0.0

    def ready(self) -> None:
        """It plays."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """It still does; what it does, for people."""
        self._send(f"WATCHDOG=1\nSTATUS={harmless(status)}")

    def stopping(self) -> None:
        """It ends, as it was asked to."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._path or not hasattr(socket, "AF_UNIX"):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(self._path)
            out.send(message.encode())
