"""Somebody sensible, who looks at the questions now and then, and answers by what is so in the shop."""

import uuid
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from onewriter.audit.absence import MISSING_CUSTOMERS
from onewriter.bench.simulate.commands import BY
from onewriter.bench.simulate.truth import merged_on
from onewriter.customers import findings, questions
from onewriter.customers.aliases import UNHEARD_MERGE, UNSETTLED_MERGE
from onewriter.customers.inbox import PARKED_DELIVERY
from onewriter.customers.questions import NotAnswerable, Question
from onewriter.intake.refetch import ASK_AGAIN, NOT_MERGED
from onewriter.intake.watch import SCOPES
from onewriter.runtime import Runtime
from onewriter.sandbox import Shop
from onewriter.workflows.answers import carry_out_answer

if TYPE_CHECKING:
    from onewriter.bench.simulate.world import World

LOOKS_S = (600.0, 3 * 3600.0)
QUESTIONS_MAX = 1_000
PATIENCE = 0.3
"""How often such a person first tries what may help, before giving something up."""
FIXED = {
    PARKED_DELIVERY: {"now": "drop", "later": "retry"},
    MISSING_CUSTOMERS: {"now": "delete", "later": "keep"},
    UNSETTLED_MERGE: {"now": NOT_MERGED, "later": ASK_AGAIN},
}
"""The answers that do not depend on what is so."""


class Person:
    """Answers questions for as long as the seed is played."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = Random(f"{world.tally.seed}/person")
        self._patience = PATIENCE

    def begin(self) -> None:
        """Look now and then, from now on."""
        self._world.timeline.after(self._rng.uniform(*LOOKS_S), self._look)

    def decide(self) -> None:
        """From now on nothing is put off any more."""
        self._patience = 0.0

    def _look(self) -> None:
        with self._world.reader.database.read() as db:
            waiting = questions.count(db)
        if waiting:
            self._world.command("question", self._answer_all)
        self.begin()

    def _answer_all(self, runtime: Runtime) -> None:
        answer_all(runtime, self._world.shop, self._rng, self._patience)


def answer_all(runtime: Runtime, shop: Shop, rng: Random, patience: float = 0.0) -> None:
    """Answer everything that waits, each in a transaction of its own, as the command line does."""
    with runtime.database.read() as db:
        waiting = questions.waiting(db, QUESTIONS_MAX)
    for question in waiting:
        chosen = _choose(runtime, shop, question, "later" if rng.random() < patience else "now")
        if chosen is not None:
            _answer(runtime, question, chosen)


def _answer(runtime: Runtime, question: Question, chosen: str) -> None:
    moment = runtime.now()
    # It may have been settled another way while the person was thinking.
    with suppress(NotAnswerable), runtime.database.write() as db:
        answered = questions.answer(db, question.id, chosen, BY, "as it is in the shop", moment)
        carry_out_answer(db, runtime.vault, answered, moment)


def _choose(runtime: Runtime, shop: Shop, question: Question, when: str) -> str | None:
    """The answer; None to leave it for later."""
    if question.kind in FIXED:
        return FIXED[question.kind][when]
    if question.kind == UNHEARD_MERGE:
        return _was_merged(runtime, shop, question)
    if question.kind == SCOPES:
        return None if shop.access.missing(question.evidence["scope"]) else "checked"
    return next(iter(question.answers))


def _was_merged(runtime: Runtime, shop: Shop, question: Question) -> str:
    ids = [uuid.UUID(question.evidence[name]).bytes for name in ("deleted", "kept")]
    with runtime.database.read() as db:
        gone, kept = (findings.shopify_id_of(db, question.shop_id, each) for each in ids)
    return "merge" if kept in merged_on(shop, gone or 0) else "separate"
