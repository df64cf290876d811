"""What an answer of the Admin API means: its data, its errors, its cost, and which of our errors a refusal is.

Shopify answers most refusals with HTTP 200. A refusal of some fields (protected customer data without approval) comes
beside data and is passed on as a value; a refusal of everything is raised. Shopify's own words are never passed on,
since they may quote what was sent: only codes, paths and scope names are.
"""

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from onewriter.errors import ScopeMissing, ShopifyRefused, ShopifyThrottled, ShopifyUnreachable, TokenRefused
from onewriter.records import Instant, instant
from onewriter.shopify.budget import Cost, read_cost

RETRY_AFTER_DEFAULT_S = 2.0
"""Seconds to wait when Shopify says 'too many' and not how long."""

_SCOPE = re.compile(r"\b(?:read|write)_[a-z_]+")
_CODE = re.compile(r"[A-Za-z_]{1,64}")
_INSIDE = frozenset(("INTERNAL_SERVER_ERROR", "TIMEOUT"))


class CostTooHigh(ShopifyRefused):
    """The query asks for more than one query may cost; ask for less at a time."""


@dataclass(frozen=True, slots=True)
class QueryError:
    """One error of an answer: its code, where it is, and the scope it asks for. Without Shopify's text, on purpose."""

    code: str
    path: tuple[str | int, ...] = ()
    scope: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An answer with data. `errors` name what is missing from it; `date` is Shopify's clock when it answered.

    Its repr shows no data, which is personal.
    """

    data: dict[str, Any]
    errors: tuple[QueryError, ...] = ()
    date: Instant | None = None
    cost: Cost | None = None

    def part(self, name: str) -> dict[str, Any]:
        """The object under a top-level key; ShopifyRefused if Shopify left it out."""
        value = self.data.get(name)
        if not isinstance(value, dict):
            raise ShopifyRefused(f"Shopify left {name} out of its answer; check the token's scopes.")
        return value

    def __repr__(self) -> str:
        return f"Answer({len(self.data)} keys, errors={self.errors!r})"


def check_status(status: int, retry_after: str | None) -> None:
    """Raise what an HTTP status other than 2xx means."""
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise TokenRefused(f"Shopify refused the access token ({status}); connect the shop again with a valid one.")
    if status == 429:
        raise ShopifyThrottled("Shopify asks for a pause; it will be tried again.", _seconds(retry_after))
    if status >= 500 or status == 408:
        raise ShopifyUnreachable(f"Shopify could not answer ({status}); it is safe to try again later.")
    raise ShopifyRefused(_STATUS.get(status, f"Shopify refused the request ({status}); check the admin URL."))


_STATUS = {
    402: "The shop is frozen (402); its owner must settle it with Shopify.",
    404: "There is no Admin API at this address (404); check the shop's domain and the API version.",
    423: "The shop is locked (423); its owner must ask Shopify why.",
}


def _seconds(retry_after: str | None) -> float:
    try:
        wanted = float(retry_after or "")
    except ValueError:
        return RETRY_AFTER_DEFAULT_S
    return wanted if 0 <= wanted < float("inf") else RETRY_AFTER_DEFAULT_S


def read_answer(body: bytes, date: str | None) -> Answer:
    """The answer in a body, whatever errors it holds; ShopifyUnreachable if the body is not an answer at all."""
    decoded = _decoded(body)
    if not isinstance(decoded, dict):
        raise ShopifyUnreachable("Something other than Shopify's API answered; check the admin URL and the network.")
    data, errors = decoded.get("data"), decoded.get("errors") or ()
    listed = errors if isinstance(errors, list) else [errors] if errors else []
    return Answer(
        data=data if isinstance(data, dict) else {},
        errors=tuple(_query_error(error) for error in listed),
        date=read_date(date),
        cost=read_cost(decoded.get("extensions")),
    )


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        pass
    # One customer with half a character in the name must not hide the 249 others: the lenient parser lets it through,
    # and the customer alone is refused later.
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _query_error(error: Any) -> QueryError:
    if not isinstance(error, dict):
        return QueryError("UNKNOWN")
    extensions = error.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    code, path = extensions.get("code"), error.get("path")
    scope = _SCOPE.search(f"{extensions.get('requiredAccess')} {error.get('message')}")
    return QueryError(
        code=code.upper() if isinstance(code, str) and _CODE.fullmatch(code) else "UNKNOWN",
        path=tuple(part for part in path if isinstance(part, str | int)) if isinstance(path, list) else (),
        scope=scope[0] if scope else None,
    )


def read_date(value: str | None) -> Instant | None:
    """The instant of an HTTP date, or None."""
    try:
        return instant(parsedate_to_datetime(value)) if value else None
    except ValueError:
        return None


def raise_refusal(answer: Answer) -> None:
    """Raise what the errors of an answer mean if nothing came with them; an answer with any data passes."""
    codes = {error.code for error in answer.errors}
    if "THROTTLED" in codes:
        wait_s = answer.cost.wait_s() if answer.cost else RETRY_AFTER_DEFAULT_S
        raise ShopifyThrottled("The cost budget of the shop is used up; it will be tried again.", max(wait_s, 0.1))
    if "MAX_COST_EXCEEDED" in codes:
        raise CostTooHigh("The query would cost more than Shopify allows one query; ask for fewer at a time.")
    if any(value is not None for value in answer.data.values()):
        return
    if codes & _INSIDE:
        raise ShopifyUnreachable("Shopify failed inside; it is safe to try again later.")
    for error in answer.errors:
        if error.code == "ACCESS_DENIED":
            raise _access_denied(error)
    if codes or not answer.data:
        raise ShopifyRefused(f"Shopify refused the query ({', '.join(sorted(codes)) or 'no data'}).")


def _access_denied(error: QueryError) -> ScopeMissing:
    if error.scope is not None:
        return ScopeMissing(f"The token lacks the scope {error.scope}; grant it to the app.", error.scope)
    return ScopeMissing(
        "The app is not approved for protected customer data; ask for it in the app's settings.",
        "protected customer data",
    )
