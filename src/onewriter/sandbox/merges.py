"""Merges as jobs: accepted at once, carried out later by the shop's clock, and only then told to the subscribers."""

import uuid
from dataclasses import dataclass, replace
from random import Random

from onewriter.sandbox import merging, news, payloads
from onewriter.sandbox.agenda import Agenda
from onewriter.sandbox.customer import Customer, gid
from onewriter.sandbox.customers import Customers
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.merging import Override, Problem
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.till import Tell, Till

# The enum of the API, as far as our merges fail for it; tags and note have no name there.
ERROR_FIELDS = ("DELETED_AT", "GIFT_CARDS", "MERGE_IN_PROGRESS", "SUBSCRIPTIONS")


@dataclass(slots=True)
class Merge:
    """One merge that was accepted: IN_PROGRESS until it is carried out, then COMPLETED or FAILED."""

    job_id: str
    kept: int
    deleted: int
    override: Override
    status: str = "IN_PROGRESS"
    problems: tuple[Problem, ...] = ()

    @property
    def done(self) -> bool:
        return self.status != "IN_PROGRESS"


class Merges:
    """All merges of a shop, by job. The caller holds the shop's lock."""

    def __init__(self, customers: Customers, till: Till, agenda: Agenda, faults: Faults, seed: int, tell: Tell) -> None:
        self._customers, self._till, self._agenda, self._faults, self._tell = customers, till, agenda, faults, tell
        self._rng = Random(f"{seed}/merges")
        self._held: dict[str, Merge] = {}

    def all(self) -> list[Merge]:
        """Every merge that was accepted, oldest first."""
        return list(self._held.values())

    def get(self, job_id: str) -> Merge | None:
        return self._held.get(job_id)

    def accept(self, one_id: int, two_id: int, override: Override) -> Merge:
        """Take a merge on, or raise Refused with Shopify's codes."""
        one, two = self._two(one_id, two_id)
        merging.check_override(one, two, override)
        found = self._in_progress(one, two) + merging.problems(one, two, override, self._faults.merge_blocked)
        if found:
            raise Refused(*(Mistake(None, each.message, "INVALID_CUSTOMER") for each in found))
        kept = merging.survivor(one, two, override)
        job_id = gid("Job", uuid.UUID(int=self._rng.getrandbits(128), version=4))
        merge = Merge(job_id, kept.id, (two if kept is one else one).id, override)
        self._held[job_id] = merge
        self._agenda.add(self._agenda.now() + self._faults.merge_seconds, lambda: self._carry_out(merge))
        return merge

    def _two(self, one_id: int, two_id: int) -> tuple[Customer, Customer]:
        if one_id == two_id:
            raise Refused(Mistake(None, "Customers IDs should not match", "INVALID_CUSTOMER_ID"))
        given = {"customerOneId": one_id, "customerTwoId": two_id}
        found = [self._customers.by_id.get(number) for number in given.values()]
        missing = [name for name, record in zip(given, found, strict=True) if record is None]
        if missing:
            raise Refused(*(Mistake((name,), "Customer does not exist", "INVALID_CUSTOMER_ID") for name in missing))
        one, two = (record for record in found if record is not None)
        return one, two

    def _in_progress(self, *pair: Customer) -> list[Problem]:
        busy = {number for each in self._held.values() if not each.done for number in (each.kept, each.deleted)}
        return [
            Problem((each.id,), "merge_in_progress", f"{each.display_name} is currently being merged.")
            for each in pair
            if each.id in busy
        ]

    def _carry_out(self, merge: Merge) -> None:
        kept, deleted = (self._customers.by_id.get(number) for number in (merge.kept, merge.deleted))
        if kept is None or deleted is None:
            gone = merge.kept if kept is None else merge.deleted
            self._fail(merge, [Problem((gone,), "deleted_at", "The customer has been deleted.")])
            return
        found = merging.problems(kept, deleted, merge.override, self._faults.merge_blocked)
        if self._faults.merge_fails:
            message = f"{deleted.display_name} has subscriptions and can't be merged."
            found.append(Problem((deleted.id,), "subscriptions", message))
        if found:
            self._fail(merge, found)
        else:
            self._complete(merge, kept, deleted)

    def _fail(self, merge: Merge, found: list[Problem]) -> None:
        merge.status, merge.problems = "FAILED", tuple(found)
        # Shopify's own sample of a failed merge names no job.
        body = payloads.merged(merge.kept, merge.deleted, None, "failed", [each.body for each in found])
        self._tell([(merge.kept, "customers/merge", body)])

    def _complete(self, merge: Merge, kept: Customer, deleted: Customer) -> None:
        now, denied, parts = self._agenda.now(), self._faults.protected_denied, self._customers.new_parts
        after = merging.united(kept, deleted, merge.override, parts, now)
        after = replace(after, updated_at=max(int(now), kept.updated_at))
        self._customers.put(deleted, None)
        self._customers.put(kept, after)
        merge.status = "COMPLETED"
        body = payloads.merged(merge.kept, merge.deleted, merge.job_id, "completed", [])
        told: list[news.Item] = [(merge.kept, "customers/merge", body)]
        for item in news.of_update(kept, after, now, denied=denied):
            if self._faults.merge_tells_update or item[1] != "customers/update":
                told.append(item)
        if self._faults.merge_tells_delete:
            told += news.of_deletion(deleted)
        moved = self._till.hand_over(deleted, after)
        self._tell([*told, *(moved if self._faults.merge_tells_orders else ())])
