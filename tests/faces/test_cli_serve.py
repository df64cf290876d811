"""`onewriter serve`, `worker` and `sandbox` as processes of their own: they work, and they end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, PARTLY, USAGE
from onewriter.customers import runs, shops, workers
from onewriter.runtime import Runtime
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter
from tests.support.live import begun

Process = subprocess.Popen[str]
PATIENCE_S = 40.0


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[Process, Any]]]:
    """Starts commands that run until they are stopped; each with the JSON line that it prints first."""
    running: list[Process] = []

    def start(*words: str) -> tuple[Process, Any]:
        command = [sys.executable, "-m", "onewriter", *words, "--json"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        running.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield start
    for process in running:
        process.kill()
        process.communicate()


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(*pids: int) -> bool:
    return not any(lives(pid) for pid in pids)


def any_worker() -> bool:
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        return bool(workers.every(db))


@pytest.mark.req("K10")
def test_the_service_imports_a_shop_hears_its_webhooks_and_stops(
    installed: Onewriter, sandbox: RunningSandbox, started: Callable[..., tuple[Process, Any]]
) -> None:
    service, said = started("serve", "--port", "0")
    done = installed.connect(sandbox, public_url=said["url"])
    wait_until(any_worker)
    assert installed("runs", "watch", done["run"]).out.startswith("done, ")
    made = sandbox.shop.create(email="mia@example.com", first_name="Mia")
    wait_until(lambda: installed.heard(made.id))
    shown = installed.json("customers", "show", str(made.id), "--reveal", "--why", "a test", "--history")
    assert shown["fields"]["first_name"] == "Mia"
    assert "webhook" in {line["path"] for line in shown["history"]}
    service.send_signal(signal.SIGTERM)
    assert service.wait(PATIENCE_S) == 0
    assert ended(said["web_pid"], said["worker_pid"])
    assert not any_worker()


@pytest.mark.time_limit(120)
def test_the_service_runs_the_cycles_of_a_system_by_its_schedule(
    installed: Onewriter, sandbox: RunningSandbox, started: Callable[..., tuple[Process, Any]], tmp_path: Path
) -> None:
    """A folder of files is connected and agreed to; a worker then writes its file, unasked."""
    sandbox.shop.create(email="mia@example.com", first_name="Mia")
    _service, said = started("serve", "--port", "0")
    run = installed.connect(sandbox, public_url=said["url"])["run"]
    assert installed("runs", "watch", run).out.startswith("done, ")
    wanted = {"folder": str(tmp_path), "key": "id", "read": "till.csv", "write": "told.csv", "settle_s": "0"}
    (tmp_path / "till.csv").write_text("id,shop_no,first\n")
    words = [word for name, value in wanted.items() for word in ("--set", f"{name}={value}")]
    installed("systems", "add", "till", "--kind", "csv", *words, "--every", "1m")
    for field, remote in (("shopify_id", "shop_no"), ("first_name", "first")):
        installed("fields", "map", "till", field, "--remote", remote, "--why", "a test", "--yes")
    installed("systems", "cycle", "till", "--wait", code=PARTLY)
    [question] = installed.json("questions", "list")
    installed("questions", "answer", str(question["id"]), "go on", "--why", "a test")
    file = tmp_path / "told.csv"
    wait_until(lambda: file.exists() and "Mia" in file.read_text())
    assert {run["requested_by"] for run in installed.json("runs", "list") if run["kind"] == "cycle till"} >= {
        "schedule"
    }


def test_the_service_begins_with_a_link_by_which_the_first_person_gets_in(
    onewriter: Onewriter, started: Callable[..., tuple[Process, Any]]
) -> None:
    service, said = started("serve", "--port", "0")
    assert said["welcome"].startswith(f"{said['url']}/welcome?link=")
    given = {"link": said["welcome"].partition("=")[2], "name": "eve", "password": "four words make one"}
    with httpx2.Client(base_url=said["url"], trust_env=False, timeout=PATIENCE_S) as client:
        assert client.get(said["welcome"]).status_code == 200
        entered = client.post("/welcome", data=given | {"password_again": given["password"]})
        assert (entered.status_code, entered.headers["location"]) == (303, "/")
        assert client.get("/").status_code == 200
    service.send_signal(signal.SIGTERM)
    assert service.wait(PATIENCE_S) == 0
    assert "user:eve" in {one["name"] for one in onewriter.json("people", "list")}
    assert started("serve", "--port", "0")[1]["welcome"] is None


def test_a_server_that_stops_ends_what_somebody_follows(
    installed: Onewriter, sandbox: RunningSandbox, started: Callable[..., tuple[Process, Any]]
) -> None:
    """A stream goes on for as long as its run does; nobody who stops the service waits for that, or reads of errors."""
    installed.connect(sandbox)
    with Runtime(settings.load()) as runtime:
        with runtime.database.read() as db:
            [shop] = shops.every(db)
        begun(runtime.database, shop.id, runs.RECONCILE)
    token = installed.json("tokens", "create", "till")["secret"]
    web, said = started("web", "--port", "0")
    address, head = f"{said['url']}/api/v1/runs/live1/live", {"Authorization": f"Bearer {token}"}
    with httpx2.stream("GET", address, headers=head, trust_env=False, timeout=PATIENCE_S) as followed:
        lines = followed.iter_lines()
        assert next(lines).startswith("data: ")
        web.send_signal(signal.SIGTERM)
        assert "event: over" not in list(lines)
    assert web.wait(PATIENCE_S) == 0
    assert web.communicate()[1] == ""


def test_the_service_ends_when_one_of_its_processes_does(
    onewriter: Onewriter, started: Callable[..., tuple[Process, Any]]
) -> None:
    service, said = started("serve", "--port", "0")
    os.kill(said["worker_pid"], signal.SIGKILL)
    assert service.wait(PATIENCE_S) == FAILED
    assert ended(said["web_pid"], said["worker_pid"])
    assert "The worker ended by itself" in service.communicate()[1]


def test_no_process_is_left_when_the_service_is_killed(
    onewriter: Onewriter, started: Callable[..., tuple[Process, Any]]
) -> None:
    service, said = started("serve", "--port", "0")
    wait_until(any_worker)
    service.kill()
    wait_until(lambda: ended(said["web_pid"], said["worker_pid"]))


def test_a_port_that_is_taken_is_one_sentence(onewriter: Onewriter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        told = onewriter("serve", "--port", port, code=USAGE)
        words = [sys.executable, "-m", "onewriter", "sandbox", "--port", port]
        sandbox = subprocess.run(words, capture_output=True, text=True, check=False)
    assert sandbox.returncode == USAGE
    for said in (told.err, sandbox.stderr):
        assert len(said.splitlines()) == 1
        assert "choose another with --port" in said


def test_a_worker_alone_is_known_and_leaves(installed: Onewriter, started: Callable[..., tuple[Process, Any]]) -> None:
    worker, said = started("worker")
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        assert [one.id for one in workers.every(db)] == [said["worker"]]
    worker.send_signal(signal.SIGINT)
    assert worker.wait(PATIENCE_S) == 0
    assert not any_worker()


def test_a_sandbox_prints_the_command_that_connects_it(
    onewriter: Onewriter, started: Callable[..., tuple[Process, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, said = started("sandbox", "--port", "0", "--customers", "5", "--seed", "3")
    assert set(said) == {"domain", "access_token", "client_id", "client_secret", "api_secret", "admin_url", "connect"}
    words = said["connect"].split()
    for word in words[: words.index("onewriter")]:
        monkeypatch.setenv(*word.split("=", 1))
    assert onewriter.json(*words[words.index("onewriter") + 1 :])["shop"] == said["domain"]
    sandbox.send_signal(signal.SIGTERM)
    assert sandbox.wait(PATIENCE_S) == 0
    assert sandbox.communicate()[1] == ""
