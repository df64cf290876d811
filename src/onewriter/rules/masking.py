"""Masking: how a protected value is shown to somebody who was not allowed, or did not ask, to see it."""

from onewriter.records import Value

DOTS = "•••"
OPEN_FIELDS = frozenset({"state", "locale"})
"""Fields that say nothing of who somebody is."""


def mask(field: str, value: Value) -> Value:
    """The value as it may be shown: enough to recognise what one already knows, not enough to learn it."""
    if value is None or field in OPEN_FIELDS:
        return value
    if field == "email":
        return _mask_email(str(value))
    if field == "phone":
        return DOTS + str(value)[-2:]
    if isinstance(value, list):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, dict):
        return {"state": value.get("state")} if field.endswith("_consent") else DOTS
    if isinstance(value, bool | int | float):
        return DOTS
    return str(value)[:1] + DOTS


def _mask_email(email: str) -> str:
    local, _, host = email.partition("@")
    return f"{local[:1]}{DOTS}@{host[:1]}{DOTS}"
