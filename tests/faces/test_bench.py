"""The measurements measure what they say, on shops of a few customers. How fast that is, no test says."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from onewriter.bench import DATABASES, NAMES, paging, run, stage
from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure, table
from onewriter.bench.parts import peak_mb, started
from onewriter.bench.points_parts import Shop, order_events
from onewriter.bench.postgres import running_postgres
from onewriter.bench.reconciling import fingerprint
from onewriter.bench.stage import prepared
from onewriter.customers import marks, shops, workers
from onewriter.errors import Permanent

SHOP: dict[str, Any] = {"domain": "d", "admin_url": "", "public_url": "", "api_version": "", "state": "connected"}
SHOP |= {"scopes": [], "box": b"", "installed_at": 1, "connected_at": 1}
ALWAYS = {"bench", "database", "n", "rate", "baseline", "ratio", "largest_costs"}


@pytest.fixture(scope="module")
def durable_server() -> Iterator[str]:
    """One server that pays for its commits, for all measurements here; to start one takes longer than to measure."""
    with running_postgres(durable=True) as url:
        yield url


@pytest.fixture
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each database, on a server that runs already."""
    name: str = request.param
    if name == "postgres":
        server = request.getfixturevalue("durable_server")
        monkeypatch.setattr(stage, "running_postgres", lambda *, durable: nullcontext(server))
    return name


EACH = pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)


def figures(capsys: pytest.CaptureFixture[str], name: str, customers: int, database: str) -> list[dict[str, Any]]:
    """What a measurement prints for machines."""
    assert run(name, customers=customers, database=database, json=True) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])  # on PostgreSQL with a server of its own
def test_the_import_is_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    (figure,) = figures(capsys, "import", 120, database)
    assert figure.keys() == ALWAYS | {"peak_mb"}
    assert (figure["bench"], figure["database"], figure["n"]) == ("import", database, 120)
    assert min(figure["rate"], figure["baseline"], figure["ratio"], figure["peak_mb"]) > 0


@EACH
def test_the_door_is_measured_alone_and_beside_an_import(capsys: pytest.CaptureFixture[str], database: str) -> None:
    alone, beside = figures(capsys, "door", 200, database)
    assert alone.keys() == ALWAYS | {"p99_ms", "refused"}
    assert (alone["bench"], alone["n"], alone["refused"]) == ("door", 200, 0)
    assert min(alone["rate"], alone["baseline"], alone["p99_ms"]) > 0
    assert (beside["bench"], beside["refused"]) == ("door while importing", 0)
    # What was answered after the import had ended does not count.
    assert beside["n"] <= 200


@EACH
def test_searching_is_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    found = figures(capsys, "search", 60, database)
    assert {"search: email", "search: 3 common letters", "search: two words"} <= {each["bench"] for each in found}
    for figure in found:
        assert figure.keys() == ALWAYS | {"peak_mb", "p99_ms", "took_s"}
        assert min(figure["rate"], figure["baseline"], figure["p99_ms"], figure["took_s"]) > 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # it starts seven processes, and one is enough
def test_pages_are_measured_and_the_door_while_they_are_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    monkeypatch.setattr(paging, "TURNS", 2)
    monkeypatch.setattr(paging, "DELIVERIES", 300)
    monkeypatch.setattr(paging, "ROUNDS", 1)
    *pages, alone, beside = figures(capsys, "pages", 120, database)
    opened = {"page: overview", "page: customers, deep in the list", "page: a case", "page: search by email"}
    assert opened <= {each["bench"] for each in pages}
    for figure in pages:
        assert figure.keys() == ALWAYS | {"p99_ms", "took_s"}
        assert min(figure["rate"], figure["baseline"], figure["p99_ms"], figure["took_s"]) > 0
    assert [each["bench"] for each in (alone, beside)] == ["door, no page open", "door while pages are used"]
    assert [(each["n"], each["refused"]) for each in (alone, beside)] == [(300, 0), (300, 0)]
    assert beside["baseline"] == alone["rate"]


def test_the_door_is_not_measured_beside_pages_that_nobody_is_answered() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        with (
            paging.visited(taken.getsockname()[1], {"cookie": "of nobody", "ids": ["one"]}) as leave,
            pytest.raises(Permanent, match=r"was not answered|Nobody opened"),
        ):
            leave()


@EACH
def test_the_drain_is_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    (figure,) = figures(capsys, "drain", 250, database)
    assert figure.keys() == ALWAYS | {"peak_mb"}
    assert (figure["bench"], figure["n"]) == ("drain", 250)
    assert min(figure["rate"], figure["baseline"], figure["ratio"]) > 0


@EACH
def test_the_reconcile_of_an_unchanged_shop_is_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    (figure,) = figures(capsys, "reconcile", 150, database)
    assert figure.keys() == ALWAYS | {"peak_mb"}
    assert (figure["bench"], figure["n"]) == ("reconcile", 150)
    assert min(figure["rate"], figure["baseline"], figure["ratio"], figure["peak_mb"]) > 0


@EACH
def test_points_are_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    told, few, many, audit, merge = figures(capsys, "points", 600, database)
    assert told.keys() == ALWAYS | {"peak_mb"}
    assert (told["bench"], told["n"]) == ("points orders", 600)
    assert [each["n"] for each in (few, many)] == [10, 60]
    assert few.keys() == many.keys() == ALWAYS | {"took_s"}
    assert (audit["bench"], audit["n"]) == ("points audit", 6_000)
    assert audit.keys() == merge.keys() == ALWAYS | {"peak_mb", "took_s"}
    assert merge["bench"] == "points merge"
    assert 30 < merge["n"] < 90, "with what has expired some as many as were asked for"
    for figure in (told, few, many, audit, merge):
        assert min(figure["rate"], figure["baseline"], figure["ratio"]) > 0


@EACH
def test_the_rotation_is_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    (figure,) = figures(capsys, "rotate", 150, database)
    assert figure.keys() == ALWAYS | {"peak_mb"}
    assert (figure["bench"], figure["n"]) == ("rotate", 150)
    assert min(figure["rate"], figure["baseline"], figure["ratio"]) > 0


@EACH
def test_the_full_compare_is_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    (figure,) = figures(capsys, "compare", 2_500, database)
    assert figure.keys() == ALWAYS | {"peak_mb", "took_s"}
    assert (figure["bench"], figure["n"]) == ("compare", 2_500)
    assert min(figure["rate"], figure["baseline"], figure["took_s"]) > 0


@EACH
def test_cycles_are_measured(capsys: pytest.CaptureFixture[str], database: str) -> None:
    read, send, quiet = figures(capsys, "cycle", 60, database)
    assert [each["bench"] for each in (read, send, quiet)] == ["cycle: first reading", "send", "cycle: nothing to do"]
    assert 60 < send["n"] <= 180, "each name and each address that there is"
    assert (read["n"], quiet["n"]) == (60, 60)
    for figure in (send, quiet):
        assert min(figure["rate"], figure["baseline"], figure["took_s"]) > 0


def test_a_third_of_the_order_events_are_refunds_of_earlier_orders() -> None:
    shop = Shop(None, None, "EUR", 0)  # type: ignore[arg-type]
    batches = list(order_events(shop, 3_000, 7))
    assert [len(batch) for batch in batches] == [250] * 12
    seen: set[int] = set()
    for batch in batches:
        assert all((order.id in seen) == bool(order.refunds) for order in batch)
        seen |= {order.id for order in batch}
    assert 850 < sum(bool(order.refunds) for batch in batches for order in batch) < 1_000


def test_a_reconcile_that_writes_is_not_measured(tmp_path: Path) -> None:
    place = {"ONEWRITER_DATA_DIR": str(tmp_path)}
    with prepared(place) as runtime:
        before = fingerprint(place)
        assert fingerprint(place) == before
        with runtime.database.write() as db:
            workers.enter(db, "a worker", 1)
        assert fingerprint(place) == before, "where a run tells how far it is, there is something to write"
        with runtime.database.write() as db:
            shop_id = shops.add(db, SHOP)
            marks.set_marks(db, shop_id, {7: frozenset({"asked"})}, 1)
    changed = {name for name, number in fingerprint(place).items() if before[name] != number}
    assert changed == {"refetch_marks", "policies"}


def test_nothing_of_a_measurement_remains(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert len(figures(capsys, "import", 20, "sqlite")) == 1
    assert list(tmp_path.iterdir()) == []


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", customers=5, database="sqlite", json=False) == 0
    shown = capsys.readouterr().out
    assert "ratio" in shown
    assert "sqlite" in shown


def test_there_is_a_measurement_for_each_name() -> None:
    every = "import reconcile door drain points purge search rotate pages compare cycle all"
    assert " ".join(NAMES) == every
    assert set(DATABASES) == {"sqlite", "postgres", "both"}


def test_a_figure_says_what_applies_to_it() -> None:
    figure = Figure(
        "door", "sqlite", 10, 250.0, 1000.0, p99_ms=1.25, refused=0, took_s=0.0001234, largest_costs=[Cost("seal", 0.5)]
    )
    assert figure.values() == {
        "bench": "door",
        "database": "sqlite",
        "n": 10,
        "rate": 250.0,
        "baseline": 1000.0,
        "ratio": 0.25,
        "p99_ms": 1.2,
        "refused": 0,
        "took_s": 0.000123,
        "largest_costs": [{"name": "seal", "share": 0.5}],
    }
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(table([figure, Figure("import", "postgres", 0, 0.0, took_s=12.3)]))
    console.file.close()
    shown = console.export_text()
    assert "seal 50%" in shown
    assert "123 us" in shown
    assert "12.30 s" in shown


def test_a_part_that_fails_says_why() -> None:
    with started("sandbox", customers="many") as part, pytest.raises(Permanent, match=r"`sandbox`(.|\n)*TypeError"):
        part.hear()


def test_a_part_ends_with_its_caller() -> None:
    with started("sandbox", customers=1) as part:
        assert part.hear()["url"].startswith("http://127.0.0.1:")
        assert not part.is_over
    assert part.is_over


def test_the_sampler_sees_where_the_time_goes() -> None:
    until = time.monotonic() + 0.2
    with Sampler(waits=True) as sampler:
        while time.monotonic() < until:
            pass
    assert [name for name, _share in sampler.shares()] == ["everything else"]


def test_memory_is_that_of_this_process() -> None:
    assert 1 < peak_mb() < 100_000
