"""`onewriter serve` as a process that is started, killed and started again."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from onewriter.bench.stage import Place
from onewriter.bench.story import COMMAND, free_port
from onewriter.errors import Permanent
from onewriter.sandbox import SandboxInfo

END_S = 30.0
LOOK_S = 0.02
SAID_MAX = 2_000


class Service:
    """The service of one installation, on one port for as long as it is played. Use it in a `with`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._port = free_port()
        self._log = Path(place["ONEWRITER_DATA_DIR"]) / "serve.log"
        self._serve: subprocess.Popen[bytes] | None = None
        self._pids: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._serve is not None:
            self.kill("serve")

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._serve = subprocess.Popen(  # noqa: S603 - our own command
                [*COMMAND, "serve", "--port", str(self._port), "--json"],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._serve.stdout is not None
        line = self._serve.stdout.readline()
        if not line:
            raise Permanent(f"The service did not start: {self._log.read_text()[-SAID_MAX:]}")
        told = json.loads(line)
        self._pids = {"serve": self._serve.pid, "web": told["web_pid"], "worker": told["worker_pid"]}

    def kill(self, name: str) -> str:
        """End one of its processes as a power cut does. The others end by themselves then. Returns the name."""
        assert self._serve is not None
        assert self._serve.stdout is not None
        os.kill(self._pids[name], signal.SIGKILL)
        self._serve.wait(END_S)
        self._serve.stdout.close()
        until = time.monotonic() + END_S
        while any(_is_there(pid) for pid in self._pids.values()):
            if time.monotonic() > until:
                raise Permanent("A process of the service did not end with the others.")
            time.sleep(LOOK_S)
        self._serve = None
        return name

    def connect(self, shop: SandboxInfo) -> None:
        """Connect the shop, as a person would."""
        secrets = {"SHOPIFY_ACCESS_TOKEN": shop.access_token, "SHOPIFY_API_SECRET": shop.api_secret}
        where = ("--admin-url", shop.admin_url, "--public-url", self.url)
        self.type("shop", "connect", shop.domain, *where, secrets=secrets)

    def type(self, *words: str, must: bool = True, secrets: Mapping[str, str] | None = None) -> None:
        """Type one of our commands; raises Permanent if it fails and must not. Secrets go by the environment."""
        environment = self._environment | dict(secrets or {})
        done = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, *words, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode and must:
            raise Permanent(f"A command failed ({words[0]} {words[1]}): {(done.stdout + done.stderr)[-SAID_MAX:]}")

    @property
    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ONEWRITER_")}
        return inherited | self.place


def _is_there(pid: int) -> bool:
    """True while the process runs; one that has ended and waits for its parent to notice does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
