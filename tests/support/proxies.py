"""A proxy between a client and a server on this machine, which loses what it is told to lose."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Passes bytes on both ways until told otherwise. It closes with everything that it opened."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lost_after: re.Pattern[bytes] | None = None
        self._most: int | None = None
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def losing_answers_to(self, request: re.Pattern[bytes]) -> Iterator[None]:
        """While it lasts, a request in which that is found reaches the server, and its answer is lost."""
        self._lost_after = request
        try:
            yield
        finally:
            self._lost_after = None

    @contextlib.contextmanager
    def cut_after(self, most: int) -> Iterator[None]:
        """While it lasts, a connection is cut once the server has said more than so many bytes on it."""
        self._most = most
        self.drop()
        try:
            yield
        finally:
            self._most = None

    def drop(self) -> None:
        """End every connection."""
        for each in list(self._open):
            self._end(each)

    def close(self) -> None:
        """End it all."""
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open |= {client, server}
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        """From the client to the server."""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._lost_after is not None and self._lost_after.search(data):
                    # The answer goes nowhere, but the server has answered before the client hears of the end.
                    self._end(client)
                    self.lost += 1
                    server.sendall(data)
                    continue
                server.sendall(data)
        self._end(client, server)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        """From the server to the client."""
        said = 0
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                said += len(data)
                if self._most is not None and said > self._most:
                    break
                client.sendall(data)
        self._end(client, server)

    def _end(self, *ends: socket.socket) -> None:
        for each in ends:
            self._open.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
