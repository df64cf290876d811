"""Calling methods of one model of Odoo: JSON-2 from version 19 on, JSON-RPC before.

Odoo answers what went wrong with the name of a Python exception and a traceback. Only the name is looked at, and which
of our own fields the message speaks of; its words can quote a value and are passed on nowhere. A call that Odoo answers
with an exception of its rules or of its database was rolled back as a whole, whatever the status. Any other exception
is doubtful: what Odoo does behind a commit (mail, queues) fails in just the same form, and then all of it was written.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from onewriter.connectors.deadline import Endless
from onewriter.connectors.http import WAIT_MAX_S, Reply, Way, raise_whole
from onewriter.errors import SystemRefused, SystemThrottled, SystemUnreachable

JSON2_SINCE = 19
"""The first version of Odoo that answers JSON-2."""
TRIES_MAX = 4
CONTEXT = {"active_test": False}
"""Without it archived records are left out of every search, as if they were deleted."""

Trouble = Literal["gone", "right", "credentials", "field", "busy", "rule", "model"]

_NAMES: dict[str, Trouble] = {
    "odoo.exceptions.MissingError": "gone",
    "odoo.exceptions.AccessError": "right",
    "odoo.exceptions.AccessDenied": "credentials",
    "werkzeug.exceptions.Unauthorized": "credentials",
    "werkzeug.exceptions.Forbidden": "right",
    "werkzeug.exceptions.NotFound": "model",
    "odoo.exceptions.LockError": "busy",
    "odoo.exceptions.ConcurrencyError": "busy",
    "odoo.service.model.RetryableException": "busy",
    "psycopg2.errors.SerializationFailure": "busy",
    "psycopg2.errors.LockNotAvailable": "busy",
    "psycopg2.errors.DeadlockDetected": "busy",
    "psycopg2.errors.QueryCanceled": "busy",
    "psycopg2.OperationalError": "busy",
}
_DATA = (
    *("psycopg2.IntegrityError", "psycopg2.DataError"),
    *(
        f"psycopg2.errors.{name}"
        for name in (
            *("UniqueViolation", "NotNullViolation", "ForeignKeyViolation", "CheckViolation", "ExclusionViolation"),
            *("RestrictViolation", "StringDataRightTruncation", "NumericValueOutOfRange", "InvalidTextRepresentation"),
            *("InvalidDatetimeFormat", "DatetimeFieldOverflow", "CharacterNotInRepertoire", "UntranslatableCharacter"),
        )
    ),
)
"""What PostgreSQL says of a value, never of a connection."""
_ROLLED_BACK = frozenset((*_NAMES, *_DATA)) - {"psycopg2.OperationalError"}
"""Exceptions behind which nothing is left; a connection that is lost while it commits may have committed."""
_FIELD_NAMED = ("builtins.KeyError", "builtins.ValueError")
"""What Odoo's own fields raise, with the name of the field, before anything is written."""
_SERVER_ERROR = 500
WORDS: dict[Trouble, str] = {
    "gone": "the record is there no more",
    "right": "the user of the key has not the right to it in Odoo; give them one, such as Contact Creation",
    "credentials": "Odoo refuses the key; enter a valid one",
    "field": "Odoo has no such field",
    "busy": "Odoo is busy with the same record; it will be tried again",
    "rule": "a rule of Odoo's does not allow it",
    "model": "Odoo has no such model; check its name, and that its app is installed",
}


class OdooFault(SystemRefused):
    """Odoo answered one call with an exception. The message is ours."""

    def __init__(self, trouble: Trouble, text: str = "", name: str = "", *, rolled_back: bool = True) -> None:
        super().__init__(f"{WORDS[trouble][:1].upper()}{WORDS[trouble][1:]}.")
        self.trouble = trouble
        self._text, self._name, self._rolled_back = text, name, rolled_back

    def about(self, names: Collection[str]) -> str | None:
        """Which of these fields Odoo's message speaks of, if it is just one."""
        found = [name for name in names if f"'{name}'" in self._text or f".{name}" in self._text or name == self._text]
        return found[0] if len(found) == 1 else None

    def wrote_nothing(self, names: Collection[str]) -> bool:
        """Whether a write of these fields is certain to have left nothing behind."""
        return self._rolled_back or (self._name in _FIELD_NAMED and self.about(names) is not None)


def fault(error: Mapping[str, Any], status: int = _SERVER_ERROR) -> OdooFault:
    """Our error for an exception that Odoo tells of, with the status that JSON-2 gave it."""
    name, text = str(error.get("name")), str(error.get("message"))
    trouble = _NAMES.get(name, "rule")
    if name in ("builtins.KeyError", "builtins.ValueError") and (name.endswith("KeyError") or "Invalid field" in text):
        trouble = "field"
    rolled_back = status < _SERVER_ERROR or name in _ROLLED_BACK or name.startswith("odoo.exceptions.")
    return OdooFault(trouble, text, name, rolled_back=rolled_back)


class Calls(Protocol):
    """A way to call methods of one model."""

    def call(self, method: str, ids: Sequence[int] | None = None, **given: Any) -> Any:
        """Call once, and give what it returned.

        Raises OdooFault for what Odoo refuses, NotSent, SystemThrottled, and SystemUnreachable if nobody knows.
        """
        ...


@dataclass(slots=True)
class Json2:
    """JSON-2: one address a method, and an HTTP status for each kind of refusal."""

    way: Way
    model: str

    def call(self, method: str, ids: Sequence[int] | None = None, **given: Any) -> Any:
        """See `Calls`."""
        body = {"context": CONTEXT, **given} if ids is None else {"ids": list(ids), "context": CONTEXT, **given}
        reply = self.way.send("POST", f"json/2/{self.model}/{method}", body=body)
        if reply.fine:
            return reply.json()
        told = _object(reply)
        if "name" in told and "message" in told:
            raise fault(told, reply.status)
        raise_whole(reply, self.way.clock())
        raise SystemRefused(f"Odoo refuses the call ({reply.status}); check the address and the name of the database.")


@dataclass(slots=True)
class JsonRpc:
    """JSON-RPC, as versions before 19 have it: everything is status 200, and the key travels in the body."""

    way: Way
    model: str
    database: str
    login: str
    key: str = field(repr=False)
    _user: int | None = None

    def call(self, method: str, ids: Sequence[int] | None = None, **given: Any) -> Any:
        """See `Calls`."""
        if self._user is None:
            found = self._ask("common", "authenticate", [self.database, self.login, self.key, {}])
            if not isinstance(found, int) or isinstance(found, bool):
                raise OdooFault("credentials")
            self._user = found
        named = {"context": CONTEXT, **given}
        arguments = [] if ids is None else [list(ids)]
        if method == "create":
            # Versions before 19 look at the first argument by its place, to know whether one record is made or several.
            arguments.append(named.pop("vals_list"))
        who = [self.database, self._user, self.key]
        return self._ask("object", "execute_kw", [*who, self.model, method, arguments, named])

    def _ask(self, service: str, method: str, arguments: list[Any]) -> Any:
        parameters = {"service": service, "method": method, "args": arguments}
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters}
        reply = self.way.send("POST", "jsonrpc", body=body)
        raise_whole(reply, self.way.clock())
        told = _object(reply)
        if isinstance(told.get("error"), dict):
            data = told["error"].get("data")
            raise fault(data if isinstance(data, dict) else {})
        if not reply.fine or "jsonrpc" not in told:
            raise SystemUnreachable("Something other than Odoo's API answered; check its address and the network.")
        return told.get("result")


def _object(reply: Reply) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(reply.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def answers_json2(way: Way) -> bool:
    """Whether that Odoo is of version 19 or later, by what it says of itself to everybody."""
    reply = way.read("GET", "web/version")
    told = _object(reply).get("version_info")
    return isinstance(told, list) and bool(told) and isinstance(told[0], int) and told[0] >= JSON2_SINCE


def asked(calls: Calls, way: Way, method: str, ids: Sequence[int] | None = None, **given: Any) -> Any:
    """Call what changes nothing, and therefore again where it did not work out: short pauses are kept."""
    for tried in range(1, TRIES_MAX + 1):
        try:
            return calls.call(method, ids, **given)
        except SystemThrottled as error:
            if tried == TRIES_MAX or error.retry_after_s > WAIT_MAX_S:
                raise
            way.sleep(error.retry_after_s)
        except OdooFault as error:
            if error.trouble != "busy":
                raise
            if tried == TRIES_MAX:
                raise SystemUnreachable("Odoo is busy; it will be tried again.") from None
            way.sleep(0.25 * 2.0**tried * random.uniform(0.5, 1.0))  # noqa: S311
        except SystemUnreachable as error:
            if tried == TRIES_MAX or isinstance(error, Endless):
                raise
            way.sleep(0.25 * 2.0**tried * random.uniform(0.5, 1.0))  # noqa: S311
    raise AssertionError("The last try returns or raises.")
