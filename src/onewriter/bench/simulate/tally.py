"""What one seed came to: the counts of the table, and what was wrong at its end."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """The counts of one seed, and what must not be."""

    seed: int
    database: str
    events: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    commands_done: Counter[str] = field(default_factory=Counter)
    commands_failed: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    """What the door answered, by HTTP status."""
    deliveries: int = 0
    duplicates: int = 0
    losses: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    """By what the process was doing."""
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    turns_failed: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    crash_sites: Counter[str] = field(default_factory=Counter)
    commits: Counter[str] = field(default_factory=Counter)
    before: int = 0
    after: int = 0
    traced: int = 0
    reasons_right: int = 0
    reported: Counter[str] = field(default_factory=Counter)
    """What all reconciles of the seed reported, by the reason they gave."""
    wrong_reasons: list[str] = field(default_factory=list)
    missing: int = 0
    """Acknowledged deliveries that are not in the inbox exactly once."""
    erased: int = 0
    """Customers that were erased because Shopify had us redact them, or whom they were merged into."""
    spendings: Counter[str] = field(default_factory=Counter)
    """What was answered to people who spent points."""
    orders: int = 0
    refunds: int = 0
    expired: int = 0
    """Points that ended and were not spent."""
    ledgers_merged: int = 0
    """Merges that brought entries from one ledger to another."""
    balances: int = 0
    """Accounts that were compared with the recomputation, each at the end and on the days after it."""
    differing: int = 0
    """Those of them that were not the same."""
    withheld: bool = False
    """Whether anything kept us from learning of a change, such as a loss."""
    trace: str = ""
    """A digest of everything that happened and when: the same seed, the same digest."""
    wrong: list[str] = field(default_factory=list)
    """What must not be, in words; empty when the promise held."""

    @property
    def held(self) -> bool:
        """True when the promise held in this seed."""
        return not self.wrong
