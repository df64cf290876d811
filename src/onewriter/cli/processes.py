"""Processes that run until they are told to stop: signals, sockets, and children that end with their parent."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from onewriter.errors import BadSetting

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
STOP_MAX_S = 15.0
LOOK_EACH_S = 0.1
BACKLOG = 2048

Child = subprocess.Popen[bytes]


@contextmanager
def interrupted() -> Iterator[None]:
    """Raise KeyboardInterrupt for a signal that ends a process, so that what was begun is put away.

    A shell that starts a process in the background lets it ignore Ctrl-C; here it is heard all the same.
    """
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in STOP_SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def until_stopped() -> Iterator[None]:
    """Let a server run until it is told to stop, which is no error.

    The server hears the signal itself while it runs, closes, and raises the signal again for us.
    """
    with interrupted(), suppress(KeyboardInterrupt):
        yield


@contextmanager
def on_stop(action: Callable[[], None]) -> Iterator[None]:
    """Call `action` for a signal that ends a process, in place of ending it."""

    def heard(_signal: int, _frame: FrameType | None) -> None:
        action()

    before = [(number, signal.signal(number, heard)) for number in STOP_SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextmanager
def listening_errors(host: str, port: int) -> Iterator[None]:
    """The border where a port that cannot be had becomes one sentence."""
    try:
        yield
    except OSError as error:
        raise BadSetting(f"Cannot listen on {host}:{port} ({error.strerror}); choose another with --port.") from None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with listening_errors(host, port):
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, port))
            opened.listen(BACKLOG)
        except OSError:
            opened.close()
            raise
    return opened


def address_of(opened: socket.socket) -> str:
    """The address that a socket listens on."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}" if opened.family is socket.AF_INET6 else f"http://{host}:{port}"


def command_of(*words: str) -> list[str]:
    """The command line of another onewriter by the same Python; a module in the current folder is not imported."""
    return [sys.executable, "-P", "-m", "onewriter", *words]


def start(words: Sequence[str], *, pass_fds: Sequence[int] = ()) -> Child:
    """Start a child that hears of Ctrl-C only from us, and ends when we do, however that happens."""
    return subprocess.Popen(  # noqa: S603 - our own command
        command_of(*words, "--tied"), stdin=subprocess.PIPE, start_new_session=True, pass_fds=pass_fds
    )


def end_with_parent() -> None:
    """Stop this process when its standard input ends: its parent held the other end."""

    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def wait() -> None:
        while os.read(0, 4096):
            pass
        # To the main thread itself: Python only acts on a signal there, and another thread's would not wake it up.
        signal.pthread_kill(main_thread, signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def until_one_ends(children: Sequence[Child], stopped: threading.Event) -> Child | None:
    """Wait until we are stopped (None), or a child ends by itself (that child)."""
    while not stopped.wait(LOOK_EACH_S):
        for child in children:
            if child.poll() is not None:
                return child
    return None


def stop_all(children: Sequence[Child]) -> None:
    """Ask the children to end, wait, and kill those that do not."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_MAX_S
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()
