"""One fault each: what somebody set up wrongly, wrote, lost or merged in a living shop, and when.

A fault is planted by its own mechanics and plays out by itself: a trigger in the CRM, a rule of the policy, a job that
writes at night, a delivery that is lost. What it leaves behind is for others to find.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from random import Random
from typing import Any

from onewriter.bench.living.crm import FIELDS
from onewriter.bench.living.shop import LivingShop
from onewriter.records import HOUR
from onewriter.rules.diagnosis.evidence import LinkOf, Report, RunOf
from onewriter.rules.policy import Direction, FieldMap, FieldRule

TEXTS = ("first_name", "last_name", "note")
Hook = Callable[[LivingShop, "Planted"], None]


@dataclass(slots=True)
class Planted:
    """A fault as it was planted: what is at fault, and whatever the evidence must be told beside the engine's."""

    cause: str
    field: str
    people: Sequence[int]
    """Everybody in the shop, by Shopify's number."""
    rng: Random
    hit: list[int] = field_of(default_factory=list)
    """Whom it concerns; empty for all."""
    runs: dict[str, RunOf] = field_of(default_factory=dict)
    links: list[LinkOf] = field_of(default_factory=list)
    reports: list[Report] = field_of(default_factory=list)
    memory: dict[int, Any] = field_of(default_factory=dict)
    """What a job of the fault remembers."""

    @property
    def column(self) -> str:
        """The CRM's column of the field."""
        return FIELDS[self.field]

    def some(self, least: float, most: float) -> list[int]:
        """Some of the people, by a share that is drawn."""
        count = max(1, round(len(self.people) * self.rng.uniform(least, most)))
        return sorted(self.rng.sample(list(self.people), count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How one cause is planted."""

    cause: str
    fields: Sequence[str] = TEXTS
    """The fields that it can hit; one is drawn."""
    maps: Callable[[str], Mapping[str, FieldMap]] = lambda name: {}
    """How the field is mapped from the beginning on."""
    told: Callable[[str], Mapping[str, FieldMap]] | None = None
    """How people say that it is mapped, where that is something else."""
    rules: Callable[[str], Mapping[str, FieldRule]] = lambda name: {}
    begins: Hook | None = None
    """Done before the first cycle."""
    starts: Hook | None = None
    """Done once everything has been in step."""
    nightly: Hook | None = None
    """Done after each cycle from then on, the last one too."""
    ends: Hook | None = None
    """Done after the last cycle."""
    value: Callable[[Random, int], Any] | None = None
    """What the shop holds in the field, where it must be of a kind."""


def numbers(shop: LivingShop) -> dict[int, int]:
    """The CRM's record of each customer, by the number that it keeps."""
    return {int(row["shop_no"]): number for number, row in shop.crm.people().items() if row["shop_no"]}


def write(shop: LivingShop, it: Planted, who: str, values: Mapping[int, Any], run: str | None = None) -> None:
    """Somebody writes the field into the CRM's records of these customers."""
    records = numbers(shop)
    for customer, value in values.items():
        if customer in records:
            shop.crm.edit(who, records[customer], run=run, **{it.column: value})


def out(name: str, **more: Any) -> dict[str, FieldMap]:
    """The field goes out to the CRM, in this way."""
    return {name: FieldMap(remote=FIELDS[name], direction=Direction.OUT, **more)}


def watched(name: str) -> dict[str, FieldMap]:
    """The field is compared and never written: somebody else carries it."""
    return {name: FieldMap(remote=FIELDS[name], direction=Direction.NONE)}


def spoil(how: str) -> Hook:
    """The CRM makes something else of whatever our connector writes; `how` is SQL over {0}, the column."""

    def begin(shop: LivingShop, it: Planted) -> None:
        made = how.format(f"NEW.{it.column}")
        act = f"UPDATE people SET {it.column} = {made} WHERE id = NEW.id AND {it.column} IS NOT {made};"
        shop.crm.script(
            f"CREATE TRIGGER spoil_i AFTER INSERT ON people WHEN (SELECT who FROM session) IS NULL BEGIN {act} END;"
            f"CREATE TRIGGER spoil_u AFTER UPDATE OF {it.column} ON people "
            f"WHEN (SELECT who FROM session) IS NULL AND NEW.{it.column} IS NOT {made} BEGIN {act} END;"
        )

    return begin


def job(who: str, value: Callable[[Random, Any], Any], least: float = 0.2, most: float = 0.8) -> Hook:
    """A machine that writes its own value of some customers, each night the same."""

    def write_own(shop: LivingShop, it: Planted) -> None:
        if not it.memory:
            it.hit = it.some(least, most)
            it.memory = {each: value(it.rng, shop.held[each].get(it.field)) for each in it.hit}
        write(shop, it, who, it.memory)

    return write_own


def imported(
    shop: LivingShop, it: Planted, values: Mapping[int, Any], *, state: str = "done", name: str = "i1"
) -> None:
    """A file is imported into the CRM."""
    began = shop.moment
    write(shop, it, "import", values, name)
    it.runs[name] = RunOf(
        id=name, kind="import", state=state, cycle=len(shop.runs) + 1, started=began, finished=began + HOUR
    )


def carried(shop: LivingShop, it: Planted, run: str | None = None) -> None:
    """The other connector, which carries what we only watch, brings everything into step."""
    write(shop, it, "connector", {each: shop.held[each].get(it.field) for each in it.people if each in shop.held}, run)
