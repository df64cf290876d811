"""A large shop for the pages: a crowd, some of whom are gone, with runs, histories and cases to look at."""

import random
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from onewriter.audit.cases_taking import told_of
from onewriter.bench import crowd
from onewriter.bench.parts import Caller
from onewriter.bench.stage import SEED, prepared, settle
from onewriter.bench.stores.making import made
from onewriter.customers import log, logins, people, profiles, questions, runs, sessions
from onewriter.customers.log import LogLine
from onewriter.customers.people import Role
from onewriter.customers.questions import Ask
from onewriter.db.casetables import case_rows, cases
from onewriter.db.tables import customers
from onewriter.desk import paging
from onewriter.records import DAY, Path, RunState, id_text
from onewriter.rules.diagnosis.diagnosing import diagnose
from onewriter.rules.diagnosis.judgement import CaseOf
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.vault.vault import ShopVault

STORES = 8
"""Made-up shops whose cases these are."""
ROWS = 200
"""Customers of each case, at most."""
LINES = 100
"""Lines of the history of each of those who are looked at."""
GONE_EACH = 50
"""One of so many customers is gone from the shop."""
RUNS = 300
LOOKED_AT = 50


def fill(caller: Caller) -> None:
    """A part: make all of it, and somebody who is logged in; tells what is to be looked at."""
    chance = random.Random(SEED)
    with prepared(caller.given["place"]) as runtime:
        vault = crowd.shop(runtime)
        sample = crowd.fill(runtime, vault, caller.given["customers"], chance)
        _let_go(runtime, vault.shop_id)
        with runtime.database.read() as db:
            ids = [bytes(each) for each in db.execute(select(customers.c.id).limit(max(ROWS, LOOKED_AT))).scalars()]
            middle = _middle(db, vault.shop_id, caller.given["customers"])
        _write_histories(runtime, vault, ids[:LOOKED_AT])
        _run(runtime, vault.shop_id)
        many = _open_cases(runtime, vault.shop_id, ids)
        cookie = _let_in(runtime, vault.shop_id)
        settle(runtime)
    looked_at = [id_text(each) for each in ids[:LOOKED_AT]]
    emails = [one["email"] for one in sample[:LOOKED_AT]]
    caller.tell(cookie=cookie, ids=looked_at, emails=emails, cases=many, middle=middle)


def _middle(db: Connection, shop_id: int, n: int) -> str:
    """The cursor of the page in the middle of the list."""
    query = select(customers.c.shopify_id, customers.c.id).where(customers.c.shop_id == shop_id)
    row = db.execute(query.order_by(customers.c.shopify_id).offset(n // 2).limit(1)).one()
    return paging.cursor(row.shopify_id, bytes(row.id).hex())


def _let_go(runtime: Runtime, shop_id: int) -> None:
    """Some were deleted in the last months, a few each day."""
    moment = now()
    gone = (customers.c.shop_id == shop_id, customers.c.shopify_id % GONE_EACH == 0)
    days = 1 + customers.c.shopify_id % (GONE_EACH * 80) / GONE_EACH
    with runtime.database.write() as db:
        told = {"state": profiles.DELETED, "deleted_at": moment - func.floor(days) * DAY}
        db.execute(update(customers).where(*gone).values(**told))


def _write_histories(runtime: Runtime, vault: ShopVault, ids: list[bytes]) -> None:
    moment = now()
    keys = vault.keys.subject_keys(ids)
    fields = ("email", "phone", "first_name", "note")
    lines = [
        (
            each, keys[each],
            LogLine((fields[place % 4],), Path.WEBHOOK, moment - place * DAY // 4, accepted=place % 7 > 0,
                    reason=None if place % 7 else "The field has another owner."),
        )
        for each in ids
        for place in range(LINES)
    ]  # fmt: skip
    with runtime.database.write() as db:
        log.add(db, vault.shop_id, lines, moment, keep_days=0)


def _run(runtime: Runtime, shop_id: int) -> None:
    """What ran lately, and a question that waits."""
    moment = now()
    with runtime.database.write() as db:
        for place in range(RUNS):
            at = moment - (RUNS - place) * DAY // 24
            run_id = new_run_id(at)
            runs.add(db, run_id, shop_id, runs.RECONCILE, "schedule", at)
            runs.finish(db, runs.begin(db, run_id, at), RunState.DONE, None, at)
        asked = Ask("bench", "one", "Is it so?", {"yes": "it is"}, "nothing happens")
        questions.ask(db, shop_id, asked, moment)


def _open_cases(runtime: Runtime, shop_id: int, ids: list[bytes]) -> int:
    """The cases of made-up shops, as if they were of this one; how many."""
    found = [case for store in made(SEED, STORES) for case in diagnose(store.evidence).cases]
    with runtime.database.write() as db:
        for number, case in enumerate(found, 1):
            db.execute(insert(cases).values(shop_id=shop_id, number=number, **_case(case)))
            rows = [
                {"shop_id": shop_id, "number": number, "customer_id": each, "record_id": each.hex(),
                 "field": case.group.name, "found_at": now(), "seen_at": now()}
                for each in ids[:ROWS]
            ]  # fmt: skip
            db.execute(insert(case_rows), rows)
    return len(found)


def _case(case: CaseOf) -> dict[str, Any]:
    moment, causes = now(), case.group.causes
    return {
        "system": "crm", "field": case.group.name, "cause": causes[0].cause if causes else None,
        "asserted": case.group.asserted, "state": "diagnosed" if case.group.asserted else "open",
        "scope_row": case.scope_row.value, "fix_target": case.advice.fix_target.value, "affected": ROWS,
        "told": told_of(case), "looked_at": moment, "looked_by": "bench", "opened_at": moment, "opened_by": "bench",
        "returns": 0, "predicted": case.survivor.side, "predicted_at": moment,
    }  # fmt: skip


def _let_in(runtime: Runtime, shop_id: int) -> str:
    """The cookie of an owner who looks at this shop."""
    moment, name = now(), people.full_name("bench")
    with runtime.database.write() as db:
        people.give(db, name, name, Role.OWNER, moment)
        logins.set_password(db, name, "no password has this hash", moment)
        cookie = sessions.begin(db, name, moment)
        sessions.choose_shop(db, cookie, shop_id)
    return cookie
