"""The act of the demo's story about cases: three things go wrong in the CRM, and each is named, mended and proved.

A transform loses the accents of last names, a tool of the CRM writes over first names which Shopify owns, and one
customer has a second record that keeps the first from its new number. What is claimed of the cases is what the commands
say; what is claimed of the records is looked up in the CRM's own file and in the shop's own account.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from onewriter.bench.story_checks import Check
from onewriter.bench.story_points import Hands
from onewriter.bench.story_systems import NAME, Systems

CAUSES = {"last_name": "transform_lossy", "first_name": "two_writers", "phone": "identity_split"}
"""Field: the cause that was planted there."""
LOSSY, GREETED, DOUBLED = CAUSES
GREETED_COUNT = 5
TIMES = 2
"""How often the tool writes its greeting before anybody asks why."""
NUMBER, OTHER_NUMBER = "+12025550178", "+12025550143"
"""Numbers that nobody can have."""
UNTOUCHED = 3
"""So many of the first customers were edited in the act before."""
TRIED = {"first_name": "Renée", "last_name": "Ångström", "phone": OTHER_NUMBER}
"""The fresh edit of somebody else, by which a fix is proved."""
VERIFIED = "verified"


@dataclass
class Cases:
    """One telling of the act, in the shop and the CRM of the act before."""

    hands: Hands
    systems: Systems
    numbers: dict[str, str] = field(default_factory=dict)
    """Field: the number of its case."""
    _doubled: int = 0
    """Whose record the CRM has twice, by place among those whom it knows."""
    _second: int = 0
    """The CRM's number of the second record."""
    _greeted: list[int] = field(default_factory=list)
    _tried: int = 0
    """Who is edited to see whether a fix holds for others too."""

    def tell(self) -> list[Check]:
        """Tell it; returns what was checked, in order."""
        self.hands.say(
            "\nThree things go wrong in the CRM: somebody has last names written without accents, a mailing tool keeps "
            "writing its greeting over first names, and sales makes a second record of a customer who has a new number."
        )
        self._choose()
        self._plant()
        named = self._audit()
        if len(self.numbers) < len(CAUSES):
            return [named]
        self._mend()
        return [named, *self._prove(), self._audit_again()]

    def leave_open(self) -> None:
        """Have one more thing go wrong, which is left to whoever looks at the pages."""
        self.hands.say(
            "\nOne more thing goes wrong and is left so: somebody has first names written without accents too."
        )
        why = ("--why", "a label printer for first names")
        self.hands.type("fields", "map", NAME, GREETED, "--remote", "first", "--transform", "ascii", *why, "--yes")
        self.systems.answer(NAME, begin=True)
        self.hands.type("audit", "run", "--system", NAME, "--wait")

    # ---- What happens

    def _choose(self) -> None:
        """Who is concerned, out of those whom nobody has edited yet."""
        shown, known = self.systems.truth(), self.systems.known
        places = [place for place in range(UNTOUCHED, len(known)) if shown[known[place]]["first_name"]]
        plain = [place for place in places if shown[known[place]]["last_name"].isascii()]
        self._doubled = next(place for place in plain if not shown[known[place]]["phone"])
        self._greeted = [place for place in places if place != self._doubled][:GREETED_COUNT]
        self._tried = next(place for place in plain if place not in (self._doubled, *self._greeted))

    def _plant(self) -> None:
        crm, known = self.systems.crm, self.systems.known
        why = ("--why", "the label printer knows no accents")
        self.hands.type("fields", "map", NAME, LOSSY, "--remote", "last", "--transform", "ascii", *why, "--yes")
        # As many a CRM, this one keeps a number once.
        crm.keep_once("mobile")
        person = crm.people()[self._doubled + 1]
        self._second = crm.add(mobile=NUMBER, first=person["first"], last=person["last"], tier=person["tier"])
        self.hands.shop("act", action="update", id=known[self._doubled], input={"phone": NUMBER})
        self.hands.settle()
        self._greet()
        self.systems.answer(NAME, begin=True)
        for _again in range(TIMES - 1):
            self._greet()
            self.hands.type("systems", "cycle", NAME, "--wait")

    def _greet(self) -> None:
        """The tool of the CRM writes what it needs where it should not."""
        shown, known = self.systems.truth(), self.systems.known
        for place in self._greeted:
            self.systems.crm.edit(place + 1, first=f"Dear {shown[known[place]]['first_name']}")

    def _audit(self) -> Check:
        self.hands.type("audit", "run", "--system", NAME, "--wait")
        self.hands.type("cases", "list")
        found: Sequence[Mapping[str, Any]] = self.hands.ask("cases", "list")
        named = {each["field"]: each["cause"] for each in found}
        self.numbers = {each["field"]: str(each["number"]) for each in found if each["field"] in CAUSES}
        for number in self.numbers.values():
            self.hands.type("cases", "show", number)
        sure = all(each["asserted"] for each in found)
        return Check(
            "Each of the three is a case, and each is called by its cause",
            named == CAUSES and len(found) == len(CAUSES) and sure,
            ", ".join(sorted(str(cause) for cause in named.values())) or "no case",
        )

    def _mend(self) -> None:
        """Mend each as its case advises."""
        lossy, greeted, doubled = (self.numbers[name] for name in CAUSES)
        why = ("--why", "another printer")
        self.hands.type("cases", "fix", lossy, "--do", "map", "--transform", "same", *why, "--yes")
        self.hands.say("\nThe mailing tool gets a column of its own, and sales merges the two records into the first.")
        self.systems.crm.drop(self._second)
        self.systems.crm.edit(self._doubled + 1, mobile=NUMBER)
        self.hands.type("cases", "fix", greeted, "--done", "the mailing tool writes to a column of its own")
        self.hands.type("cases", "fix", doubled, "--done", "sales merged the two records")

    def _prove(self) -> list[Check]:
        """Have somebody else edited in each of the fields, and let what is awaited pass."""
        self.hands.say("\nA fix has held when a full cycle has passed, and a fresh edit of somebody else is right too.")
        self.hands.shop("act", action="update", id=self.systems.known[self._tried], input=TRIED)
        self.hands.settle()
        lossy = self.numbers[LOSSY]
        self.hands.type("cases", "verify", lossy, "--now")
        self.systems.answer(NAME)
        before = self._states()
        self.hands.type("cases", "verify", lossy, "--now")
        # What was read for one proves the others too.
        after = self._states()
        right, known = self._right(), len(self.systems.known)
        return [
            Check("None is verified before both sides were read again", VERIFIED not in before.values(), _told(before)),
            Check("After that and a fresh edit each is verified", {*after.values()} == {VERIFIED}, _told(after)),
            Check("The CRM has of every customer what the shop has", right == known, f"{right} of {known}"),
        ]

    def _audit_again(self) -> Check:
        self.hands.type("audit", "run", "--system", NAME, "--wait")
        self.hands.type("cases", "list", "--all")
        states = self._states()
        held = states == dict.fromkeys(self.numbers.values(), VERIFIED)
        return Check("Another audit finds nothing, and nothing has come back", held, _told(states))

    # ---- What is so

    def _states(self) -> dict[str, str]:
        """How far each case is, by its number."""
        return {str(each["number"]): each["state"] for each in self.hands.ask("cases", "list", "--all")}

    def _right(self) -> int:
        """How many of the customers whom the CRM knows are there as in the shop, with a number that nobody else has."""
        people, shown = self.systems.crm.people(), self.systems.truth()
        held = Counter(_digits(record["mobile"]) for record in people.values() if record["mobile"])
        return sum(
            _is_right(people[place], shown[number]) and held[_digits(shown[number]["phone"])] <= 1
            for place, number in enumerate(self.systems.known, 1)
        )


def _told(states: Mapping[str, str]) -> str:
    counted = Counter(states.values())
    return ", ".join(f"{count} {state}" for state, count in sorted(counted.items())) or "no case"


def _is_right(record: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    names = (record["first"], record["last"]) == (customer["first_name"], customer["last_name"])
    return names and _digits(record["mobile"]) == _digits(customer["phone"])


def _digits(number: str | None) -> str | None:
    """A number without what stands between its digits, and without its country."""
    return "".join(filter(str.isdigit, number))[-10:] if number else None
