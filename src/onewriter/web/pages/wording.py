"""How values look on a page: times, numbers, names of ours as words, and sentences that name a command."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from markupsafe import Markup, escape

from onewriter.customers.people import PREFIX
from onewriter.desk.spans import span
from onewriter.records import Path

DASH = "–"
BRIEF = 8

WAYS = {
    Path.WEBHOOK: "webhook of {system}", Path.BULK: "{system}, read whole", Path.READ: "{system}, read again",
    Path.CYCLE: "{system}, read in a cycle", Path.SEND: "sent to {system}", Path.HAND: "typed in {system}",
    Path.CSV: "a file of {system}", Path.MERGE: "a merge in {system}", Path.UNDO: "{system}, taken back",
}  # fmt: skip
"""How a change reached us, in words."""

CAUSES = {
    "manual_edit_T": "somebody typed it by hand",
    "import_collision": "an import wrote over it",
    "mapping_wrong_target": "it holds another field",
    "transform_lossy": "the transform loses a part",
    "format_only": "the same, written otherwise",
    "two_writers": "two systems write it by turns",
    "wrong_direction": "it is carried the wrong way",
    "stale_out_of_order": "an older value came last",
    "missed_webhook": "a change was missed",
    "partial_import": "an import broke off",
    "permission_missing": "the right to write it is missing",
    "field_not_covered": "nothing carries it",
    "truncation": "it is cut at a length",
    "type_enum_coercion": "it is taken for another kind of value",
    "timezone_locale": "time zone or form of dates",
    "encoding_mojibake": "read in the wrong encoding",
    "identity_split": "one person has two records",
    "identity_over_merge": "two people share one record",
    "recycled_key": "linked by what is somebody else's now",
    "consent_state_machine": "states of consent are confused",
    "deleted_redacted": "deleted on one side only",
    "clock_skew": "a clock is wrong",
    "null_overwrite": "a machine emptied it",
    "default_value": "a default stands for it",
    "merge_not_propagated": "a merge was not carried on",
    "in_flight": "it is on its way still",
}
"""Every cause in a few words."""

COUNTS = {
    "pairs": "linked pairs compared", "differing": "records not in step", "opened": "customers opened to compare",
    "phantoms": "values that differ in form only", "undecidable": "values of which nobody can tell",
    "real": "values that really differ", "loose_source": "customers without a record",
    "loose_target": "records without a customer",
}  # fmt: skip
"""What an audit counted, where its name alone does not say it."""

LEADS = (
    ("questions (?:show|answer) ([0-9]+).*", "/questions/{}"),
    ("questions .*", "/questions"),
    ("cases (?:show|verify|fix|close|checklist) ([0-9]+).*", "/cases/{}"),
    ("cases list.*", "/cases"),
    ("runs (?:show|watch|resume) ([0-9a-f-]+)", "/runs/{}"),
    ("runs list.*", "/runs"),
    ("inbox (?:show|drop|retry) ([0-9]+)", "/inbox/{}"),
    ("inbox list --state parked", "/inbox?state=parked"),
    ("inbox list.*", "/inbox"),
    ("privacy (?:requests|receipts|purge)", "/privacy"),
    ("systems (?:show|resume|cycle) ([a-z0-9_-]+)", "/systems/{}"),
    ("parked list --system ([a-z0-9_-]+)", "/systems/{}"),
    ("fields (?:show|own|set).*", "/fields"),
    ("fields keys check", "/fields/keys"),
    ("links (?:review|break|show).*", "/links"),
    ("tokens (?:create|list).*", "/settings/tokens"),
    ("notify (?:test|list)", "/settings/notices"),
    ("programme (?:show|set).*", "/programme"),
)
"""Commands that a page does as well: behind `onewriter`, with the page's address."""

_COMMAND = re.compile("`([^`]{1,200})`")
_LEADS = tuple((re.compile(f"onewriter {pattern}"), place) for pattern, place in LEADS)


def prose(text: str | None) -> Markup | str:
    """A sentence of ours, in which each command is set apart, and leads to the page that does the same."""
    return DASH if not text else Markup(_COMMAND.sub(_command, str(escape(text))))  # noqa: S704 - it was escaped


def _command(found: re.Match[str]) -> str:
    told = found.group(1)
    for pattern, place in _LEADS:
        meant = pattern.fullmatch(told)
        if meant is not None:
            return f'<a href="{place.format(*meant.groups())}"><code>{told}</code></a>'
    return f"<code>{told}</code>"


def who(name: str | None) -> str:
    """Whoever did something: a person by their name alone, a program and our own work as they are recorded."""
    return DASH if name is None else name.removeprefix(PREFIX)


def brief(identity: str) -> str:
    """The end of an id of ours, by which a few are told apart; its beginning is only the time."""
    return f"…{identity[-BRIEF:]}"


def cause(name: str | None) -> str:
    """What a cause means, in a few words; its name is what the documents explain it by."""
    return "not known" if name is None else CAUSES.get(name, words(name))


def came(name: str) -> str:
    """What a run counted, in words."""
    return headed(COUNTS.get(name, words(name)))


def headed(text: str) -> str:
    """The same with a capital at its beginning; the rest stays as it is, for it may be a name."""
    return text[:1].upper() + text[1:]


def clock(moment: datetime) -> str:
    """A time as people read it."""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S}"


def day(told: str) -> str:
    """A day, as people read it."""
    read = date.fromisoformat(told[:10])
    return f"{read.day} {read:%b %Y}"


def way(path: str, system: str) -> str:
    """How a change reached us, or went out from us."""
    return WAYS[Path(path)].format(system=system)


def when(moment: str | None) -> Markup | str:
    """A time as people read it, in UTC; the browser tells it in the time of the person besides."""
    if moment is None:
        return DASH
    read = datetime.fromisoformat(moment)
    # A time that was read and is written anew has nothing in it to be escaped, and pages are full of them.
    return Markup(f'<time datetime="{read.isoformat()}">{clock(read)}</time>')  # noqa: S704


def number(value: int | float | None) -> str:
    """A number with its thousands apart."""
    return DASH if value is None else f"{value:,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """So many of something: "1 row", "2 rows"; `many` is its plural, where an s alone does not make it."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def shown(value: Any) -> str:
    """A value of a field as one text."""
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_part(name, one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or DASH
    return str(value)


def _part(name: str, value: Any) -> str:
    # The states of a consent are names of Shopify's, such as not_subscribed.
    return words(shown(value)) if name == "state" else shown(value)


def words(name: str) -> str:
    """A name of ours as words: fix_applied is "fix applied"."""
    return name.replace("_", " ")


FILTERS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (when, number, counted, shown, words, span, prose, who, brief, day, way, cause, came, headed)
}
"""Every one of them, by its name."""
