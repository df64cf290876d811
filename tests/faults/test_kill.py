"""kill -9 at any moment: what was acknowledged is kept, and an import ends as if nothing had happened."""

import json
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

import httpx2
import pytest
from sqlalchemy import func, select

from onewriter.db.tables import customers, field_log, inbox, sides, workers
from onewriter.intake.connect import DOOR_PATH
from onewriter.records import Delivery, RunState
from onewriter.runtime import Runtime, now
from tests.support.doors import signed
from tests.support.joined import Joined, drain_all, joined, put_in_inbox, states_of
from tests.support.processes import started, wait_until
from tests.support.shops import DOMAIN, SECRET, Tea

PEOPLE = 3_000
KILLS = 10


@pytest.mark.req("K4", "K8", "K10")
@pytest.mark.time_limit(170)
def test_an_import_whose_worker_is_killed_ten_times_loses_nothing_and_doubles_nothing(
    runtime: Runtime, tmp_path: Path
) -> None:
    chance = Random(8)
    # The file breaks off again and again and so takes seconds: each kill lands somewhere in its middle.
    with joined(runtime, PEOPLE, drop_connection_after_bytes=250_000) as shop:
        seen = [kill_a_worker(shop, most, chance, tmp_path) for most in sorted(chance.sample(range(1, 2_200), KILLS))]
        assert seen == sorted(seen), "progress that was made is never lost"
        assert sum(0 < done < PEOPLE for done in seen) >= KILLS - 2, seen
        with started(runtime, "worker", log=tmp_path / "log", worker_beat_s="1") as worker:
            wait_until(lambda: shop.run().over)
            assert worker.stop() == 0
        check_that_nothing_was_lost_or_doubled(shop)


def kill_a_worker(shop: Joined, most: int, chance: Random, folder: Path) -> int:
    """Start a worker, and kill it a moment after the run has come that far; how far it was then."""
    with started(shop.runtime, "worker", log=folder / "log", worker_beat_s="1") as worker:
        wait_until(lambda: shop.run().done >= most)
        time.sleep(chance.uniform(0.0, 0.2))
        worker.kill()
    run = shop.run()
    assert run.state is RunState.RUNNING, f"it was killed too late, or ended by itself: {run.reason}"
    return run.done


def check_that_nothing_was_lost_or_doubled(shop: Joined) -> None:
    run = shop.run()
    assert (run.state, run.done, run.total, run.reason) == (RunState.DONE, PEOPLE, PEOPLE, None)
    assert run.attempt > KILLS // 2, "it was taken over, not started anew"
    assert len(shop.bulk_operations) == 1, "Shopify was asked once"
    outcomes = {name: number for name, number in run.counts.items() if name in ("created", "changed", "unchanged")}
    assert outcomes == {"created": PEOPLE}, "the checkpoints add up to the file, and no line was applied twice"
    with shop.runtime.database.read() as db:
        ids = list(db.execute(select(customers.c.shopify_id)).scalars())
        side_ids = [int(each) for each in db.execute(select(sides.c.record_id)).scalars()]
        lines = Counter(db.execute(select(field_log.c.customer_id).where(field_log.c.accepted)).scalars())
        alive = db.execute(select(func.count()).select_from(workers)).scalar_one()
    assert sorted(ids) == sorted(side_ids) == sorted(shop.shop.ids)
    assert set(lines.values()) == {1}, "one first write a customer"
    assert len(lines) == PEOPLE
    assert shop.held() == shop.truth()
    assert alive == 0, "the dead were taken off the list, and the last one left by itself"


@pytest.mark.req("K15")
def test_a_door_that_is_killed_under_load_has_kept_all_that_it_acknowledged(tea: Tea, tmp_path: Path) -> None:
    chance = Random(15)
    acknowledged: list[str] = []
    for turn in range(3):
        with started(tea.runtime, "web", "--port", "0", log=tmp_path / "log") as web:
            stop = threading.Event()
            threads = [
                threading.Thread(target=knock_until, args=(stop, web.told["url"], f"{turn}-{n}", acknowledged))
                for n in range(8)
            ]
            for thread in threads:
                thread.start()
            wait_until_longer(acknowledged, len(acknowledged) + 40)
            time.sleep(chance.uniform(0.0, 0.2))
            web.kill()
            stop.set()
            for thread in threads:
                thread.join()
    with tea.runtime.database.read() as db:
        kept = list(db.execute(select(inbox.c.webhook_id)).scalars())
    assert len(kept) == len(set(kept))
    assert set(acknowledged) <= set(kept), "what was answered with 200 is on disk"
    assert len(acknowledged) > 120
    drain_all(tea.runtime, now())
    assert states_of(tea.runtime).keys() == {"done"}
    assert len(tea.dump()["customers"]) == len(kept), "and each can be applied"


def wait_until_longer(acknowledged: list[str], most: int) -> None:
    wait_until(lambda: len(acknowledged) > most)


def wait_until_applied(tea: Tea, most: int) -> None:
    wait_until(lambda: len(states_of(tea.runtime).get("done", [])) >= most, step_s=0.002)


def knock_until(stop: threading.Event, url: str, name: str, acknowledged: list[str]) -> None:
    """Send deliveries one after the other until told to stop, or nobody answers any more."""
    number = 0
    with httpx2.Client(trust_env=False, timeout=10) as client:
        while not stop.is_set():
            number += 1
            webhook_id = f"{name}-{number}"
            turn, lane = (int(part) for part in name.split("-"))
            shopify_id = 1 + turn * 10_000_000 + lane * 1_000_000 + number
            body = json.dumps({"id": shopify_id, "updated_at": "2026-03-02T10:00:00+00:00"}).encode()
            try:
                answer = client.post(url + DOOR_PATH, content=body, headers=signed(body, SECRET, DOMAIN, webhook_id))
            except httpx2.TransportError:
                return
            if answer.status_code == 200:
                acknowledged.append(webhook_id)


@pytest.mark.req("K8")
@pytest.mark.time_limit(100)
def test_a_worker_that_is_killed_while_it_drains_applies_each_delivery_once(tea: Tea, tmp_path: Path) -> None:
    moment, chance = now(), Random(9)
    body = '{{"id": {}, "updated_at": "2026-03-02T10:00:00+00:00", "first_name": "Guest {}"}}'
    made = [
        Delivery(tea.shop_id, f"w-{n}", "customers/create", body.format(n, n).encode(), moment) for n in range(1, 2_001)
    ]
    put_in_inbox(tea.runtime, tea.vault, made)
    for most in (1, 600, 1_200):
        with started(tea.runtime, "worker", log=tmp_path / "log") as worker:
            wait_until_applied(tea, most)
            time.sleep(chance.uniform(0.0, 0.02))
            worker.kill()
    drain_all(tea.runtime, now())
    assert {state: len(rows) for state, rows in states_of(tea.runtime).items()} == {"done": 2_000}
    with tea.runtime.database.read() as db:
        causes = list(db.execute(select(field_log.c.cause).where(field_log.c.accepted)).scalars())
        assert db.execute(select(func.count()).select_from(customers)).scalar_one() == 2_000
    assert len(causes) == len(set(causes)) == 2_000
