"""A living shop with one fault: its life from the first customer to the evidence."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from onewriter.bench.living.catalogue import FAULTS
from onewriter.bench.living.faults import Fault, Planted, carried, write
from onewriter.bench.living.shop import LivingShop, living, usual_policy
from onewriter.bench.living.telling import evidence_of
from onewriter.bench.living.values import fresh, person
from onewriter.rules.diagnosis.evidence import Evidence

FOLDER = Path("/dev/shm")  # noqa: S108 - folders of ours within it, made as all temporary ones are
"""A folder in memory, where there is one: what is measured is no disk."""
FIRST = 101


@dataclass(frozen=True, slots=True)
class Lived:
    """One shop's evidence, and what is true of it."""

    evidence: Evidence
    cause: str
    field: str
    people: frozenset[str]
    """The customers concerned, by Shopify's number; empty for all."""


def lived(seed: int, fault: Fault) -> Lived:
    """Let one shop live."""
    rng = Random(f"{seed}/{fault.cause}/{fault.fields}")
    folder = str(FOLDER) if FOLDER.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder, prefix="onewriter-living-") as place, living(Path(place), rng) as shop:
        it = _settled(shop, fault, rng)
        _grown(shop, fault, it)
        policy = None if fault.told is None else usual_policy(fault.told(it.field), {})
        evidence = evidence_of(shop, policy, it.runs)
        evidence.links = [*(evidence.links or ()), *it.links]
        evidence.reports = it.reports
        return Lived(evidence, fault.cause, it.field, frozenset(map(str, it.hit)))


def _settled(shop: LivingShop, fault: Fault, rng: Random) -> Planted:
    """The shop with all its people, in step with the CRM but for what is set up wrongly from the beginning."""
    people = range(FIRST, FIRST + rng.randint(16, 48))
    it = Planted(fault.cause, rng.choice(list(fault.fields)), people, rng)
    for number in people:
        fields = person(rng, number)
        if fault.value is not None:
            fields[it.field] = fault.value(rng, number)
        shop.edit("customer", number, **fields)
    if fault.begins is not None:
        fault.begins(shop, it)
    shop.connect(fault.maps(it.field), fault.rules(it.field))
    shop.cycle(looked=False)
    if fault.maps(it.field) and fault.cause in ("partial_import", "identity_split", "wrong_direction"):
        carried(shop, it)
    shop.cycle()
    return it


def _grown(shop: LivingShop, fault: Fault, it: Planted) -> None:
    """Some cycles of ordinary life, with the fault in it from some cycle on."""
    cycles = it.rng.randint(2, 5)
    begins = it.rng.randint(0, max(0, cycles - 2))
    for cycle in range(cycles):
        if cycle == begins and fault.starts is not None:
            fault.starts(shop, it)
        _ordinary(shop, it)
        shop.cycle()
        if cycle >= begins and fault.nightly is not None:
            fault.nightly(shop, it)
    if fault.ends is not None:
        fault.ends(shop, it)


def _ordinary(shop: LivingShop, it: Planted) -> None:
    """What happens in any shop: people edit their own, and now and then somebody edits the CRM."""
    rng = it.rng
    for number in rng.sample([each for each in it.people if each not in shop.gone], rng.randint(0, 3)):
        name = rng.choice(("first_name", "phone", "locale"))
        if name != it.field:
            shop.edit("customer", number, **{name: fresh(rng, name, number)})
    if rng.random() < 0.3:
        name = rng.choice([each for each in ("last_name", "locale") if each != it.field])
        write(shop, replace(it, field=name), "user:bo", {rng.choice(list(it.people)): fresh(rng, name, 1)})


def made(stores: int, seed: int, cause: str | None = None) -> Iterator[Lived]:
    """So many shops, each cause as often as the others."""
    faults: dict[str, list[Fault]] = {}
    for fault in FAULTS:
        faults.setdefault(fault.cause, []).append(fault)
    causes = [each for each in faults if cause in (None, each)]
    for place in range(stores):
        several = faults[causes[place % len(causes)]]
        yield lived(seed * 1_000_000 + place, several[(place // len(causes)) % len(several)])
