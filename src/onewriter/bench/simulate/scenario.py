"""What a seed draws: how large the shop is, how Shopify behaves in it, and what goes wrong in which hours.

Each thing is drawn by its own name from a stream of its own, so that adding one or changing its chance moves no other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from onewriter.bench.simulate.programmes import Rules, drawn_rules

HOUR_S = 3600.0
DAYS_S = 48 * HOUR_S
LATEST_S = 40 * HOUR_S
"""Troubles begin by then, so that they are over when the two days are."""
HOURS = (0.2, 1.0, 4.0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong for some hours. `shop` are switches of the sandbox, `wire` of what lies between us.

    `withholds` is true for what can keep us from learning of a change, so that only a reconcile brings it back.
    """

    shop: Mapping[str, Any] = field(default_factory=dict)
    wire: Mapping[str, float] = field(default_factory=dict)
    act: str | None = None
    """Something else that is done at its beginning, by the history's method of that name."""
    withholds: bool = False
    chance: float = 0.3
    hours: tuple[float, ...] = HOURS
    """How long it may last."""


TROUBLES: Mapping[str, Trouble] = {
    # Between us and the shop.
    "throttled": Trouble({"cost_maximum": 120.0, "cost_restore": 4.0}),
    "server errors": Trouble({"server_errors": 0.5}),
    "bad wire": Trouble(wire={"refused": 0.2, "unanswered": 0.2}),
    "slow search": Trouble({"search_lag": 90.0}),
    # Bulk operations; an import or a reconcile of these hours meets them.
    "bulk refused": Trouble({"refuse": True}, act="import_again"),
    "bulk partial": Trouble({"partial": True}, act="import_again"),
    "bulk stalled": Trouble({"stall": True}, act="import_again", chance=0.15),
    "bulk link expired": Trouble({"expire": True}, act="import_again", chance=0.15),
    "bulk short": Trouble({"wrong_count": 2}, act="import_again"),
    "bulk breaks off": Trouble({"drop_connection_after_bytes": 20_000}, act="import_again"),
    # On our side.
    "database gone": Trouble(wire={"database": 0.5}, chance=0.25),
    "worker suspended": Trouble(act="suspend_worker"),
    "clock ahead": Trouble(act="put_clock_forward", chance=0.2),
    "clock behind": Trouble(act="put_clock_back", chance=0.2),
    "import": Trouble(act="import_again"),
    # In the shop.
    "doorbells": Trouble(act="ring_some", chance=0.8),
    "merges fail": Trouble({"merge_fails": True}, act="merge_some"),
    "merges": Trouble(act="merge_some", chance=0.6),
    "buyers merge": Trouble(act="merge_buyers", chance=0.7, hours=(1.0, 4.0, 12.0)),
    "erasures": Trouble(act="redact_some", chance=0.4),
    # What a person must do something about.
    "token revoked": Trouble(act="revoke_token", chance=0.2),
    "poison": Trouble(act="poison"),
    "merge without end": Trouble(act="merge_without_end", chance=0.25),
    # What we cannot learn of before a reconcile.
    "losses": Trouble({"lose": 0.6}, withholds=True, chance=0.5),
    "merges unheard": Trouble({"lose": 1.0}, act="merge_some", withholds=True, chance=0.4),
    "many deletions unheard": Trouble({"lose": 1.0}, act="delete_many", withholds=True, chance=0.4),
    "lines cannot be read": Trouble({"corrupt_lines": 3}, act="import_again", withholds=True, chance=0.4),
    "bodies cannot be read": Trouble(act="garble", withholds=True, chance=0.4),
    "values are denied": Trouble({"protected_denied": True}, withholds=True),
    # Long enough for the hourly watch to meet it, and often, since half of all seeds have no hourly watch.
    "scope is missing": Trouble({"scopes": []}, withholds=True, chance=0.6, hours=(1.2, 2.0, 4.0)),
    "subscriptions dropped": Trouble(act="drop_subscriptions", withholds=True),
}


USUAL: Mapping[str, Sequence[Any]] = {
    "duplicate": (0.0, 0.1, 0.3),
    "reorder": (0.0, 0.2, 0.5),
    "delay": (0.0, 2.0, 600.0, 3 * HOUR_S),
    "lose": (0.0, 0.03, 0.1, 0.3),
    "bulk_seconds": (1.0, 30.0, 900.0),
    "token_seconds": (600, 3_600, 86_399),
    "merge_seconds": (0.0, 20.0, 1_200.0),
    # Shopify does not document any of these, so that each may be so or not.
    "tags_touch": (False, True),
    "merge_tells_update": (False, True),
    "merge_tells_delete": (False, True),
    "merge_tells_orders": (False, True),
    "refund_lowers_subtotal": (False, True),
    "empty_refunds": (False, True),
}
"""What each switch of the sandbox may be outside of any trouble; nothing is lost where nothing is withheld."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Some hours of trouble."""

    name: str
    begins_s: float
    lasts_s: float

    @property
    def trouble(self) -> Trouble:
        """What is wrong then."""
        return TROUBLES[self.name]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One seed's scenario."""

    seed: int
    customers: int
    events: int
    crashes: int
    usual: Mapping[str, Any]
    """The shop's switches outside of any trouble."""
    phases: tuple[Phase, ...]
    withheld: bool
    """Whether anything keeps us from learning of a change. If not, all must be equal before any reconcile."""
    has_schedules: bool
    """Whether the hourly and nightly work is done meanwhile, or only asked for at the end."""
    grants: bool
    """Whether our app asks for its tokens itself, again and again, or was given one for good."""
    latency_s: float
    """The most that a request to the shop takes, one way."""
    skew_s: float
    """How far our clock is ahead of the shop's."""
    programme: tuple[Rules, Rules]
    """The rules of the shop's programme, and those that they are changed to."""
    rules_change_s: float
    seconds: float = DAYS_S


def drawn(seed: int, events: int) -> Scenario:
    """The scenario of a seed."""

    def stream(name: str) -> Random:
        return Random(f"{seed}/scenario/{name}")

    withheld = stream("withheld").random() < 0.65
    phases = [phase for name in TROUBLES if (phase := _phase(seed, name, withheld)) is not None]
    return Scenario(
        seed=seed,
        customers=stream("customers").randint(70, 140),
        events=events,
        crashes=stream("crashes").randint(3, 14),
        usual={name: stream(name).choice(values) for name, values in USUAL.items() if withheld or name != "lose"},
        phases=tuple(phases),
        withheld=withheld,
        has_schedules=stream("has_schedules").random() < 0.5,
        grants=stream("grants").random() < 0.5,
        latency_s=stream("latency_s").choice((0.1, 1.0, 6.0)),
        skew_s=stream("skew_s").choice((0.0, 0.0, 0.7, -0.7, 5.0, -5.0)),
        programme=drawn_rules(seed),
        rules_change_s=stream("rules_change_s").uniform(6 * HOUR_S, LATEST_S),
    )


def _phase(seed: int, name: str, withheld: bool) -> Phase | None:
    """When a trouble is met in a seed; None if it is not."""
    rng, trouble = Random(f"{seed}/trouble/{name}"), TROUBLES[name]
    chance, begins, lasts = rng.random(), rng.random(), rng.random()
    if chance >= trouble.chance or (trouble.withholds and not withheld):
        return None
    return Phase(name, begins * LATEST_S, trouble.hours[int(lasts * len(trouble.hours))] * HOUR_S)
