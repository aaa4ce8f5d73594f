"""Connections of plug-ins, on loopback alone: who does not know the token is refused, who sends nonsense is let go."""

from __future__ import annotations

import contextlib
import hmac
import selectors
import socket
import threading
import time
from collections.abc import Callable

from streamer.errors import UserError
from streamer.surfaces.bridge import wire
from streamer.surfaces.bridge.session import Session
from streamer.surfaces.bridge.wire import Broken, Kind, Reader

MOST = 32
"""Connections at a time, of strangers too."""
HELLO_SECONDS = 5.0
"""In which a connection has to say who it is."""
_UNSENT = 2**24  # bytes that may wait for one that does not read
_READ = 65536
_TURN_SECONDS = 0.05


class Connection:
    """One socket: what comes is read by the server's thread, what goes out may come from any."""

    def __init__(self, opened: socket.socket, wake: Callable[[], None]) -> None:
        self.socket = opened
        self.reader = Reader(wire.HELLO_LARGEST)
        self.session: Session | None = None
        self.since = time.monotonic()
        self.over = False
        self._wake = wake
        self._lock = threading.Lock()
        self._unsent = bytearray()

    def send(self, message: bytes) -> None:
        """Send a whole message, without waiting. Who reads nothing for long is let go."""
        with self._lock:
            self._unsent += message
            if len(self._unsent) > _UNSENT:
                self.over = True
        self.flush()
        if self.waiting or self.over:
            self._wake()

    def refuse(self, sentence: str) -> None:
        """Say why, and end."""
        self.send(wire.packed(Kind.ERROR, sentence.encode(errors="replace")))
        self.over = True
        self._wake()

    @property
    def waiting(self) -> bool:
        """Whether something is yet to be sent."""
        return bool(self._unsent)

    def flush(self) -> None:
        with self._lock:
            try:
                while self._unsent:
                    del self._unsent[: self.socket.send(self._unsent)]
            except BlockingIOError:
                pass
            except OSError:
                self.over = True


Join = Callable[[Connection, dict[str, str]], Session]
"""Opens a session for a connection whose fields are right, or raises a UserError."""


class Server:
    """Serves the bridge's protocol.

    Parameters
    ----------
    listener : socket
        Bound to a loopback address, and listening.
    token : str
        That every client has to say.
    join : callable
        See `Join`.
    greet : callable
        The fields of the welcome of a session.
    wake_room : callable
        Called when messages have come.
    """

    def __init__(
        self,
        listener: socket.socket,
        token: str,
        join: Join,
        greet: Callable[[Session], dict[str, object]],
        wake_room: Callable[[], None],
    ) -> None:
        self._token, self._join, self._greet, self._wake_room = token, join, greet, wake_room
        self._listener = listener
        listener.setblocking(False)
        self._waker, self._wakeful = socket.socketpair()
        for end in (self._waker, self._wakeful):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(self._wakeful, selectors.EVENT_READ)
        self._connections: dict[socket.socket, Connection] = {}
        self._closing = False

    def run(self) -> None:
        """Serve until `close`."""
        while not self._closing:
            for key, events in self._selector.select(_TURN_SECONDS):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wakeful:
                    with contextlib.suppress(OSError):
                        self._wakeful.recv(4096)
                else:
                    self._serve(self._connections[key.fileobj], events)  # type: ignore[index]
            self._look_after()
        for connection in list(self._connections.values()):
            self._end(connection)
        for end in (self._waker, self._wakeful, self._listener):
            end.close()

    def close(self) -> None:
        """Stop serving, from any thread."""
        self._closing = True
        self._wake()

    def let_go(self, connection: Connection, sentence: str) -> None:
        """End a connection, from any thread, and say why."""
        connection.refuse(sentence)

    # ---- one by one

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # a full pipe wakes it anyway
            self._waker.send(b"\0")

    def _accept(self) -> None:
        try:
            opened, _ = self._listener.accept()
        except OSError:
            return
        if len(self._connections) >= MOST:
            opened.close()
            return
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[opened] = Connection(opened, self._wake)
        self._selector.register(opened, selectors.EVENT_READ)

    def _serve(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            connection.flush()
        if not events & selectors.EVENT_READ or connection.over:
            return
        try:
            data = connection.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            connection.over = True
            return
        try:
            self._hear(connection, data)
        except Broken as error:
            connection.refuse(f"Not understood: {error}.")
        except UserError as error:
            connection.refuse(str(error))

    def _hear(self, connection: Connection, data: bytes) -> None:
        connection.reader.put(data)
        for kind, body in connection.reader.messages():
            if connection.session is None:
                self._welcome(connection, kind, body)
            else:
                connection.session.put(kind, body)
        if connection.session is not None:
            self._wake_room()

    def _welcome(self, connection: Connection, kind: Kind, body: bytes) -> None:
        if kind is not Kind.HELLO:
            raise Broken("the first message has to be a hello")
        fields = wire.read_lines(body)
        if not hmac.compare_digest(fields.get("token", "").encode(), self._token.encode()):
            raise UserError("The token is wrong: only programs of the user who runs the engine may connect.")
        if fields.get("version") != str(wire.VERSION):
            raise UserError(
                "The plug-in and the engine are of different versions: run `streamer plugin install` and load it anew."
            )
        session = self._join(connection, fields)
        connection.session = session
        connection.reader.largest = wire.LARGEST
        connection.send(wire.packed(Kind.WELCOME, wire.lines(self._greet(session))))

    def _look_after(self) -> None:
        """End what is over, and read no more from whom too much waits."""
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.session is None and now - connection.since > HELLO_SECONDS:
                connection.over = True
            if connection.over or (connection.session is not None and connection.session.closed):
                connection.flush()
                self._end(connection)
                continue
            full = connection.session is not None and connection.session.full
            wanted = (0 if full else selectors.EVENT_READ) | (selectors.EVENT_WRITE if connection.waiting else 0)
            self._watch(connection.socket, wanted)

    def _watch(self, opened: socket.socket, wanted: int) -> None:
        watched = opened in self._selector.get_map()
        if not wanted:
            if watched:
                self._selector.unregister(opened)
        elif not watched:
            self._selector.register(opened, wanted)
        elif self._selector.get_key(opened).events != wanted:
            self._selector.modify(opened, wanted)

    def _end(self, connection: Connection) -> None:
        if connection.socket in self._selector.get_map():
            self._selector.unregister(connection.socket)
        del self._connections[connection.socket]
        connection.socket.close()
        if connection.session is not None:
            connection.session.close()
            self._wake_room()
