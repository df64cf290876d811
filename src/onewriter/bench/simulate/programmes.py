"""The programme of a simulated shop: what a seed's rules are, as the merchant writes them and as they are recomputed.

Tags play no part in it, neither as exclusions nor for inactivity, and signing up asks for no account: tags and states
come and go between two reads, and no history of the shop could say which of them we have seen.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of a programme. Days that are None are never; `unit` is the points of one dollar."""

    signup: int
    signup_pending: int
    newsletter: int
    newsletter_pending: int
    unit: str
    on: str
    basis: str
    rounding: str
    minimum_cents: int
    order_pending: int
    after_days: int | None
    inactivity_days: int | None
    has_orders: bool = True

    @property
    def ends_points(self) -> bool:
        """Whether points end that are not spent."""
        return self.after_days is not None or self.inactivity_days is not None

    def points(self, base_cents: int, total_cents: int, left_cents: int) -> int:
        """What an order gives of which that much is left of its total."""
        if base_cents < self.minimum_cents or base_cents <= 0 or total_cents <= 0:
            return 0
        exact = Fraction(base_cents) * left_cents / total_cents * Fraction(self.unit) / 100
        whole, part = divmod(exact.numerator, exact.denominator)
        up = {"down": False, "up": part > 0, "nearest": 2 * part >= exact.denominator}
        return whole + up[self.rounding]

    def toml(self) -> str:
        """The file that sets these rules."""
        lines = [f'currency = "{CURRENCY}"', "[signup]", f"points = {self.signup}"]
        lines += [f"pending_days = {self.signup_pending}", "[newsletter]", f"points = {self.newsletter}"]
        lines += [f"pending_days = {self.newsletter_pending}"]
        if self.has_orders:
            lines += ["[order]", f'points_per_unit = "{self.unit}"', f'on = "{self.on}"', f'amount = "{self.basis}"']
            lines += [f'rounding = "{self.rounding}"', f'minimum = "{self.minimum_cents / 100:.2f}"']
            lines += [f"pending_days = {self.order_pending}"]
        if self.ends_points:
            lines.append("[expiry]")
            lines += [f"after_days = {self.after_days}"] if self.after_days else []
            lines += [f"inactivity_days = {self.inactivity_days}"] if self.inactivity_days else []
        return "\n".join(lines) + "\n"


def drawn_rules(seed: int) -> tuple[Rules, Rules]:
    """The rules that a seed begins with, and those that they are changed to.

    Inactivity is the same in both: which of its days a customer has lived through when they change is a matter of when
    its account was last looked at.
    """
    rng = Random(f"{seed}/programme")
    ends = rng.random() < 0.65
    first = replace(
        _version(rng, ends=ends, has_orders=True),
        inactivity_days=rng.choice((1, 2)) if ends and rng.random() < 0.4 else None,
    )
    second = replace(_version(rng, ends=ends, has_orders=rng.random() < 0.9), inactivity_days=first.inactivity_days)
    return first, second


def _version(rng: Random, *, ends: bool, has_orders: bool) -> Rules:
    return Rules(
        signup=rng.randint(20, 90),
        signup_pending=rng.choice((0, 0, 1)),
        newsletter=rng.randint(5, 40),
        newsletter_pending=rng.choice((0, 0, 1)),
        unit=rng.choice(("1", "0.5", "2", "0.37", "1.5")),
        on=rng.choice(("paid", "paid", "fulfilled")),
        basis=rng.choice(("total", "subtotal")),
        rounding=rng.choice(("down", "nearest", "up")),
        minimum_cents=rng.choice((0, 0, 2_000)),
        order_pending=rng.choice((0, 0, 1, 2, 3)),
        after_days=rng.choice((None, 1, 1, 2, 3)) if ends else None,
        inactivity_days=None,
        has_orders=has_orders,
    )
