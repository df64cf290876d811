"""What Shopify's refusal of a write means, in our words: its own may quote the value and are passed on nowhere."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from onewriter.connectors.interface import Ambiguous, Conflict, Outcome, Rejected
from onewriter.connectors.shopify_fields import TEXTS
from onewriter.connectors.shopify_steps import Step
from onewriter.shopify.client import QueryError
from onewriter.shopify.scopes import WRITE

NO_RIGHT = f"the token lacks the scope {WRITE}, without which nothing is written to Shopify"

_OURS = {theirs: ours for ours, (theirs, _most) in TEXTS.items()} | {
    "addresses": "addresses",
    "emailMarketingConsent": "email_consent",
    "smsMarketingConsent": "sms_consent",
    "whatsAppMarketingConsent": "whatsapp_consent",
    "tags": "tags",
}
_CODES = {
    "TAKEN": "another customer of the shop has it",
    "TOO_LONG": "longer than Shopify takes",
    "TOO_SHORT": "shorter than Shopify takes",
    "BLANK": "empty, which Shopify does not take",
    "INVALID": "not valid to Shopify",
    "INVALID_VALUE": "not a value of the metafield's type",
    "INVALID_TYPE": "not of the type that the metafield has in Shopify",
    "INCLUSION": "not one of the words that Shopify takes",
    "MISSING_ARGUMENT": "Shopify wants more than was said",
    "APP_NOT_AUTHORIZED": "another app owns this metafield",
    "CAPABILITY_VIOLATION": "against a rule of the metafield's definition",
    "LESS_THAN_OR_EQUAL_TO": "more than Shopify takes",
}
_WORDS = (
    (re.compile(r"already (been )?taken", re.I), "TAKEN"),
    (re.compile(r"too long", re.I), "TOO_LONG"),
    (re.compile(r"too short", re.I), "TOO_SHORT"),
    (re.compile(r"must have|or less", re.I), "LESS_THAN_OR_EQUAL_TO"),
    (re.compile(r"blank|empty|must be present", re.I), "BLANK"),
    (re.compile(r"not included|not of the type|consistent with", re.I), "INVALID_VALUE"),
    (re.compile(r"invalid|is not valid", re.I), "INVALID"),
)
"""For the mutations whose user errors have no code, what their words come to."""
_GONE = re.compile(r"does not exist|not found|could not be found", re.I)


def refused(step: Step, errors: Sequence[Mapping[str, Any]], ids: Mapping[int, str]) -> dict[int, Outcome]:
    """What the user errors of a step mean for the patches they are about; the others of it were not written either."""
    found: dict[int, Outcome] = {}
    for error in errors:
        place = _place(step, error)
        if place in found:
            continue
        if _GONE.search(str(error.get("message"))):
            found[place] = Conflict(ids[place], gone=True)
        else:
            found[place] = Rejected(_field(step, place, error), _reason(error))
    return found


def _place(step: Step, error: Mapping[str, Any]) -> int:
    """Which patch an error is about; one that does not say so is about the first."""
    index = error.get("elementIndex")
    if isinstance(index, int) and 0 <= index < len(step.owners):
        return step.owners[index]
    return next(iter(step.fields))


def _field(step: Step, place: int, error: Mapping[str, Any]) -> str | None:
    names = step.fields[place]
    path = error.get("field")
    path = [str(part) for part in path] if isinstance(path, list) else []
    if "metafields" in path[:2]:
        return _metafield(step, place, path, error)
    found = next((_OURS[part] for part in path if part in _OURS), None)
    if found in names or found is None:
        return found or (names[0] if len(names) == 1 else None)
    return found if len(names) != 1 else names[0]


def _metafield(step: Step, place: int, path: Sequence[str], error: Mapping[str, Any]) -> str | None:
    digits = next((int(part) for part in path if part.isdigit()), error.get("elementIndex"))
    if not isinstance(digits, int):
        return None
    names = step.fields[place]
    if step.owners:
        digits -= step.owners.index(place)
        return names[digits] if 0 <= digits < len(names) else None
    own = [name for name in names if name not in TEXTS and name != "addresses"]
    return own[digits] if digits < len(own) else None


def _reason(error: Mapping[str, Any]) -> str:
    code = error.get("code")
    if not isinstance(code, str):
        code = next((word for pattern, word in _WORDS if pattern.search(str(error.get("message")))), "")
    return _CODES.get(code, "Shopify does not take it")


def failed(error: QueryError) -> Outcome:
    """What an error means that Shopify gave instead of a mutation's payload."""
    if error.code == "ACCESS_DENIED":
        return Rejected(None, NO_RIGHT if error.scope in (None, WRITE) else f"the token lacks the scope {error.scope}")
    if error.code in ("INTERNAL_SERVER_ERROR", "TIMEOUT", "UNKNOWN"):
        return Ambiguous(f"Shopify failed inside ({error.code}) while it wrote.")
    return Rejected(None, f"Shopify refused the write ({error.code})")
