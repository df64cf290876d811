"""People: who may see what and change what here. Giving and taking roles is an owner's task, and in the access log."""

from typing_extensions import TypedDict

from onewriter.customers import people
from onewriter.customers.access import PEOPLE
from onewriter.customers.people import Person, Role
from onewriter.desk.caller import About, Caller
from onewriter.errors import BadInput
from onewriter.records import iso


class PersonDocument(TypedDict):
    """Somebody with a role."""

    name: str
    role: str
    since: str | None
    set_by: str


class Removed(TypedDict):
    """Somebody who has no role any more."""

    name: str
    role: None


def _document(person: Person) -> PersonDocument:
    return {"name": person.name, "role": person.role.value, "since": iso(person.since), "set_by": person.set_by}


def listed(caller: Caller) -> list[PersonDocument]:
    """Everybody with a role, by name."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return [_document(person) for person in people.every(db)]


def set_role(caller: Caller, name: str, role: Role) -> PersonDocument:
    """Give somebody a role, in place of the one they have; there must always be an owner."""
    who = full_name(name)
    caller.permit(Role.OWNER, PEOPLE, [About(subject=f"set {who} to {role}")])
    with caller.runtime.database.write() as db:
        people.give(db, caller.who, who, role, caller.now)
        [found] = [each for each in people.every(db) if each.name == who]
    return _document(found)


def remove(caller: Caller, name: str) -> Removed:
    """Take a role away from somebody, who is a viewer from then on, and can log in to the pages no more."""
    who = full_name(name)
    caller.permit(Role.OWNER, PEOPLE, [About(subject=f"remove {who}")])
    with caller.runtime.database.write() as db:
        people.remove(db, who)
    return {"name": who, "role": None}


def full_name(given: str) -> str:
    """The name as it is recorded; raises BadInput for what can be none."""
    try:
        return people.full_name(given)
    except ValueError as error:
        raise BadInput(f"{str(error).capitalize()}.", "name") from None
