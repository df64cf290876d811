"""The purge: what is due is looked for each hour, a person is asked where one must be, and a run takes the rest.

A purge cannot be undone. So it stops where our clock cannot be trusted, and where far more than usual has fallen due.
"""

import uuid
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from onewriter.customers import erasing, questions, retention, runs, shops
from onewriter.customers.questions import Ask, Question
from onewriter.customers.retention import LARGE_PURGE, UNTOLD_DELETION, Standing
from onewriter.customers.runs import Run
from onewriter.customers.shops import CONNECTED, ERASED, Shop
from onewriter.db import cleaning
from onewriter.db.register import KEY_REGISTER, REGISTER
from onewriter.errors import Permanent
from onewriter.intake.apply import lock, read_again
from onewriter.intake.purge import purge_next
from onewriter.loyalty.books import open_books
from onewriter.records import DAY, HOUR, Instant, RunState, id_text
from onewriter.runtime import Runtime, new_run_id
from onewriter.vault.vault import ShopVault
from onewriter.workflows.clock import clock_doubt

PIECE = 200
LIMIT, DUE = "limit", "due"
HEARD_WITHIN: Instant = 3 * HOUR
"""How lately Shopify's clock must have been heard: the watch asks each shop something every hour."""
ASK_AGAIN: Instant = 7 * DAY
"""How long a person's word holds."""
TO_CONFIRM = frozenset({"deletion"})
CLEANED = tuple(entry.table for entry in REGISTER if entry.purge != "never")
KEYS_CLEANED = tuple(entry.table for entry in KEY_REGISTER if entry.sealed)
WHOLE = "purge"
"""What the questions of a shop's purge are about."""

LARGE_ANSWERS = {
    "purge": "purge so many once; the next purge, within the hour, begins with it",
    "wait": "purge none of them for a week, and ask again then",
}
UNTOLD_ANSWERS = {
    "purge": "let them be purged, and their points with them",
    "keep": "keep them for as many days again, so that their points can be moved by `onewriter customers restore`",
}

log = structlog.get_logger(__name__)


class ClockDoubted(Permanent):
    """Nothing is purged while our clock cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking for what is due came to."""

    standing: Standing
    run_id: str | None
    """The run that was queued."""
    asked: tuple[int, ...]
    """The questions that wait for a person now."""


def look_for_due(runtime: Runtime, shop_id: int, by: str) -> Looked:
    """Queue the purge of what is due in a shop, ask where a person must decide, and have read what is unconfirmed.

    Raises ClockDoubted, with nothing done, and AlreadyRunning while a purge of the shop is under way.
    """
    refuse_doubt(runtime)
    moment = runtime.now()
    vault = runtime.vault(shop_id)
    with runtime.database.write() as db:
        shop = shops.by_id(db, shop_id)
        standing = retention.look(db, shop, moment)
        if standing.unconfirmed and shop.state == CONNECTED:
            again = retention.unconfirmed(db, shop, moment, PIECE)
            read_again(db, vault, dict.fromkeys(again, TO_CONFIRM), moment)
        asked: list[int | None] = [_ask_untold(db, shop, standing, moment)] if standing.untold else []
        limit = _limit(db, shop, standing, moment)
        run_id = None
        if standing.due > limit:
            asked.append(_ask_large(db, shop, standing, moment))
        elif standing.due:
            run_id = new_run_id(moment)
            runs.add(db, run_id, shop_id, runs.PURGE, by, moment, checkpoint={LIMIT: limit, DUE: standing.due})
            runtime.enqueue(db, run_id)
    return Looked(standing, run_id, tuple(each for each in asked if each is not None))


def refuse_doubt(runtime: Runtime) -> None:
    """Raise ClockDoubted unless another clock agrees with ours."""
    doubt = clock_doubt(runtime, HEARD_WITHIN)
    if doubt is not None:
        raise ClockDoubted(f"Nothing is purged, since {doubt.reason}; `onewriter check` says what to do.")


def attend(runtime: Runtime) -> None:
    """Look for what is due in every shop; one that cannot be looked at must not keep the others waiting."""
    with runtime.database.read() as db:
        known = [shop for shop in shops.every(db) if shop.state != ERASED and not shop.never_connected]
    for shop in known:
        try:
            look_for_due(runtime, shop.id, "schedule")
        except (runs.AlreadyRunning, ClockDoubted):
            continue
        except Exception as error:  # noqa: BLE001 - the next hour tries again
            log.warning("purge not looked for", shop=shop.id, error=type(error).__name__)


def carry_out_purge(runtime: Runtime, run: Run) -> Run:
    """Purge what is due in the run's shop, in pieces that each land with their receipt; the run as it ended."""
    limit, done = int(run.checkpoint[LIMIT]), run.done
    vault = runtime.vault(run.shop_id)
    with runtime.giving_way() as give_way:
        while done < limit:
            refuse_doubt(runtime)
            moment = runtime.now()
            with runtime.database.write() as db:
                shop = shops.by_id(db, run.shop_id)
                taken = purge_next(db, vault, shop, min(PIECE, limit - done), moment, run.id)
                done += taken
                runs.move(db, run, moment, done=done, total=max(done, run.checkpoint[DUE]), counts={"purged": done})
            erasing.end(runtime.database, runtime.keys, moment)
            if not taken:
                break
            give_way()
    clean(runtime)
    with runtime.database.write() as db:
        runs.finish(db, run, RunState.DONE, None, runtime.now())
        return runs.get(db, run.id)


def clean_up(runtime: Runtime, erased_since: Instant, *, whole: bool = False) -> bool:
    """Clean the databases if anything was erased since then, by whatever path; True if nothing is left of it."""
    with runtime.database.read() as db:
        any_erased = erasing.any_since(db, erased_since)
    return any_erased and clean(runtime, whole=whole)


def clean(runtime: Runtime, *, whole: bool = False) -> bool:
    """Clean both databases of what was deleted; False where a part of it was left for another time.

    A large file of SQLite is only written anew with `whole`, since nothing else can be written meanwhile.
    """
    most = None if whole else cleaning.AT_ONCE_MAX
    # The keys first: what they opened is of no use without them.
    keys = cleaning.clean(runtime.key_database, KEYS_CLEANED, most_bytes=None)
    return cleaning.clean(runtime.database, CLEANED, most_bytes=most) and keys


def _limit(db: Connection, shop: Shop, standing: Standing, now: Instant) -> int:
    """How many may be purged now: what a person agreed to since the last purge, or what a run may take by itself."""
    question = questions.newest_of(db, shop.id, LARGE_PURGE, WHOLE)
    if question is None or question.answer != "purge" or question.answered_at is None:
        return standing.limit
    last = runs.last_requested(db, shop.id, runs.PURGE)
    if (last is not None and last >= question.answered_at) or now - question.answered_at > ASK_AGAIN:
        return standing.limit
    return max(standing.limit, int(question.evidence["due"]))


def _ask_large(db: Connection, shop: Shop, standing: Standing, now: Instant) -> int | None:
    before = questions.newest_of(db, shop.id, LARGE_PURGE, WHOLE)
    if before is not None and before.answer == "wait" and now - (before.answered_at or 0) < ASK_AGAIN:
        return None
    ask = Ask(
        kind=LARGE_PURGE,
        subject=WHOLE,
        text=(
            f"{standing.due} deleted customers of {shop.domain} are due to be purged, of {standing.held} in all; "
            f"more than {standing.limit} at once is not done without a person."
        ),
        answers=LARGE_ANSWERS,
        otherwise="none of them is purged",
        evidence={"due": standing.due, "customers": standing.held, "limit": standing.limit},
    )
    return questions.ask(db, shop.id, ask, now)


def _ask_untold(db: Connection, shop: Shop, standing: Standing, now: Instant) -> int:
    waiting = questions.waiting_of(db, shop.id, UNTOLD_DELETION)
    if waiting:
        # A person may be looking at it: whoever has come to it since is asked about next.
        return waiting[0].id
    ids = [id_text(each) for each in retention.untold(db, shop, now)]
    ask = Ask(
        kind=UNTOLD_DELETION,
        subject=WHOLE,
        text=(
            f"{standing.untold} customers of {shop.domain} are due to be purged with {standing.untold_points} points: "
            "Shopify never told that they were deleted, or nobody got their points when they were merged."
        ),
        answers=UNTOLD_ANSWERS,
        otherwise="they are not purged",
        evidence={"customers": ids, "points": standing.untold_points},
    )
    return questions.ask(db, shop.id, ask, now)


def answer_untold(db: Connection, vault: ShopVault, question: Question, now: Instant) -> str:
    """Do what a person decided about those who vanished without a word; in words, what was done."""
    ids = [uuid.UUID(each).bytes for each in question.evidence["customers"]]
    shop = shops.by_id(db, question.shop_id)
    lock(db, vault, retention.shopify_ids(db, shop, ids))
    if question.answer == "purge":
        return f"{retention.agree(db, shop, ids, now)} customers are purged within the hour"
    until = now + shop.retention_days * DAY
    kept = retention.keep(db, shop, ids, until, f"kept by {question.answered_by}", now)
    # Time goes on for them: what has expired since the deletion is posted now.
    books = open_books(db, vault, kept)
    books.settle(now)
    books.save(db)
    return f"{len(kept)} customers are kept"
