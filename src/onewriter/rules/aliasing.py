"""Merges as facts: which customer another one was merged into, whatever order we hear of it in.

A merge is told once, as done or as failed. What "done" looks like in the delivery is undocumented, so any status but
failed only says that it *may* have happened: the deleted id must also read as gone. Then it is settled, for ever.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from onewriter.records import DAY, Instant

ASK_FOR: Instant = DAY
"""How long a merged-away customer that is still there is asked for before a person is."""

CHAIN_MAX = 100
"""Merges followed from one customer on; nobody is merged away more often, so a longer chain is a ring."""


class AliasState(StrEnum):
    """How sure a merge is."""

    FAILED = "failed"  # a person said that it did not happen
    HEARD = "heard"  # told, and the deleted customer was not read as gone yet
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Alias:
    """A merged-away customer and the one that was kept."""

    deleted_id: int
    kept_id: int
    heard: Instant
    """When the merge was told, by Shopify's clock: the deleted customer's 90 days run from it."""
    state: AliasState = AliasState.HEARD
    settled: Instant | None = None

    @property
    def is_pending(self) -> bool:
        """True while it is told and not settled."""
        return self.state is AliasState.HEARD

    def settle(self, at: Instant) -> "Alias":
        """The alias once a direct read that began `at` has found the deleted customer gone."""
        return replace(self, state=AliasState.SETTLED, settled=at)

    def fail(self) -> "Alias":
        """The alias once a person has said that the merge did not happen."""
        return replace(self, state=AliasState.FAILED, settled=None)

    def doubt(self) -> "Alias":
        """The alias once a direct read has found the deleted customer there after all."""
        return replace(self, state=AliasState.HEARD, settled=None)


def hear(known: Alias | None, told: Alias) -> Alias:
    """What is known of a customer's merge after being told of one.

    Only a customer that is there can be merged, so a later merge proves that the one before it did not happen: of two
    the later one counts, and of two of one instant the one into the lower id, whoever came first.
    """
    if known is None:
        return told
    if (told.heard, -told.kept_id) <= (known.heard, -known.kept_id):
        return known
    if known.state is AliasState.FAILED:
        return told
    return replace(known, kept_id=told.kept_id, heard=told.heard)
