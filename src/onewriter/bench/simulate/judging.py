"""What a seed came to, and what of it must not be."""

from collections import Counter
from collections.abc import Sequence

from onewriter.bench.simulate import compare, erasures
from onewriter.bench.simulate.commands import BY
from onewriter.bench.simulate.compare import Difference
from onewriter.bench.simulate.tracing import Tracer, found
from onewriter.bench.simulate.world import World
from onewriter.customers import questions, runs

SHOWN_MAX = 5
"""Differences that are named in words; all of them are counted."""
QUESTIONS_MAX = 10_000


class Judge:
    """Counts what happened in a seed, and says what broke the promise."""

    def __init__(self, world: World) -> None:
        self._world, self._tally, self._reader = world, world.tally, world.reader

    def judge(self, before: Sequence[Difference], after: Sequence[Difference], tracer: Tracer, run_id: str) -> None:
        """Fill the tally. `run_id` is that of the reconcile which was between the two."""
        self._count()
        tally = self._tally
        tally.trace = self._world.timeline.trace
        tally.before, tally.after = len(before), len(after)
        tally.missing = len(compare.missing(self._reader, self._world.shop))
        self._blame("not as in the shop after the reconcile", after)
        if not tally.withheld:
            self._blame("not as in the shop, though everything was told", before)
        if tally.missing:
            tally.wrong.append(f"{tally.missing} acknowledged deliveries are not in the inbox exactly once")
        tally.wrong += compare.doubled(self._reader)
        tally.erased = len(erasures.erased(self._reader, self._world.shop))
        tally.wrong += erasures.remains(self._reader, self._world.shop)
        self._weigh(before, tracer, run_id)

    def _weigh(self, before: Sequence[Difference], tracer: Tracer, run_id: str) -> None:
        """Whatever differed must be explained by what was withheld, and reported, with a reason that is true."""
        everything = found(self._reader)
        told = {(each.shopify_id, each.field) for each in everything if each.run_id == run_id}
        until = self._world.timeline.now
        silent = [each for each in before if (each.shopify_id, each.field) not in told]
        self._blame("differed before the reconcile and was not reported", silent)
        strange = [each for each in before if not tracer.reasons(each.shopify_id, each.field, until)]
        self._blame("differs, and no delivery was withheld", strange)
        for each in everything:
            reasons = tracer.reasons(each.shopify_id, each.field, each.at)
            self._tally.traced += bool(reasons)
            self._tally.reasons_right += each.reason in reasons
            self._tally.reported[each.reason] += 1
            if each.reason not in reasons:
                told_wrong = f"{each.field}: {each.reason}, and not {' or '.join(sorted(reasons)) or 'anything'}"
                self._tally.wrong_reasons.append(f"{each.shopify_id} {told_wrong}")

    def _blame(self, what: str, differences: Sequence[Difference]) -> None:
        if differences:
            shown = ", ".join(f"{each.shopify_id} {each.field} ({each.what})" for each in differences[:SHOWN_MAX])
            more = " ..." if len(differences) > SHOWN_MAX else ""
            self._tally.wrong.append(f"{len(differences)} x {what}: {shown}{more}")

    def _count(self) -> None:
        tally, world = self._tally, self._world
        deliveries = world.shop.deliveries
        tally.deliveries = len(deliveries)
        tally.duplicates = sum(sent.copies - 1 for sent in deliveries)
        tally.losses = sum(sent.status in ("lost", "failed") for sent in deliveries)
        for (doing, code, when), number in world.plan.done.items():
            tally.crashes[doing] += number
            tally.crash_sites[f"{code} {when}"] += number
        tally.commits.update({f"{code} {when}": number for (_, code, when), number in world.plan.met.items()})
        with self._reader.database.read() as db:
            asked = questions.every(db, QUESTIONS_MAX)
            tally.asked = Counter(question.kind for question in asked)
            tally.answered = Counter(question.kind for question in asked if question.answered_by == BY)
            tally.runs = Counter(f"{run.kind} {run.state.value}" for run in runs.newest(db, QUESTIONS_MAX))
