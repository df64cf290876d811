"""After a purge nothing of a customer stands in the files of either database: no box, token, digest, key or id."""

import pytest
from sqlalchemy import select

from onewriter.db.keytables import subject_keys
from onewriter.db.privacytables import name_tokens
from onewriter.db.tables import customers, field_log, sides
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.workflows import purging
from tests.support.purging import delete, purge
from tests.support.redacting import deliver, redaction
from tests.support.remnants import remnants
from tests.support.shops import Tea, told

FIRST = 7_064_055_069_000_000_001
MANY = 240
GONE = range(FIRST + 3, FIRST + MANY, 12)
"""Some among many, so that their rows share pages with others that stay."""


def fill(tea: Tea, now: Instant) -> None:
    """Customers whose rows were written, moved and grown."""
    for turn, note in enumerate(("short", "a longer note " * 20, "other")):
        changes = [
            told(
                number,
                now + turn * SECOND,
                {
                    "first_name": f"Name{number}",
                    "email": f"a{number}@example.com",
                    "phone": f"+4477{number % 10**8:08}",
                    "note": note,
                },
            )
            for number in range(FIRST, FIRST + MANY)
        ]
        tea.apply(*changes, now=now + turn * SECOND)


def main_needles(tea: Tea, numbers: range) -> dict[str, bytes]:
    """What stands in the main database of these customers, as bytes that nobody else's rows hold."""
    found: dict[str, bytes] = {}
    with tea.runtime.database.read() as db:
        for row in db.execute(select(customers).where(customers.c.shopify_id.in_(numbers))):
            name = str(row.shopify_id)
            found |= {f"box of {name}": bytes(row.box)[:24], f"email of {name}": bytes(row.email_token)}
            found |= {f"phone of {name}": bytes(row.phone_token), f"record of {name}": name.encode()}
            found[f"id of {name}"] = bytes(row.id)
            lines = db.execute(select(field_log.c.digests).where(field_log.c.customer_id == row.id)).scalars()
            found |= {f"digests {n} of {name}": bytes(each)[-12:] for n, each in enumerate(lines) if each}
        for row in db.execute(select(sides).where(sides.c.record_id.in_([str(number) for number in numbers]))):
            found[f"side of {row.record_id}"] = bytes(row.box)[:24]
    return found


def key_needles(tea: Tea, numbers: range) -> dict[str, bytes]:
    with tea.runtime.database.read() as db:
        ids = list(db.execute(select(customers.c.id).where(customers.c.shopify_id.in_(numbers))).scalars())
    with tea.runtime.key_database.read() as db:
        wrapped = db.execute(select(subject_keys.c.wrapped).where(subject_keys.c.id.in_(ids))).scalars()
        return {f"key {n}": bytes(each)[:24] for n, each in enumerate(wrapped)}


@pytest.mark.req("K32")
def test_nothing_of_a_purged_customer_is_left_in_the_files(tea: Tea, now: Instant) -> None:
    fill(tea, now)
    needles, keys = main_needles(tea, GONE), key_needles(tea, GONE)
    stays = main_needles(tea, range(FIRST, FIRST + 1))
    assert len(keys) == len(GONE)
    before = {each.partition(" in ")[0] for each in remnants(tea.runtime.database, needles)}
    assert before >= set(needles), "the look finds what is there"
    assert remnants(tea.runtime.key_database, keys)
    for number in GONE:
        delete(tea, number, now + HOUR)
    run = purge(tea, now + HOUR + 90 * DAY)
    assert run is not None
    assert run.counts == {"purged": len(GONE)}
    # Receipts keep the ids of destroyed keys until they are: those are ids of ours that lead nowhere.
    assert remnants(tea.runtime.database, needles) == []
    assert remnants(tea.runtime.key_database, keys) == []
    assert remnants(tea.runtime.database, stays), "who stays is there"
    with tea.runtime.database.read() as db:
        orphans = select(name_tokens.c.token).where(name_tokens.c.customer_id.not_in(select(customers.c.id)))
        assert db.execute(orphans).first() is None


@pytest.mark.req("K37", "K32")
def test_nothing_of_a_redacted_customer_is_left_after_the_hourly_cleaning(tea: Tea, now: Instant) -> None:
    fill(tea, now)
    one = range(FIRST + 5, FIRST + 6)
    needles, keys = main_needles(tea, one), key_needles(tea, one)
    moment = now + HOUR
    deliver(tea, moment, "customers/redact", redaction(FIRST + 5))
    assert not purging.clean_up(tea.runtime, moment + SECOND), "nobody was erased since then"
    assert purging.clean_up(tea.runtime, moment - HOUR)
    assert remnants(tea.runtime.database, needles) == []
    assert remnants(tea.runtime.key_database, keys) == []


@pytest.mark.req("K25")
def test_a_value_that_was_refreshed_is_no_longer_in_the_index(tea: Tea, now: Instant) -> None:
    fill(tea, now)
    one = range(FIRST + 5, FIRST + 6)
    needles = {
        name: value for name, value in main_needles(tea, one).items() if name.split()[0] in ("box", "email", "phone")
    }
    fresh = {"first_name": "New", "email": "new@example.com", "phone": "+447700900999"}
    tea.apply(told(one[0], now + HOUR, fresh), now=now + HOUR)
    assert purging.clean(tea.runtime)
    assert remnants(tea.runtime.database, needles) == []
    assert remnants(tea.runtime.database, main_needles(tea, one))
