"""Parts of a measurement in processes of their own, so that none slows, swells or outlives another.

A part reads one line of JSON and tells lines of JSON. It ends when its standard input is closed, which also happens
when the process that started it is killed.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

import structlog

from onewriter.errors import Permanent

LIMIT_S = 1800.0
"""No part takes longer, whatever happens."""
END_S = 10.0

PARTS = {
    "sandbox": "onewriter.bench.stage:play_shop",
    "import": "onewriter.bench.importing:import_all",
    "bare import": "onewriter.bench.importing:insert_bare",
    "reconcile": "onewriter.bench.reconciling:reconcile_all",
    "bare reconcile": "onewriter.bench.reconciling:compare_bare",
    "web": "onewriter.bench.door:serve_door",
    "load": "onewriter.bench.load:send_all",
    "drain": "onewriter.bench.draining:drain_all",
    "bare drain": "onewriter.bench.draining:write_bare",
    "points orders": "onewriter.bench.points_parts:post_orders",
    "bare points orders": "onewriter.bench.points_parts:write_orders_bare",
    "points balances": "onewriter.bench.points_parts:look_at_balances",
    "points audit": "onewriter.bench.points_parts:audit_all",
    "bare points audit": "onewriter.bench.points_parts:read_bare",
    "points merge": "onewriter.bench.points_parts:merge_two",
    "purge": "onewriter.bench.purging:purge_all",
    "bare purge": "onewriter.bench.purging:purge_bare",
    "search": "onewriter.bench.searching:search_all",
    "pages": "onewriter.bench.paging_shop:fill",
    "rotate": "onewriter.bench.rotating:rotate_all",
    "bare rotate": "onewriter.bench.rotating:rotate_bare",
    "compare": "onewriter.bench.comparing:compare_all",
    "cycle": "onewriter.bench.cycling:cycle_all",
}


class Part:
    """A part, as seen by the process that started it."""

    def __init__(self, name: str, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._name, self._process, self._errors = name, process, errors

    def hear(self) -> dict[str, Any]:
        """What the part tells next; raises Permanent if it has ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            said = self._errors.read().strip()[-2000:]
            raise Permanent(f"The part `{self._name}` of the measurement ended early: {said or 'it said nothing'}")
        told: dict[str, Any] = json.loads(line)
        return told

    def go(self) -> None:
        """Tell a part that waits to begin."""
        self._write({})

    def finish(self) -> dict[str, Any]:
        """Ask the part to end, and return what it tells last."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.hear()

    @property
    def is_over(self) -> bool:
        """True once the process has ended."""
        return self._process.poll() is not None

    def _write(self, given: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()


@contextmanager
def started(name: str, **given: Any) -> Iterator[Part]:
    """Run a part for the length of a `with` block; it gets `given`, which must be plain JSON."""
    command = [sys.executable, "-m", "onewriter.bench.parts", name]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        alarm = threading.Timer(LIMIT_S, process.kill)
        alarm.daemon = True
        alarm.start()
        part = Part(name, process, errors)
        try:
            part._write(given)
            yield part
        finally:
            alarm.cancel()
            _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """Close the part's input and wait for its end; one that does not hear of it is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.close()
    except BrokenPipeError:
        process.kill()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


class Caller:
    """The process that started a part, as seen by the part."""

    def __init__(self, source: IO[str], channel: IO[str]) -> None:
        self.given: dict[str, Any] = json.loads(source.readline())
        self.began = threading.Event()
        """Set when the caller says go, and when it is gone."""
        self.ended = threading.Event()
        """Set when the caller asks for the end, or is gone."""
        self._channel = channel
        threading.Thread(target=self._listen, args=(source,), daemon=True).start()

    def tell(self, **told: Any) -> None:
        """Tell the caller something."""
        self._channel.write(json.dumps(told) + "\n")
        self._channel.flush()

    def _listen(self, source: IO[str]) -> None:
        for _line in source:
            self.began.set()
        self.ended.set()
        self.began.set()
        # Whoever has something to say at the end says it now; nothing may outlive its caller.
        threading.Timer(END_S / 2, os._exit, (0,)).start()


def peak_mb() -> float:
    """The most memory that this process ever held, in megabytes.

    Not `ru_maxrss`, where the kernel gives it otherwise: that begins with what the parent held when it started us.
    """
    try:
        with open("/proc/self/status") as status:  # noqa: PTH123 - not a file of a folder
            found = next(line for line in status if line.startswith("VmHWM:"))
        return int(found.split()[1]) / 1024
    except (OSError, StopIteration):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Be one part, and end at once when it is done."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not stand between the lines that we tell
    module, _, name = PARTS[sys.argv[1]].partition(":")
    getattr(import_module(module), name)(Caller(sys.stdin, channel))
    os._exit(0)


if __name__ == "__main__":
    main()
