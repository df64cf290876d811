"""What is heard back of our own writes: an echo names its writer, and what is no echo may still be nobody's edit.

A system that writes every value in capitals, or cuts it, says something that nobody typed. It is told from an edit by
when it was read, straight after the write; or, where the process that wrote has died, by how it looks.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import expected
from onewriter.customers.log import LogLine
from onewriter.customers.owned import Owned
from onewriter.customers.remote import Remote
from onewriter.intake.reading import Reading
from onewriter.records import Path
from onewriter.rules import mapping
from onewriter.rules.policy import ONEWRITER, Direction
from onewriter.rules.settling import Settled
from onewriter.vault.seal import SubjectKey


def just_written(db: Connection, reading: Reading, names: Sequence[str]) -> dict[str, set[str]]:
    """The fields of these records that this cycle has written and not read back yet; only of fields that several write,
    since what is made of any other can never win. Of a cycle that was taken up again, what it wrote before is not here.
    """
    if all(each.direction is not Direction.BOTH for each in reading.policy.maps(reading.system).values()):
        return {}
    return expected.made_since(db, reading.vault.shop_id, reading.system, names, reading.began)


def echoes(reading: Reading, customer: Owned, one: Remote, wanted: Mapping[str, bytes]) -> set[str]:
    """The fields in which the record says just what we wrote there, whoever it was that heard of it first."""
    maps = reading.policy.maps(reading.system)
    return {
        name
        for name, digest in wanted.items()
        if name in maps and customer.key.digest(one.fields.get(maps[name].remote)) == digest
    }


def unmet(
    reading: Reading,
    customer: Owned,
    one: Remote,
    wanted: Mapping[str, bytes],
    just: Collection[str],
    met: Collection[str],
) -> set[str]:
    """The fields in which the record says what the system made of our write, and nobody typed."""
    maps = reading.policy.maps(reading.system)
    shared = {name for name in wanted if name in maps and maps[name].direction is Direction.BOTH} - set(met)
    return {name for name in shared if name in just or _may_be_made_of_ours(reading, customer, one, name, wanted[name])}


def _may_be_made_of_ours(reading: Reading, customer: Owned, one: Remote, name: str, digest: bytes) -> bool:
    """Whether it looks like what we wrote a while ago; of what is not the customer's value any more nobody can tell."""
    each = reading.policy.maps(reading.system)[name]
    written = mapping.outward(name, each, mapping.own_value(name, customer.fields))
    is_the_same_still = not isinstance(written, mapping.Unfit) and customer.key.digest(written) == digest
    return not is_the_same_still or mapping.is_made_of(one.fields.get(each.remote), written)


def lines(
    reading: Reading,
    customer: Owned,
    held: Mapping[str, Any],
    one: Remote,
    wanted: Collection[str],
    settled: Settled,
) -> list[tuple[bytes, SubjectKey, LogLine]]:
    """The line of what we wrote there ourselves, now that it is read back: only then is it known to be there.

    The system may write it in a form of its own; it is what we wrote as long as it means the same.
    """
    maps = reading.policy.maps(reading.system)
    remotes = {name: maps[name].remote for name in sorted(settled.level & set(wanted))}
    written = {name: there for name, there in remotes.items() if held.get(there) != one.fields.get(there)}
    if not written:
        return []
    line = LogLine(
        tuple(written), Path.SEND, one.changed, run_id=reading.run_id, system=reading.system, writer=ONEWRITER,
        old={name: held.get(there) for name, there in written.items()},
        new={name: one.fields.get(there) for name, there in written.items()}, kept=True,
    )  # fmt: skip
    return [(customer.id, customer.key, line)]
