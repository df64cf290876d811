"""The act of the demo's story about points: a programme is set, points are earned, merged and spent.

Two records of one person each have 100 points, of which 50 are for signing up: merged they have 150, and the receipt
says what was dropped and why. All figures are worked out by hand here.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onewriter.bench.story_checks import Check
from onewriter.rules.merging import ONCE, SAME_ORDER

RULES = """\
currency = "USD"
[signup]
points = 50
[order]
points_per_unit = 1
"""
EACH, TOGETHER, SPENT = 100, 150, 120
"""What each of the two has before the merge, what both have after it, and how much of that is redeemed."""
SIGNUP = 50


@dataclass(frozen=True, slots=True)
class Hands:
    """What the story does on the stage: types and asks our commands, and acts in the shop."""

    say: Callable[[str], None]
    type: Callable[..., Any]
    ask: Callable[..., Any]
    shop: Callable[..., Any]
    settle: Callable[[], None]


@dataclass
class Points:
    """One telling of the act, after everything else has grown quiet."""

    hands: Hands
    folder: Path
    pair: list[int] = field(default_factory=list)
    """The two records of one person, by Shopify's number."""
    kept: int = 0

    def tell(self) -> list[Check]:
        """Tell it; returns what was checked, in order."""
        self.hands.say(
            "\nThe shop gets a programme. A person signs up twice, by two addresses, orders each time, and is refunded "
            "in part."
        )
        self._set_rules()
        self._earn()
        self.hands.say("\nEach record has 100 points now. The merchant merges the two in Shopify.")
        self._merge()
        who = str(self.kept)
        self.hands.type("points", "show", who)
        self.hands.type("merge", "show", who)
        self.hands.type("points", "redeem", who, str(SPENT), "--key", "teapot-1", "--why", "teapot")
        receipts = self.hands.ask("merge", "show", who)
        account = self.hands.ask("points", "show", who)["account"]
        return [*_check_merge(receipts), _check_spent(account), _check_audit(self.hands.ask("points", "audit"))]

    # ---- What happens

    def _set_rules(self) -> None:
        file = self.folder / "programme.toml"
        file.write_text(RULES)
        self.hands.type("programme", "set", str(file), "--yes", shown=f"programme set {file.name} --yes")
        # Rules count from the next whole second on.
        time.sleep(1)

    def _earn(self) -> None:
        # Nothing is lost from here on: what is shown is sums, and a reconcile has been shown already.
        self.hands.shop("faults", lose=0, delay=0)
        for number in (1, 2):
            given = {"first_name": "Robin", "email": f"robin{number}@example.com"}
            self.pair.append(self.hands.shop("act", action="create", input=given)["id"])
        first, second = self.pair
        order = self.hands.shop("act", action="order", id=first, input={"total_cents": 70_00})
        self.hands.shop("act", action="refund", id=order["id"], input={"cents": 20_00})
        self.hands.shop("act", action="order", id=second, input={"total_cents": 50_00})
        self.hands.settle()

    def _merge(self) -> None:
        first, second = self.pair
        self.kept = self.hands.shop("act", action="merge", id=first, input={"with": second})["id"]
        self.hands.settle()


# ---- What is so -----------------------------------------------------------------------------------------------------


def _check_merge(receipts: Sequence[dict[str, Any]]) -> list[Check]:
    """One receipt: what each had and what both have, the signup that was dropped, and why.

    Shopify gives the orders to the kept record at once. Where they are read before we hear of the merge, both have them
    for a moment, and the receipt drops those as well: what each had of its own is without them.
    """
    dropped = [each for receipt in receipts for each in receipt["dropped"]]
    twice = sum(each["points"] for each in dropped if each["why"] == SAME_ORDER)
    balances = [receipt[side]["balance"] for receipt in receipts for side in ("deleted", "kept", "after")]
    balances[1:2] = [balance - twice for balance in balances[1:2]]
    held = balances == [EACH, EACH, TOGETHER] and receipts[0]["after"]["earned"] == TOGETHER
    signups = [each for each in dropped if each["why"] != SAME_ORDER]
    told = [(each["rule"], each["points"], each["why"]) for each in signups] == [("signup", SIGNUP, ONCE)]
    seen = ", ".join(f"{each['points']} of {each['rule']}: {each['why']}" for each in signups)
    became = " and ".join(map(str, balances[:-1])) + f" became {balances[-1]}" if balances else "no receipt"
    return [
        Check("Merged, two records lose nothing but the second signup", held, became),
        Check("The receipt of the merge says what was dropped, and why", told, seen or "nothing dropped"),
    ]


def _check_spent(account: dict[str, int]) -> Check:
    left = account["balance"]
    held = left == TOGETHER - SPENT and account["earned"] == TOGETHER
    return Check("What was redeemed is spent, and the rest is there", held, f"{SPENT} of {TOGETHER} spent, {left} left")


def _check_audit(found: dict[str, Any]) -> Check:
    different = len(found["differences"])
    held = found["entries"] > 0 and not different
    seen = f"{found['entries']} entries, {different} differences"
    return Check("Worked out anew from its entries, every balance is the same", held, seen)
