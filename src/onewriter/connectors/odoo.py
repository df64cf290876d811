"""Odoo: one model of it, usually the contacts (`res.partner`), read and written a field at a time.

Its time of change is the start of a transaction, to the second: what is slow to commit shows behind the cursor. So
every reading steps back by some minutes, and a full one is due now and then, which also shows what was deleted: that
leaves no trace in Odoo. Archived records are read like all others.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from onewriter.connectors import odoo_fields
from onewriter.connectors.http import Credentials, NotSent, Oversized, Transport, Unsendable, Way, wall_clock
from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Capabilities,
    Conflict,
    Connector,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    Rejected,
    RemoteField,
    RemoteValue,
    RetryAfter,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.odoo_calls import WORDS, Calls, Json2, JsonRpc, OdooFault, answers_json2, asked
from onewriter.connectors.odoo_fields import ATTRIBUTES, STAMP, Known, stamped
from onewriter.errors import BadSetting, SystemChanged, SystemRefused, SystemThrottled, SystemUnreachable
from onewriter.records import SECOND, Instant, instant

PAGE = 500
BATCH = 100
OVERLAP: Instant = 600 * SECOND
"""How far each reading steps back: longer than a transaction of Odoo's takes (its own limit is two minutes of work)."""
BUSY_S, PAUSE_S = 5.0, 30.0
UNTOLD = "Odoo's answer does not tell what became of it"
DOUBTFUL = "Odoo failed, and may have written it before it did"
UNSENDABLE = "the value is too long, or has signs that no request can hold"
Held = dict[int, dict[str, Any] | None]
"""What was read of each record before it is written; None once something of it was sent."""
SPEC: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["url", "key"],
    "properties": {
        "url": {"type": "string", "maxLength": 2000, "description": "The address of Odoo, as people open it."},
        "database": {"type": "string", "maxLength": 200, "description": "The name of its database."},
        "login": {"type": "string", "maxLength": 200, "description": "Whose key it is; for JSON-RPC only."},
        "key": {"type": "string", "maxLength": 500, "writeOnly": True, "description": "An API key of that user's."},
        "model": {
            "type": "string",
            "pattern": "^[a-z_0-9]+([.][a-z_0-9]+)*$",
            "maxLength": 200,
            "default": "res.partner",
            "description": "Which records are customers.",
        },
        "protocol": {
            "type": "string",
            "enum": ["auto", "json2", "jsonrpc"],
            "default": "auto",
            "description": "JSON-2 is what Odoo 19 and later speak, JSON-RPC versions 14 to 18.",
        },
        "only": {
            "type": "array",
            "maxItems": 20,
            "items": {"type": "array", "minItems": 3, "maxItems": 3},
            "description": 'Which records of the model count, such as [["is_company", "=", false]].',
        },
    },
}


class Odoo:
    """The kind `odoo`. Transport, clock and sleep are for tests."""

    name = "odoo"

    def __init__(
        self,
        *,
        transport: Transport | None = None,
        clock: Callable[[], Instant] = wall_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport, self._clock, self._sleep = transport, clock, sleep

    def spec(self) -> Mapping[str, Any]:
        """How it is set up."""
        return SPEC

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> Connector:
        """Open it; nothing is asked of Odoo before the first reading or writing."""
        database, protocol = configuration.get("database"), configuration.get("protocol", "auto")
        if protocol == "jsonrpc" and not (database and configuration.get("login")):
            raise BadSetting("JSON-RPC needs the name of the database and the login whose key it is; give both.")
        if database and not (database.isascii() and database.isprintable()):
            raise BadSetting("The name of the database has signs that no header can hold; check it.")
        way = Way(
            configuration["url"],
            Credentials("bearer", configuration["key"]),
            headers={"X-Odoo-Database": database} if database else {},
            clock=self._clock,
            sleep=self._sleep,
            transport=self._transport,
        )
        return OdooConnector(way, configuration, wanted)


class OdooConnector:
    """One model of one Odoo."""

    def __init__(self, way: Way, configuration: Mapping[str, Any], wanted: Wanted) -> None:
        self._way, self._configuration, self._wanted = way, configuration, wanted
        self._only = [list(each) for each in configuration.get("only", ())]
        self._calls: Calls | None = None
        self._known: Known | None = None

    def close(self) -> None:
        """Close the connections."""
        self._way.close()

    # ---- What it is

    def check(self) -> Sequence[Problem]:
        """Whether the key lets us in, and may do what is wanted; nothing is written for it."""
        try:
            known = self._described()
            may_write = not self._wanted.write or self._may_write()
        except OdooFault as error:
            kind = {"credentials": "credentials", "right": "permission"}.get(error.trouble, "settings")
            return [Problem(kind, str(error))]  # type: ignore[arg-type]
        problems = [] if may_write else [Problem("permission", f"{WORDS['right'].capitalize()}.")]
        fields = {each.name: each for each in odoo_fields.remote_fields(known)}
        for name in dict.fromkeys((*self._wanted.read, *self._wanted.write)):
            if name not in fields:
                problems.append(Problem("field", f"Odoo has no field {name} that can be mapped; name another.", name))
            elif name in self._wanted.write and not fields[name].writable:
                problems.append(Problem("field", f"Odoo lets nobody write {name}; map another field.", name))
        clock = self._way.clock_problem()
        return [*problems, clock] if clock else problems

    def _may_write(self) -> bool:
        if isinstance(self._called(), Json2):
            return bool(self._ask("has_access", [], operation="write"))
        return bool(self._ask("check_access_rights", operation="write", raise_exception=False))

    def discover(self) -> Discovery:
        """The fields that the user of the key sees, without lists of links and files."""
        self._known = None
        known = self._described()
        return Discovery(
            odoo_fields.remote_fields(known),
            Capabilities(cursor="field", upsert_keys=odoo_fields.lookups(known), batch=BATCH, webhooks=True),
        )

    def _called(self) -> Calls:
        if self._calls is None:
            given = self._configuration
            protocol, model = given.get("protocol", "auto"), given.get("model", "res.partner")
            if protocol == "json2" or (protocol == "auto" and answers_json2(self._way)):
                self._calls = Json2(self._way, model)
            elif not (given.get("database") and given.get("login")):
                raise SystemRefused(
                    "This Odoo is older than version 19, and is spoken to by JSON-RPC; give database and login too."
                )
            else:
                self._calls = JsonRpc(self._way, model, given["database"], given["login"], given["key"])
        return self._calls

    def _ask(self, method: str, ids: Sequence[int] | None = None, **given: Any) -> Any:
        return asked(self._called(), self._way, method, ids, **given)

    def _described(self) -> Known:
        if self._known is None:
            told = self._ask("fields_get", attributes=ATTRIBUTES)
            if not isinstance(told, dict) or "id" not in told:
                raise SystemChanged("Odoo does not describe its fields as it did; check its address and the model.")
            self._known = told
        return self._known

    # ---- Reading

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """Records by id, those that changed since the state or all; by a full one deleted records are seen to lack."""
        since = None if state is None else state.value.get("since")
        if since is not None:
            stamped(since)
        names = self._read_names()
        began = self._way.clock() + (self._way.skew or 0)
        condition = [*self._only, *([] if since is None else [["write_date", ">=", since]])]
        for row in self._paged(condition, names):
            yield self._record(row, names)
        start = datetime.fromtimestamp((began - OVERLAP) // SECOND, UTC)
        yield State({"since": start.strftime(STAMP)})

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """Records by their ids, or by one of their texts, just as it is written there."""
        names, known = self._read_names(), self._described()
        if by is not None and by not in odoo_fields.lookups(known):
            raise SystemChanged(f"Odoo has no field {by} to look records up by; map a short text that it keeps.")
        values = [int(key) for key in keys if _is_id(key)] if by is None else list(keys)
        for start in range(0, len(values), PAGE):
            some = values[start : start + PAGE]
            condition = [*self._only, [by or "id", "in", some]]
            for row in self._paged(condition, names, len(set(some)) if by is None else None):
                yield self._record(row, names)

    def _read_names(self) -> tuple[str, ...]:
        """The wanted fields; raises SystemChanged for one that Odoo has not (any more)."""
        known = {each.name for each in odoo_fields.remote_fields(self._described())}
        names = tuple(dict.fromkeys((*self._wanted.read, *self._wanted.write)))
        gone = [name for name in names if name not in known]
        if gone:
            raise SystemChanged(f"Odoo has no field {gone[0]} any more; map another, or make it there again.")
        return names

    def _paged(self, condition: list[Any], names: Sequence[str], most: int | None = None) -> Iterator[dict[str, Any]]:
        """All rows, page after page until one is empty: a short one is no end, where Odoo gives fewer than it is asked
        for. `most` is how many there can be, where that is known.
        """
        last = found = 0
        while most is None or found < most:
            rows = self._rows([*condition, ["id", ">", last]], names, limit=PAGE)
            if not rows:
                break
            if rows[-1]["id"] <= last:
                raise SystemUnreachable("Odoo's pages lead nowhere new and do not end; it will be tried again.")
            last, found = rows[-1]["id"], found + len(rows)
            yield from rows

    def _rows(self, domain: list[Any], names: Sequence[str], *, limit: int) -> list[dict[str, Any]]:
        fields = [*names, "write_date", "create_date"]
        try:
            rows = self._ask("search_read", domain=domain, fields=fields, limit=limit, order="id asc")
        except OdooFault as error:
            if error.trouble in ("field", "rule"):
                raise SystemChanged(
                    "Odoo refuses to search as it did; check the fields, and the setting `only`."
                ) from None
            raise
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and isinstance(row.get("id"), int) for row in rows
        ):
            raise SystemUnreachable("Odoo answered a search in a form that we cannot read; it will be tried again.")
        return rows

    def _record(self, row: Mapping[str, Any], names: Sequence[str]) -> Record:
        known = self._described()
        fields = {name: odoo_fields.told_value(known[name]["type"], row.get(name)) for name in names}
        changed, created = (row.get(name) for name in ("write_date", "create_date"))
        return Record(
            id=str(row["id"]),
            fields=fields,
            changed=instant(stamped(changed)) if changed else None,
            created=instant(stamped(created)) if created else None,
        )

    # ---- Writing

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """Write what differs from what is there now: Odoo dates a record anew for every write, also of the same."""
        if len(patches) > BATCH:
            raise SystemRefused(f"More than {BATCH} patches at once.")
        fields = {each.name: each for each in odoo_fields.remote_fields(self._described())}
        refused = {place: _refusal(patch, fields) for place, patch in enumerate(patches)}
        held = self._held([patch for place, patch in enumerate(patches) if refused[place] is None])
        outcomes: list[Outcome] = []
        sent, pause = False, None
        for place, patch in enumerate(patches):
            if (refusal := refused[place]) is not None:
                outcomes.append(refusal)
                continue
            if pause is not None:
                outcomes.append(pause)
                continue
            try:
                outcomes.append(self._written(patch, fields, held))
                sent = True
            except (NotSent, SystemRefused, SystemThrottled) as error:
                if not sent:
                    raise
                pause = RetryAfter(getattr(error, "retry_after_s", PAUSE_S))
                outcomes.append(pause)
            except SystemUnreachable as error:
                # Each of the others would hang as long as this one did.
                outcomes.append(Ambiguous(str(error)))
                pause = RetryAfter(PAUSE_S)
        return outcomes

    def _held(self, patches: Sequence[FieldPatch]) -> Held:
        """What the records hold now of the fields that are to be written."""
        ids = sorted({int(patch.key) for patch in patches if patch.key is not None})
        names = tuple(dict.fromkeys(name for patch in patches for name in (*patch.set, *patch.clear)))
        return {row["id"]: row for row in self._paged([["id", "in", ids]], names, len(ids))}

    def _written(self, patch: FieldPatch, fields: Mapping[str, RemoteField], held: Held) -> Outcome:
        wanted: dict[str, RemoteValue] = {**patch.set, **dict.fromkeys(patch.clear)}
        key = None if patch.key is None else int(patch.key)
        if key is not None:
            if key not in held:
                return Conflict(str(key), gone=True)
            known, row = self._described(), held[key]
            if row is not None and not patch.again:
                wanted = {
                    name: value
                    for name, value in wanted.items()
                    if _differs(odoo_fields.told_value(known[name]["type"], row.get(name)), value, fields[name])
                }
            if not wanted:
                return Unchanged(str(key))
            # What was read is of no more use to another patch of the same record.
            held[key] = None
        return self._sent(key, {name: odoo_fields.sent_value(fields[name], value) for name, value in wanted.items()})

    def _sent(self, key: int | None, values: dict[str, Any]) -> Outcome:
        """Send one write, once; raises what was not sent, what no patch of ours would get past, and SystemUnreachable
        if nobody knows.
        """
        try:
            if key is None:
                made = self._called().call("create", vals_list=[values])
                number = made[0] if isinstance(made, list) and len(made) == 1 else made
                is_id = isinstance(number, int) and not isinstance(number, bool) and number > 0
                return Applied(str(number)) if is_id else Ambiguous(UNTOLD)
            told = self._called().call("write", [key], vals=values)
            return Applied(str(key)) if told is True else Ambiguous(UNTOLD)
        except Oversized as error:
            return Ambiguous(str(error))
        except Unsendable:
            return Rejected(None, UNSENDABLE)
        except OdooFault as error:
            return _outcome(error, key, list(values))


def _refusal(patch: FieldPatch, fields: Mapping[str, RemoteField]) -> Rejected | None:
    """Why a patch is not sent at all."""
    if patch.key is not None and not _is_id(patch.key):
        return Rejected(None, "not an id of a record of Odoo's")
    for name, value in (*patch.set.items(), *((name, None) for name in patch.clear)):
        found = odoo_fields.refusal(fields.get(name), name, value, empties=value is None)
        if found is not None:
            return found
    return None


def _outcome(error: OdooFault, key: int | None, names: Sequence[str]) -> Outcome:
    """What an exception of Odoo's means for one patch; a wrong key concerns them all and is raised."""
    if not error.wrote_nothing(names):
        return Ambiguous(DOUBTFUL)
    if error.trouble == "gone" and key is not None:
        return Conflict(str(key), gone=True)
    if error.trouble == "busy":
        return RetryAfter(BUSY_S)
    if error.trouble in ("credentials", "model"):
        raise error
    field = error.about(names) or (names[0] if len(names) == 1 and error.trouble == "rule" else None)
    return Rejected(field, WORDS[error.trouble])


def _differs(held: RemoteValue, value: RemoteValue, field: RemoteField) -> bool:
    if field.type == "datetime" and held is not None and value is not None:
        return datetime.fromisoformat(held) != datetime.fromisoformat(value).replace(microsecond=0)
    return bool(held != value)


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdigit() and 0 < int(key) <= odoo_fields.INTEGER_MAX
