"""Settings and master keys, as people and programs are shown them: never a secret."""

from typing_extensions import TypedDict

from onewriter import settings as known
from onewriter.customers.people import Role
from onewriter.desk.caller import Caller
from onewriter.records import iso
from onewriter.vault import rewrap
from onewriter.vault.standing import Standing, standings


class SettingDocument(TypedDict):
    """A setting, its value and where it is from; a secret shows as ***."""

    name: str
    variable: str
    value: str | int
    source: str
    default: str | int
    unit: str
    help: str
    secret: bool


class MasterKeyDocument(TypedDict):
    """A master key by its fingerprint, and how many keys of each kind it wraps."""

    id: str
    state: str
    made_at: str | None
    retired_at: str | None
    keys: dict[str, int]
    may_go: bool


def listed(caller: Caller) -> list[SettingDocument]:
    """Every setting that is in force."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
    return documents(caller.runtime.settings)


def documents(found: known.Settings) -> list[SettingDocument]:
    """Every setting as a document."""
    shown = found.shown()
    return [
        {
            "name": each.name,
            "variable": each.variable,
            "value": shown[each.name],
            "source": found.sources[each.name],
            "default": each.default,
            "unit": each.unit,
            "help": each.help,
            "secret": each.secret,
        }
        for each in known.SETTINGS
    ]


def master_keys(caller: Caller) -> list[MasterKeyDocument]:
    """Every master key that is here or that the key store knows of, the current one first."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
    with caller.runtime.key_database.read() as keys:
        return [master_key(each) for each in standings(keys, caller.runtime.keys)]


def master_key(one: Standing) -> MasterKeyDocument:
    """A master key as a document."""
    return {
        "id": one.id,
        "state": one.state,
        "made_at": iso(one.made_at),
        "retired_at": iso(one.retired_at),
        "keys": {name: one.counts[name] for name in rewrap.NAMES},
        "may_go": one.may_go,
    }
