"""Sending mutations to Shopify and learning what became of each patch, whatever happens on the way.

Several mutations go in one document, which Shopify carries out in their order. A mutation is never sent again unless
it is certain that it was not carried out; what is not certain is the outcome `Ambiguous`.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onewriter.connectors.interface import Ambiguous, Applied, Outcome, Rejected, RemoteValue, RetryAfter
from onewriter.connectors.shopify_fields import Selection
from onewriter.connectors.shopify_refusals import NO_RIGHT, failed, refused
from onewriter.connectors.shopify_steps import Step, document_of
from onewriter.errors import ScopeMissing, ShopifyRefused, ShopifyThrottled, ShopifyUnreachable, TokenRefused
from onewriter.shopify.client import AdminClient, Answer, CostTooHigh, NotSent
from onewriter.shopify.scopes import WRITE

PAUSE_S = 30.0
STEPS_MAX = 20
"""Mutations in one document: 200 of the 1,000 points that one may cost, and as much is unknown if the line breaks."""


@dataclass(slots=True)
class _Progress:
    """How far one patch has come."""

    fields: dict[str, RemoteValue] = field(default_factory=dict)
    """What Shopify holds since, as its answers tell."""
    written: bool = False
    trouble: Outcome | None = None
    """The first thing that did not go through."""


class Sending:
    """One sending of some steps; `ids` are the records of the patches by their places."""

    def __init__(self, client: AdminClient, selection: Selection, ids: Mapping[int, str]) -> None:
        self._client, self._selection, self._ids = client, selection, ids
        self._progress = {place: _Progress() for place in ids}
        self._at_once = STEPS_MAX

    def send(self, steps: Sequence[Step]) -> dict[int, Outcome]:
        """Send all of them, and return one outcome for each patch.

        What concerns the whole call is raised as long as nothing was written; later it is the outcome of the rest.
        """
        waiting = deque(steps)
        while waiting:
            batch = [waiting.popleft() for _ in range(min(self._at_once, len(waiting)))]
            try:
                again = self._sent(batch)
            except (NotSent, TokenRefused, ShopifyThrottled) as error:
                if not any(each.written or each.trouble for each in self._progress.values()):
                    raise
                self._stop((*batch, *waiting), RetryAfter(getattr(error, "retry_after_s", PAUSE_S)))
                break
            except ShopifyUnreachable as error:
                self._stop(batch, Ambiguous(str(error)))
                self._stop(waiting, RetryAfter(PAUSE_S))
                break
            waiting.extendleft(reversed(again))
        return {place: self._outcome(place) for place in self._ids}

    def _sent(self, batch: list[Step]) -> list[Step]:
        """Send some steps in one document; the steps that are to be sent (again) before all others."""
        document, variables = document_of(batch)
        try:
            answer = self._client.query(document, variables)
        except ScopeMissing as error:
            reason = NO_RIGHT if error.scope == WRITE else f"the token lacks the scope {error.scope}"
            self._stop(batch, Rejected(None, reason))
            return []
        except ShopifyRefused as error:
            return self._smaller(batch, error)
        again: list[Step] = []
        for place, step in enumerate(batch):
            again += self._learn(step, answer, f"s{place}")
        return again

    def _smaller(self, batch: list[Step], error: ShopifyRefused) -> list[Step]:
        """What is refused as a whole is sent in smaller portions, until the one at fault is alone."""
        if len(batch) == 1:
            self._stop(batch, Rejected(None, "Shopify refused the write as a whole"))
            return []
        half = max(1, len(batch) // 2)
        self._at_once = half if isinstance(error, CostTooHigh) else 1
        return batch

    def _learn(self, step: Step, answer: Answer, alias: str) -> list[Step]:
        payload = answer.data.get(alias)
        if not isinstance(payload, dict):
            about = [error for error in answer.errors if error.path[:1] == (alias,)] or [
                error for error in answer.errors if not error.path
            ]
            outcome = failed(about[0]) if about else Ambiguous("Shopify left a write out of its answer.")
            self._stop([step], outcome)
            return []
        errors = payload.get("userErrors") or []
        if not errors and len(payload.get("metafields") or ()) != len(step.owners):
            self._stop([step], Ambiguous("Shopify left a part of a write out of its answer."))
            return []
        if not errors:
            self._applied(step, payload)
            return []
        outcomes = refused(step, errors, self._ids)
        for place, outcome in outcomes.items():
            self._note(place, outcome)
        return self._others(step, outcomes)

    def _others(self, step: Step, outcomes: Mapping[int, Outcome]) -> list[Step]:
        """The same metafields without those that were refused: all of a mutation stands or falls together."""
        left = [place for place, owner in enumerate(step.owners) if owner not in outcomes]
        if not left:
            return []
        given = step.values["metafields"]
        return [
            replace(
                step,
                values={"metafields": [given[place] for place in left]},
                owners=tuple(step.owners[place] for place in left),
                fields={place: names for place, names in step.fields.items() if place not in outcomes},
            )
        ]

    def _applied(self, step: Step, payload: Mapping[str, Any]) -> None:
        for place, names in step.fields.items():
            self._progress[place].written = True
            self._progress[place].fields |= self._told(step, payload, place, names)

    def _told(self, step: Step, payload: Mapping[str, Any], place: int, names: Sequence[str]) -> dict[str, RemoteValue]:
        """What the answer to a step says that a customer holds now."""
        if step.mutation == "metafieldsDelete":
            return dict.fromkeys(names)
        if step.mutation == "metafieldsSet":
            kept = [
                each
                for owner, each in zip(step.owners, payload.get("metafields") or (), strict=False)
                if owner == place
            ]
            node = {self._selection.metafields[name][0]: each for name, each in zip(names, kept, strict=True)}
            return self._selection.values(self._whole(place, node), names)
        if "customerPhoneNumber" in payload:
            told: Any = {"defaultPhoneNumber": payload["customerPhoneNumber"]}
        else:
            told = payload.get("customer") or payload.get("node") or {}
        return self._selection.values(self._whole(place, told), names)

    def _whole(self, place: int, node: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": f"gid://shopify/Customer/{self._ids[place]}"} | dict(node)

    def _stop(self, steps: Iterable[Step], outcome: Outcome) -> None:
        for step in steps:
            for place in step.fields:
                self._note(place, outcome)

    def _note(self, place: int, outcome: Outcome) -> None:
        progress = self._progress[place]
        if progress.trouble is None or isinstance(outcome, Ambiguous):
            progress.trouble = outcome

    def _outcome(self, place: int) -> Outcome:
        progress = self._progress[place]
        if progress.trouble is None:
            return Applied(self._ids[place], fields=progress.fields)
        if progress.written and not isinstance(progress.trouble, Ambiguous):
            reason = getattr(progress.trouble, "reason", "Shopify asked for a pause")
            return Ambiguous(f"A part of it was written, and then: {reason}.")
        return progress.trouble
