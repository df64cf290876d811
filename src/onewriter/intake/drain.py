"""Draining the inbox: many deliveries in one transaction with all their effects.

A row that fails never holds the others back: its batch is undone and each row is tried by itself, and what fails again
is put off, or parked for a person after eight real tries. A temporary error undoes the batch and counts for nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from onewriter.customers import erasing, inbox, order_marks, questions, requests, shops, tombstones
from onewriter.customers.inbox import DONE, PARKED, PARKED_DELIVERY, Ending, Row
from onewriter.customers.order_marks import Told
from onewriter.customers.questions import Ask
from onewriter.db.engine import Database, is_outage
from onewriter.errors import KeyDestroyed, MasterKeyWrong, NotUnderstood, Temporary
from onewriter.intake.apply import apply
from onewriter.intake.batch import ERASED, NOTHING_KEPT
from onewriter.intake.door import inbox_binding, sealed_until
from onewriter.intake.orders import told_by
from onewriter.intake.redact import heard_of, redact
from onewriter.intake.requests import take_data_request, take_shop_redaction
from onewriter.loyalty import programme
from onewriter.records import DAY, SECOND, Change, Instant
from onewriter.rules import retry
from onewriter.shopify.orders import order_rung
from onewriter.shopify.payloads import change_from_delivery, check_scopes_changed, check_uninstalled
from onewriter.shopify.topics import (
    COMPLIANCE_TOPICS,
    CUSTOMER_TOPICS,
    DATA_REQUEST_TOPIC,
    ORDER_TOPICS,
    REDACT_TOPIC,
    SHOP_REDACT_TOPIC,
)
from onewriter.vault.vault import ShopVault

BATCH = 200
QUESTION_BEFORE_END = 5 * DAY
NO_ORDER_RULE = "noted: no order rule"

PARKED_ANSWERS = {
    "retry": "try to apply the delivery again",
    "drop": "give the delivery up; it stays in the list",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drain:
    """Applies what waits in the inbox. `vault_of` opens the vault of a shop."""

    database: Database
    vault_of: Callable[[int], ShopVault]
    keep_days: int

    def once(self, now: Instant) -> int:
        """Drain one batch; returns how many deliveries were taken up, 0 when there is nothing to do."""
        with self.database.read() as db:
            if not inbox.any_ready(db, now):
                return 0
        with self.database.write() as db:
            rows = inbox.claim(db, now, BATCH)
            if rows and shops.is_erased(db, rows[0].shop_id):
                # The door of another process may not have known it yet.
                inbox.remove(db, [row.position for row in rows])
                return len(rows)
            if rows:
                self._take(db, rows, now)
        if any(row.topic == REDACT_TOPIC for row in rows):
            erasing.end(self.database, self.vault_of(rows[0].shop_id).keys, now)
        return len(rows)

    def _take(self, db: Connection, rows: Sequence[Row], now: Instant) -> None:
        try:
            vault = self.vault_of(rows[0].shop_id)
            with db.begin_nested():
                inbox.end(db, self._apply(db, vault, rows, now), now)
        except (Temporary, MasterKeyWrong):
            # With a wrong master key nothing can be opened, and that is no fault of any row.
            raise
        except Exception as error:
            # A poisoned row can raise anything, and must not stop the others; a database that is full or gone is no
            # fault of any row.
            if is_outage(error):
                raise
            if len(rows) == 1:
                self._put_off(db, rows[0], error, now)
                return
            for row in rows:
                self._take(db, [row], now)

    def _apply(self, db: Connection, vault: ShopVault, rows: Sequence[Row], now: Instant) -> list[Ending]:
        """Apply the customers' deliveries together and the others one by one; what became of each.

        Redactions come first, so that nothing is asked about who is erased in this very batch; requests for data last,
        so that who came in it is found.
        """
        endings: list[Ending] = []
        changes: list[Change] = []
        taken: list[Row] = []
        orders: list[Row] = []
        # Who is asked about, or named by an address alone, is looked for once all that came before is applied.
        last = [row for row in rows if row.topic == DATA_REQUEST_TOPIC or _names_no_id(row)]
        for row in sorted(rows, key=lambda row: row.topic != REDACT_TOPIC):
            try:
                if row.topic in CUSTOMER_TOPICS:
                    changes.append(self._change(vault, row))
                    taken.append(row)
                elif row.topic in ORDER_TOPICS:
                    orders.append(row)
                elif row not in last:
                    endings.append(self._other(db, vault, row, now))
            except (NotUnderstood, KeyDestroyed) as error:
                endings.append(self._set_aside(db, row, str(error), now))
        applied = apply(db, vault, changes, now)
        endings.extend(
            Ending(row.position, DONE, outcome) for row, outcome in zip(taken, applied.outcomes, strict=True)
        )
        # After the customers, for theirs are the locks that everybody takes first.
        rung = self._ring(db, vault, orders, now) if orders else []
        emptied = [each for each in endings if each.outcome in NOTHING_KEPT]
        emptied += [each for each in rung if each.state == DONE]
        inbox.empty(db, [each.position for each in emptied])
        return endings + rung + [self._asked(db, vault, row, rows, now) for row in last]

    def _asked(self, db: Connection, vault: ShopVault, row: Row, rows: Sequence[Row], now: Instant) -> Ending:
        """Take up a request for somebody's data, or an erasure that names no id."""
        try:
            if row.topic == REDACT_TOPIC:
                return redact(db, vault, row, self._body(vault, row), now, [each.position for each in rows])
            return take_data_request(db, vault, row, self._body(vault, row), now)
        except (NotUnderstood, KeyDestroyed) as error:
            return self._set_aside(db, row, str(error), now)

    def _ring(self, db: Connection, vault: ShopVault, rows: Sequence[Row], now: Instant) -> list[Ending]:
        """Have the orders read that these deliveries tell of.

        A body that was understood has no further use, and is full of what is nobody's business but the customer's.
        """
        shop = shops.by_id(db, vault.shop_id)
        is_wanted = programme.wants_orders(db, shop.id)
        erased = tombstones.purged_at(db, shop.id, {row.subject_hash for row in rows if row.subject_hash is not None})
        wanted: dict[int, Told] = {}
        endings: list[Ending] = []
        for row in rows:
            outcome = "marked"
            if row.subject_hash in erased:
                outcome = ERASED
            elif not is_wanted:
                outcome = NO_ORDER_RULE
            else:
                try:
                    rung = order_rung(row.topic, self._body(vault, row))
                except (NotUnderstood, KeyDestroyed) as error:
                    endings.append(self._park(db, row, str(error), now))
                    continue
                wanted[rung.order] = wanted.get(rung.order, Told()).and_also(told_by(rung, shop.currency))
            endings.append(Ending(row.position, DONE, outcome))
        order_marks.set_marks(db, shop.id, wanted, now)
        return endings

    def _change(self, vault: ShopVault, row: Row) -> Change:
        body = self._body(vault, row)
        heard = row.triggered_at if row.triggered_at is not None else row.received_at
        return change_from_delivery(row.topic, body, heard=heard, position=row.position)

    def _other(self, db: Connection, vault: ShopVault, row: Row, now: Instant) -> Ending:
        if row.topic == "app/uninstalled":
            return self._uninstall(db, row, self._body(vault, row), now)
        if row.topic == REDACT_TOPIC:
            return redact(db, vault, row, self._body(vault, row), now)
        if row.topic == SHOP_REDACT_TOPIC:
            return take_shop_redaction(db, row, self._body(vault, row), now)
        if row.topic == "app/scopes_update":
            check_scopes_changed(self._body(vault, row))
            # Asking Shopify what is granted now is the hourly check's work; this makes it due.
            shops.change(db, row.shop_id, {"checked_at": None})
            return Ending(row.position, DONE, "noted: the scopes are looked at")
        if row.topic == "bulk_operations/finish":
            # The import polls as well, since Shopify does not promise this delivery; it is kept as evidence only.
            return Ending(row.position, DONE, "noted")
        raise NotUnderstood("This topic is not one that onewriter knows how to apply.")

    def _body(self, vault: ShopVault, row: Row) -> bytes:
        return vault.keys.day_key(row.shop_id, row.day).open(row.box, inbox_binding(row.shop_id, row.webhook_id))

    def _uninstall(self, db: Connection, row: Row, body: bytes, now: Instant) -> Ending:
        """Disconnect the shop. The topic's header is not signed, so the body must be that of this very shop."""
        shop = shops.by_id(db, row.shop_id)
        check_uninstalled(body, shop.domain)
        heard = row.triggered_at if row.triggered_at is not None else row.received_at
        if heard < shop.connected_at:
            return Ending(row.position, DONE, "refused: older than the connection")
        shops.disconnect(db, row.shop_id, now)
        return Ending(row.position, DONE, "shop disconnected")

    def _put_off(self, db: Connection, row: Row, error: Exception, now: Instant) -> None:
        decided = retry.decide(error, row.attempts)
        kind = type(error).__name__
        log.warning("delivery failed", position=row.position, topic=row.topic, error=kind, attempts=row.attempts + 1)
        if decided is None:
            inbox.end(db, [self._park(db, row, f"failed {row.attempts + 1} times ({kind})", now)], now)
            return
        due = now + int(decided.in_s * SECOND)
        waits = Ending(row.position, inbox.WAITING, f"failed ({kind})", row.attempts + decided.counts, due)
        inbox.end(db, [waits], now)

    def _set_aside(self, db: Connection, row: Row, why: str, now: Instant) -> Ending:
        """Park what cannot be understood. Of who was erased nothing is kept or asked, understood or not."""
        names = [name for name in (row.subject_hash, row.other_hash) if name is not None]
        if row.topic in CUSTOMER_TOPICS and tombstones.purged_at(db, row.shop_id, names):
            return Ending(row.position, DONE, ERASED)
        return self._park(db, row, why, now)

    def _park(self, db: Connection, row: Row, why: str, now: Instant) -> Ending:
        """Keep the delivery for a person, and ask. One that asks something in law is an open request, too."""
        if row.topic in COMPLIANCE_TOPICS:
            requests.write(db, heard_of(row, row.subject_hash), f"its delivery is parked: {why}")
        ends = sealed_until(row.day, self.keep_days)
        questions.ask(
            db,
            row.shop_id,
            Ask(
                kind=PARKED_DELIVERY,
                subject=str(row.position),
                text=f"Delivery {row.position} ({row.topic[:80]}) could not be applied: {why}",
                answers=PARKED_ANSWERS,
                otherwise="its body is gone once its day's key has ended, and a retry then reads the customer",
                deadline=max(now, ends - QUESTION_BEFORE_END),
                evidence={"position": row.position, "topic": row.topic, "attempts": row.attempts},
            ),
            now,
        )
        return Ending(row.position, PARKED, why, row.attempts)


def _names_no_id(row: Row) -> bool:
    """True for a redaction in which the door could read no id of a customer."""
    return row.topic == REDACT_TOPIC and row.subject_hash is None
