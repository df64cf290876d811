"""Bulk operations: started by a query, finished with a file and a webhook.

Each runs in a thread of its own. In a shop without threads it stands on the shop's agenda instead, so that it starts,
reads its customers and ends at the seconds of the shop's clock.
"""

import threading
from dataclasses import dataclass, field
from itertools import count
from random import Random

from graphql import GraphQLObjectType, GraphQLSchema

from onewriter.sandbox import bulk_rules, compiled, fields, paging, payloads, search
from onewriter.sandbox.bulk_file import BulkFile
from onewriter.sandbox.bulk_rules import BulkQuery
from onewriter.sandbox.customer import gid
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.shop import Shop

CONCURRENT_MAX = 5
KEPT_MAX = 50
LIVE = ("CREATED", "RUNNING", "CANCELING")
PARTIAL_SHARE = 0.5
MADE_AT = 0.25
"""The share of an operation's time after which it reads the customers."""
PROTECTED = frozenset().union(*fields.PROTECTED.values())


@dataclass(slots=True)
class Operation:
    """One bulk operation. `expires` marks a file that will turn out to be gone."""

    id: int
    query: str
    grouped: bool
    created_at: int
    status: str = "CREATED"
    error_code: str | None = None
    completed_at: int | None = None
    file: BulkFile | None = None
    object_count: int = 0
    root_object_count: int = 0
    expires: bool = False
    stalls: bool = False
    seconds: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)


class Operations:
    """The shop's bulk operations, at most five at a time. `threads` is whether they run by themselves."""

    def __init__(self, shop: Shop, schema: GraphQLSchema, *, threads: bool | None = None) -> None:
        self._shop, self._schema = shop, schema
        self._threads = shop.has_threads if threads is None else threads
        self._rng = Random(f"{shop.seed}/bulk")
        self._held: dict[int, Operation] = {}
        self._lock = threading.Lock()
        self._next_id = count(7_300_000_000_001, 1)

    def all(self) -> list[Operation]:
        self._shop.tick()
        with self._lock:
            return list(self._held.values())

    def get(self, number: int) -> Operation | None:
        self._shop.tick()
        return self._held.get(number)

    def start(self, query: str, *, grouped: bool) -> Operation:
        """Take a query on, or raise Refused with Shopify's code."""
        self._shop.tick()
        faults = self._shop.faults
        read = bulk_rules.read(self._schema, query)
        if read.root.name.value != "customers":
            raise Refused(Mistake(("query",), "The sandbox runs bulk queries of customers only.", "INVALID"))
        try:
            search.parse(read.arguments.get("query"))
        except search.BadSearch as error:
            raise Refused(Mistake(("query",), str(error), "INVALID")) from error
        if faults.refuse:
            raise Refused(Mistake(None, "Bulk operations are limited at the moment. Try again later.", "LIMIT_REACHED"))
        with self._lock:
            self._check_concurrent()
            operation = Operation(next(self._next_id), query, grouped, int(self._shop.clock()))
            operation.expires, operation.stalls, operation.seconds = faults.expire, faults.stall, faults.bulk_seconds
            self._held[operation.id] = operation
            self._forget_old()
        if self._threads:
            threading.Thread(target=self._run, args=(operation, read), daemon=True).start()
        else:
            began = self._shop.clock()
            self._shop.agenda.add(began + operation.seconds * MADE_AT, lambda: self._begin(operation, read, began))
        return operation

    def cancel(self, number: int) -> Operation:
        operation = self.get(number)
        if operation is None:
            raise Refused(Mistake(("id",), "Bulk operation does not exist"))
        with self._lock:
            if operation.status not in LIVE:
                message = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
                raise Refused(Mistake(None, message))
            operation.status = "CANCELING"
        operation.stop.set()
        if not self._threads:
            self._shop.agenda.add(self._shop.clock(), lambda: self._finish(operation, "CANCELED", None))
        return operation

    def stop_all(self) -> None:
        for operation in self.all():
            operation.stop.set()

    def _check_concurrent(self) -> None:
        running = [gid("BulkOperation", each.id) for each in self._held.values() if each.status in LIVE]
        if len(running) >= CONCURRENT_MAX:
            message = f"A bulk query operation for this app and shop is already in progress: {', '.join(running)}."
            raise Refused(Mistake(None, message, "OPERATION_IN_PROGRESS"))

    def _forget_old(self) -> None:
        # Each one holds a list of every customer, so the oldest that is over goes first.
        over = [number for number, each in self._held.items() if each.status not in LIVE]
        for number in over[: max(0, len(self._held) - KEPT_MAX)]:
            del self._held[number]

    # ---- Running

    def _run(self, operation: Operation, read: BulkQuery) -> None:
        operation.stop.wait(operation.seconds * MADE_AT)
        status, error = self._made(operation, read)
        if operation.stalls:
            operation.stop.wait()
        operation.stop.wait(operation.seconds * (1 - MADE_AT))
        self._finish(operation, *(("CANCELED", None) if operation.stop.is_set() else (status, error)))

    def _begin(self, operation: Operation, read: BulkQuery, began: float) -> None:
        """The same as a deed of the agenda; ending it is another."""
        if operation.stop.is_set():
            return
        status, error = self._made(operation, read)
        if not operation.stalls:
            self._shop.agenda.add(began + operation.seconds, lambda: self._finish(operation, status, error))

    def _made(self, operation: Operation, read: BulkQuery) -> tuple[str, str | None]:
        """Write the file; the status and the error that the operation will end with."""
        with self._lock:
            if operation.status == "CREATED":
                operation.status = "RUNNING"
        faults, kind = self._shop.faults, self._schema.type_map["Customer"]
        if not isinstance(kind, GraphQLObjectType):
            raise TypeError("Customer is no object type")
        try:
            lines = compiled.compile_selection(
                self._schema, kind, compiled.node_selections([read.root]), read.fragments
            )
        except compiled.NotCompiled:
            return "FAILED", "INTERNAL_SERVER_ERROR"
        if faults.protected_denied and read.names & PROTECTED:
            return "FAILED", "ACCESS_DENIED"
        customers = list(paging.selected(self._shop, search.parse(read.arguments.get("query"))))
        if read.arguments.get("sortKey") == "UPDATED_AT":
            customers.sort(key=lambda record: (record.updated_at, record.id))
        if faults.partial:
            customers = customers[: int(len(customers) * PARTIAL_SHARE)]
        file = BulkFile(customers, lines, grouped=operation.grouped)
        file.disturb(self._some(faults.corrupt_lines, file.lines), self._some(faults.wrong_count, file.lines))
        operation.file, operation.root_object_count = file, file.roots
        for done in file.measure():
            operation.object_count = done
            if operation.stop.is_set():
                break
        return ("FAILED", "INTERNAL_SERVER_ERROR") if faults.partial else ("COMPLETED", None)

    def _some(self, wanted: int, lines: int) -> frozenset[int]:
        with self._lock:
            return frozenset(self._rng.sample(range(lines), min(wanted, lines)))

    def _finish(self, operation: Operation, status: str, error: str | None) -> None:
        with self._lock:
            if operation.completed_at is not None:
                return
            operation.completed_at = int(self._shop.agenda.now())
            operation.status, operation.error_code = status, error
        body = payloads.bulk_finished(
            operation.id, operation.created_at, operation.completed_at, operation.status, operation.error_code
        )
        self._shop.announce("bulk_operations/finish", body)
