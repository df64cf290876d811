"""The act of the demo's story about connected systems: a CRM is connected, and each field keeps its one writer.

The CRM owns the tier of customers and the tags that begin with `vip:`; Shopify owns the rest. Both sides are edited.
All that is claimed is looked up in the CRM's own file and in the shop's own account, never through our client.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onewriter.bench.crm import LocalCrm, written_otherwise
from onewriter.bench.story_checks import Check
from onewriter.bench.story_points import Hands
from onewriter.errors import Permanent

PEOPLE, STRANGERS = 60, 20
"""How many of the shop's customers the CRM knows, and how many people beside them."""
NAME = "crm"
VIP = "tags[vip:*]"
TIER = "custom.tier"
OWNED = (TIER, VIP)
MAPPED = (
    ("shopify_id", "shop_no"), ("email", "mail"), ("phone", "mobile"), ("first_name", "first"), ("last_name", "last"),
    (TIER, "tier"),
)  # fmt: skip
WHY = ("--why", "agreed with sales")
AGREED_S = 120.0
WRONG = "Changed by hand"


class NoCycle(Permanent):
    """A cycle that must begin by itself did not."""


@dataclass
class Systems:
    """One telling of the act. `truth` is the shop's own account of its customers, by Shopify's number."""

    hands: Hands
    folder: Path
    truth: Any
    crm: LocalCrm = field(init=False)
    known: list[int] = field(default_factory=list)
    """Those customers whom the CRM knows; the CRM's numbers are their places, from 1 on."""

    def __post_init__(self) -> None:
        self.crm = LocalCrm(self.folder / "crm.db")

    def tell(self) -> list[Check]:
        """Tell it; returns what was checked, in order."""
        self.hands.say(
            f"\nThe shop's CRM is connected: a database of {PEOPLE} of the shop's customers, who are written otherwise "
            f"there, {STRANGERS} strangers, and one of the same name as a customer."
        )
        self._connect()
        return [self._ask_first(), *self._agree(), *self._edit_both()]

    # ---- What happens

    def _connect(self) -> None:
        shown = self.truth()
        self.known = [number for number, row in sorted(shown.items()) if row["email"] and row["last_name"]][:PEOPLE]
        people = [written_otherwise(shown[number], place) for place, number in enumerate(self.known)]
        people += [{"mail": f"stranger{each}@example.net", "first": "Sam", "last": "Roe"} for each in range(STRANGERS)]
        namesake = shown[self.known[0]]
        people.append({"mail": "namesake@example.net", "first": namesake["first_name"], "last": namesake["last_name"]})
        self.crm.make(people)
        settings = self.folder / "crm.toml"
        settings.write_text(self.crm.settings)
        words = ("systems", "add", NAME, "--kind", "sql", "--no-create", "--config")
        self.hands.type(*words, str(settings), shown=" ".join((*words, settings.name)))
        for name in OWNED:
            self.hands.type("fields", "own", name, NAME, *WHY, "--yes")
        for name, remote in MAPPED:
            self.hands.type("fields", "map", NAME, name, "--remote", remote, *WHY, "--yes")
        self.hands.type("fields", "map", NAME, VIP, "--remote", "labels", "--transform", "joined", *WHY, "--yes")
        # Shopify takes part in its own fields and in tags by itself; a metafield of another's is mapped like any field.
        self.hands.type("fields", "map", "shopify", TIER, *WHY, "--yes")
        self.hands.type("systems", "check", NAME)

    def _ask_first(self) -> Check:
        before = self.crm.people()
        self.hands.type("systems", "cycle", NAME, "--wait")
        asked = self.hands.ask("questions", "list")
        held = len(asked) == 1 and self.crm.people() == before
        return Check("The first cycle of a system asks, and writes nothing", held, f"{len(asked)} question")

    def _agree(self) -> list[Check]:
        self.answer(NAME)
        self.hands.type("runs", "show")
        self.answer("shopify", begin=True)
        self.hands.type("runs", "show")
        people, shown = self.crm.people(), self.truth()
        numbers = {place + 1: number for place, number in enumerate(self.known)}
        linked = {number: row["shop_no"] for number, row in people.items() if row["shop_no"]}
        right = linked == {number: str(customer) for number, customer in numbers.items()}
        told = sum(_has_tier(shown[customer], people[number]) for number, customer in numbers.items())
        return [
            Check(
                "The CRM's people are told apart: who is a customer has the number, nobody else", right,
                f"{len(linked)} of {len(people)} linked",
            ),
            Check(
                "What the CRM owns is in the shop, and what the shop owns in the CRM",
                told == len(numbers) and all(_is_told(shown[one], people[number]) for number, one in numbers.items()),
                f"{told} tiers in the shop",
            ),
        ]  # fmt: skip

    def _edit_both(self) -> list[Check]:
        self.hands.say("\nNow both sides are edited: the shop its own field, and the CRM its own, and one that is not.")
        first, second, third = self.known[:3]
        self.hands.shop("act", action="update", id=first, input={"first_name": "Annemarie"})
        self.hands.settle()
        self.crm.edit(2, tier="platinum")
        self.crm.edit(3, first=WRONG)
        self.hands.type("systems", "cycle", NAME, "--wait")
        self.hands.type("parked", "list")
        # Shopify is told by itself, a few seconds later.
        deadline = time.monotonic() + AGREED_S
        while (self.truth()[second]["metafields"] or {}).get(TIER) != "platinum" and time.monotonic() < deadline:
            time.sleep(1)
        people, shown = self.crm.people(), self.truth()
        parked = [(each["system"], each["field"]) for each in self.hands.ask("parked", "list")]
        tier = (shown[second]["metafields"] or {}).get(TIER)
        put_right = people[3]["first"] == shown[third]["first_name"] != WRONG
        return [
            Check("An edit in the shop is in the CRM", people[1]["first"] == "Annemarie", str(people[1]["shop_no"])),
            Check("An edit of the CRM's own field is in the shop", tier == "platinum", f"the tier is {tier}"),
            Check(
                "An edit of a field that is not the CRM's is refused, and put right there", put_right,
                "as the shop has it" if put_right else "differs",
            ),
            Check(
                "What was refused is parked, for a person to decide", (NAME, "first_name") in parked,
                f"{len(parked)} parked",
            ),
        ]  # fmt: skip

    # ---- Cycles that begin by themselves

    def answer(self, system: str, *, begin: bool = False) -> None:
        """Have a system's first cycle ask, agree to it, and wait for the cycle that begins by itself then."""
        if begin:
            self.hands.type("systems", "cycle", system, "--wait")
        newest = self._newest(system)
        for question in self.hands.ask("questions", "list"):
            self.hands.type("questions", "answer", str(question["id"]), "go on", *WHY)
        deadline = time.monotonic() + AGREED_S
        while self._newest(system) == newest:
            if time.monotonic() > deadline:
                raise NoCycle(f"No cycle of {system} ended within {AGREED_S:.0f} seconds.")
            time.sleep(1)

    def _newest(self, system: str) -> str | None:
        """The newest cycle of a system that is over, by its id."""
        runs: Sequence[Mapping[str, Any]] = self.hands.ask("runs", "list")
        return max((run["id"] for run in runs if run["kind"] == f"cycle {system}" and run["finished_at"]), default=None)


def _has_tier(customer: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    vip = [tag for tag in customer["tags"] if tag.startswith("vip:")]
    wanted = [record["labels"]] if record["labels"] else []
    return bool(customer["metafields"].get(TIER) == record["tier"] and vip == wanted)


def _is_told(customer: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    return (record["first"], record["last"]) == (customer["first_name"], customer["last_name"])
