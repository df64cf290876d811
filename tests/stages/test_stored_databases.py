"""An installation that an earlier version left is taken over as it stands: every row, every value, and work goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from onewriter.customers import policies, profiles
from onewriter.db import dump, migrate
from onewriter.db.pointtables import entries
from onewriter.db.webtables import metadata
from onewriter.records import FIELDS, SHOPIFY
from onewriter.runtime import Runtime
from onewriter.settings import load
from tests.support.backups import back_up, bring_back
from tests.support.redacting import body_of, deliver
from tests.support.shops import Tea
from tests.support.stored import FILES, REVISIONS, load_into, truth_of, unpack


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def taken_over(revision: str, database_url: str, keys_url: str, tmp_path: Path) -> Iterator[Tea]:
    """The stored installation, brought up to date; on PostgreSQL as it would be had that version worked there."""
    folder = tmp_path / "data"
    unpack(revision, folder)
    environment = {"ONEWRITER_DATA_DIR": str(folder)}
    if not database_url.startswith("sqlite"):
        for (chain, name), url in zip(FILES, (database_url, keys_url), strict=True):
            load_into(url, chain, folder / name)
        environment |= {"ONEWRITER_DATABASE_URL": database_url, "ONEWRITER_KEYSTORE_URL": keys_url}
    with Runtime(load(environment, tmp_path)) as runtime:
        assert migrate.revision(runtime.database) == revision, "the control: it is what that version left"
        runtime.prepare()
        yield Tea(runtime, 1)


def opened(tea: Tea) -> dict[str, Any]:
    """Every customer, opened, as the truth has it."""
    with tea.runtime.database.read() as db:
        known = list(db.execute(select(metadata.tables["customers"].c.shopify_id)).scalars())
        held = profiles.load(db, tea.vault, known)
    return {str(number): {"state": profile.state, "own": profile.own} for number, profile in held.items()}


def rows(tea: Tea) -> dict[str, int]:
    with tea.runtime.database.read() as db:
        counted = {name: db.execute(select(func.count()).select_from(metadata.tables[name])).scalar() for name in NAMES}
    return {name: count for name, count in counted.items() if count}


NAMES = list(dump.columns_of("main"))


def test_every_revision_that_ever_was_is_stored() -> None:
    chain = [each.revision for each in migrate.script_of("main").walk_revisions()]
    assert set(REVISIONS) >= set(chain) - {migrate.newest("main")}, "run tools/stored.py before a migration is added"


def test_it_is_taken_over_whole_and_works(taken_over: Tea, revision: str, tmp_path: Path) -> None:
    truth = truth_of(revision)
    runtime = taken_over.runtime
    assert migrate.revision(runtime.database) == migrate.newest("main")
    assert migrate.revision(runtime.key_database) == migrate.newest("keys")
    # Who owns which field is one document now, and Shopify one system among others.
    policy = {} if revision >= "0006" else {"policies": 1, "systems": 1}
    assert rows(taken_over) == {name: count for name, count in truth["rows"].items() if name != "owners"} | policy
    with runtime.database.read() as db:
        assert policies.of_shop(db, 1).owners == dict.fromkeys(FIELDS, SHOPIFY)
    assert opened(taken_over) == truth["customers"]
    assert {each["state"] for each in truth["customers"].values()} >= {"active", "deleted"}
    if revision >= "0004":
        with runtime.database.read() as db:
            assert db.execute(select(func.sum(entries.c.points))).scalar() == 150

    moment = runtime.now()
    back_up(runtime, tmp_path / "backup", moment)
    number = next(int(name) for name, each in truth["customers"].items() if each["state"] == "active")
    deliver(
        taken_over, moment, "customers/update", body_of(number, moment + 7200 * 10**6, email="n@example.com"), "w-n"
    )
    profile = taken_over.profile(number)
    assert profile is not None
    assert profile.own["email"] == "n@example.com"

    assert bring_back(runtime, tmp_path / "backup", moment).counts["lost"] == 0
    assert opened(taken_over) == truth["customers"]
