"""onewriter as processes of its own, which a test may kill, on the databases of a runtime."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from onewriter.runtime import Runtime

PATIENCE_S = 60.0


@dataclass
class Part:
    """One process: the JSON line that it printed first, and where its standard error goes."""

    process: subprocess.Popen[str]
    told: Any

    def kill(self) -> None:
        """End it as a power cut does; it hears of nothing."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


def environment_of(runtime: Runtime, **settings: str) -> dict[str, str]:
    """The environment of a process that works with the same installation as the runtime."""
    named = ("database_url", "keystore_url", "data_dir")
    given = {name: runtime.settings.text(name) for name in named} | settings
    inherited = {
        name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "COVERAGE_PROCESS_START")
    }
    return inherited | {f"ONEWRITER_{name.upper()}": value for name, value in given.items()}


@contextmanager
def started(runtime: Runtime, *words: str, log: Path, **settings: str) -> Iterator[Part]:
    """A command that runs until it is stopped or killed; whatever happens, it does not outlive the block."""
    with log.open("a") as stderr:
        process = _begin(["-m", "onewriter", *words, "--json"], environment_of(runtime, **settings), log.parent, stderr)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"It ended at once: {log.read_text()[-2000:]}"
            yield Part(process, json.loads(line))
        finally:
            process.kill()
            process.communicate()


def _begin(words: list[str], environment: dict[str, str], folder: Path, stderr: IO[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", *words]
    return subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True)


def wait_until(condition: Callable[[], Any], most_s: float = PATIENCE_S, step_s: float = 0.01) -> None:
    """Wait for something that other processes bring about."""
    until = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < until, "What the test waits for did not come."
        time.sleep(step_s)
