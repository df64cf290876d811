"""`onewriter serve`, `worker`, and the web process that `serve` starts."""

import os
import socket
import subprocess
import threading

import click

from onewriter import log
from onewriter import settings as known
from onewriter.cli.frame import DONE, FAILED
from onewriter.cli.inputs import as_json
from onewriter.cli.output import emit, note, say
from onewriter.cli.processes import (
    Child,
    address_of,
    command_of,
    end_with_parent,
    listen,
    on_stop,
    start,
    stop_all,
    until_one_ends,
    until_stopped,
)
from onewriter.errors import Forbidden

host_option = click.option("--host", help="Address to listen on; by default the setting `host`.")
port_option = click.option("--port", type=click.IntRange(0, 65_535), help="Port; by default the setting `port`.")
tied_option = click.option("--tied", is_flag=True, hidden=True, help="End when standard input ends.")


@click.command("serve")
@host_option
@port_option
@as_json
def serve(host: str | None, port: int | None, as_json: bool) -> int:
    """Start the service: the web process and a worker, until Ctrl-C.

    Ends both when one ends by itself, and then exits with 4. On PostgreSQL any number of `onewriter worker` may run
    beside it, on other machines too.
    """
    stopped = threading.Event()
    with on_stop(stopped.set), _listening(host, port) as opened:
        told = subprocess.run(  # noqa: S603 - our own command
            command_of("prepare", "--welcome", address_of(opened)), check=False, stdout=subprocess.PIPE, text=True
        )
        if told.returncode:
            return told.returncode
        opened.set_inheritable(True)
        children: list[Child] = []
        try:
            children.append(start(["web", "--fd", str(opened.fileno())], pass_fds=[opened.fileno()]))
            children.append(start(["worker"]))
            _tell(address_of(opened), children, told.stdout.strip() or None, as_json)
            ended = until_one_ends(children, stopped)
        finally:
            stop_all(children)
    if ended is None:
        return DONE
    name = "web process" if ended is children[0] else "worker"
    note(f"Error: The {name} ended by itself ({ended.returncode}), so the service stops; its reason is above.")
    return FAILED


def _listening(host: str | None, port: int | None) -> socket.socket:
    settings = known.load()
    return listen(host or settings.text("host"), settings.number("port") if port is None else port)


def _tell(url: str, children: list[Child], welcome: str | None, as_json: bool) -> None:
    if as_json:
        emit({"url": url, "web_pid": children[0].pid, "worker_pid": children[1].pid, "welcome": welcome})
        return
    say(f"Listening on {url}; webhooks go to {url}/webhooks/shopify. Ctrl-C stops.")
    if welcome is not None:
        say(f"Nobody can log in yet: open this link once, within 24 hours, and choose a password.\n{welcome}")


@click.command("web", hidden=True)
@host_option
@port_option
@click.option("--fd", type=int, hidden=True, help="A socket that listens already.")
@tied_option
@as_json
def web(host: str | None, port: int | None, fd: int | None, tied: bool, as_json: bool) -> None:
    """Start the web process alone.

    On SQLite there may be one.
    """
    from onewriter.runtime import Runtime
    from onewriter.web.app import create_server

    settings = _begin(tied)
    with (
        until_stopped(),
        Runtime(settings, door=True) as runtime,
        socket.socket(fileno=fd) if fd is not None else _listening(host, port) as opened,
    ):
        runtime.prepare()
        if as_json:
            emit({"url": address_of(opened), "pid": os.getpid()})
        create_server(runtime).run(sockets=[opened])


@click.command("worker")
@tied_option
@as_json
def worker(tied: bool, as_json: bool) -> None:
    """Start a worker alone.

    It carries out runs, and applies what waits in the inbox. Any number may run; what a worker that dies was doing is
    taken up by the next one.
    """
    from onewriter.runtime import Runtime
    from onewriter.workflows.worker import Worker, end_process

    settings = _begin(tied)
    stopped = threading.Event()
    with on_stop(stopped.set), Runtime(settings) as runtime:
        runtime.prepare()
        started = Worker(runtime)
        started.start()
        if as_json:
            emit({"worker": started.id, "pid": os.getpid()})
        stopped.wait()
        started.stop()
        end_process(DONE)


@click.command("prepare", hidden=True)
@click.option("--welcome", "url", metavar="URL", help="Print a link for the first person, where nobody can log in yet.")
@as_json
def prepare(url: str | None, as_json: bool) -> None:
    """Bring the databases up to date.

    Makes a master key too, if there has never been one.
    """
    from onewriter.cli import session
    from onewriter.desk import entering

    with session.opened() as runtime:
        try:
            link = None if url is None else entering.welcome(session.caller(runtime), url)
        except Forbidden:
            link = None
            note("Nobody can log in yet; an owner makes a link for it: `onewriter people invite NAME ROLE`.")
        if as_json:
            emit({"prepared": True, "welcome": link})
        elif link is not None:
            say(link)


def _begin(tied: bool) -> known.Settings:
    """The settings, with the logs set up; tied to our parent where it asked for that."""
    settings = known.load()
    log.configure(settings.text("log_level"), settings.text("log_format"))
    if tied:
        end_with_parent()
    return settings
