"""How onewriter proves itself to Shopify: a token given once, client credentials, or a merchant's authorization.

Apps made for one's own organisation get a token of 24 hours for their client id and secret. Apps that a merchant
authorizes get one of an hour, with a refresh token that is replaced each time it is used. Tokens of apps made in the
shop's admin (none can be made any more) do not end. Here is what is asked and what the answers mean; asking, and
keeping what was answered, is the work of `tokens.py` and `client.py`.
"""

import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlencode

from onewriter.errors import Permanent, TokenRefused
from onewriter.records import DAY, SECOND, Instant
from onewriter.shopify.webhooks import SHOP_DOMAIN

EXPIRY_MARGIN: Instant = 60 * SECOND
"""A token this near its end is not used, since it could end on the way."""

RENEW_EARLY: Instant = 300 * SECOND
"""How long before its end a token is renewed, so that a renewal that fails can be tried again in time."""

EXPIRES_IN_DEFAULT_S = 3600
"""Shopify has left `expires_in` out of answers; an hour is the shortest life that it gives."""

RETIRED_FOR: Instant = 2 * DAY
"""How long a replaced secret is still accepted: Shopify signs with the oldest one that is not revoked, and its retries
come for hours."""

CALLBACK_MAX = 1024
"""Letters of the longest value of a callback that is looked at."""

_TOKEN_GONE = frozenset(("invalid_grant", "invalid_request"))
_CODE = re.compile(r"[a-z_]{1,40}")

Kind = Literal["token", "client_credentials", "authorization_code"]


class GrantRefused(TokenRefused):
    """Shopify refused to give out a token; `code` is its short word for the reason."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_of_the_token(self) -> bool:
        """True if it was the refresh token that was refused, and not the app."""
        return self.code in _TOKEN_GONE


class CallbackRefused(Permanent):
    """What came back from an authorization is not what was asked for; `status` is the HTTP status that says so."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked to be connected, kept while the merchant is asked to authorize it."""

    client_id: str
    client_secret: str = field(repr=False)
    api_secrets: tuple[str, ...] = field(repr=False)
    admin_url: str
    public_url: str
    api_version: str
    region: str | None
    by: str
    drop_old_secrets: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens one shop's Admin API, and the secrets that sign its webhooks. Its repr shows none of them."""

    kind: Kind
    access_token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    api_secrets: tuple[str, ...] = field(default=(), repr=False)
    expires: Instant | None = None
    renew_at: Instant | None = None
    refresh_token: str | None = field(default=None, repr=False)
    previous_refresh_token: str | None = field(default=None, repr=False)
    """The one that the present one was got by; Shopify takes it again until the present one has been used."""
    retired: tuple[tuple[str, Instant], ...] = field(default=(), repr=False)
    """Replaced webhook secrets, and until when each is still accepted."""
    asked: Asked | None = None
    """The authorization that is under way; it counts for nothing until the merchant has agreed."""

    def is_usable(self, now: Instant) -> bool:
        """True if there is a token that does not end within a minute; one given by hand is assumed not to end."""
        return self.access_token is not None and (self.expires is None or self.expires - now > EXPIRY_MARGIN)

    def is_fresh(self, now: Instant) -> bool:
        """True if there is a token that need not be renewed yet."""
        return self.is_usable(now) if self.renew_at is None else self.access_token is not None and now < self.renew_at

    def live_secrets(self, now: Instant) -> tuple[str, ...]:
        """The secrets that a delivery may be signed with: the present ones, and those replaced not long ago."""
        return self.api_secrets + tuple(secret for secret, until in self.retired if now < until)

    def grant(self) -> dict[str, str]:
        """The body that asks for a new token; TokenRefused if these credentials cannot ask for one."""
        app = {"client_id": self.client_id, "client_secret": self.client_secret}
        if self.kind == "client_credentials":
            asked = app | {"grant_type": "client_credentials"}
        else:
            asked = app | {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        body = {name: value for name, value in asked.items() if value}
        if len(body) < len(asked):
            was = "Shopify refused the access token (401)" if self.access_token else "There is no usable access token"
            raise TokenRefused(f"{was}; connect the shop again with a valid one.")
        return body

    def with_previous_token(self) -> "Credentials":
        """The same credentials as they were before the present refresh token."""
        return replace(self, refresh_token=self.previous_refresh_token, previous_refresh_token=None)

    def with_tokens_of(self, other: "Credentials") -> "Credentials":
        """These credentials with the tokens of others of the same app."""
        return replace(
            self,
            access_token=other.access_token,
            expires=other.expires,
            renew_at=other.renew_at,
            refresh_token=other.refresh_token,
            previous_refresh_token=other.previous_refresh_token,
        )

    def has_tokens_of(self, other: "Credentials") -> bool:
        """True if nobody has renewed or replaced what the other had."""
        return self == self.with_tokens_of(other) and self.client_id == other.client_id

    def after(self, old: "Credentials", now: Instant, *, drop_old_secrets: bool = False) -> "Credentials":
        """These credentials in the place of old ones, whose secrets are accepted for two days more unless dropped."""
        if drop_old_secrets:
            return replace(self, retired=())
        ends = dict.fromkeys(old.api_secrets, now + RETIRED_FOR)
        ends |= {secret: until for secret, until in old.retired if now < until}
        return replace(self, retired=tuple((one, until) for one, until in ends.items() if one not in self.api_secrets))


def renewed(credentials: Credentials, answer: Mapping[str, Any], now: Instant) -> Credentials:
    """The credentials with the tokens of a grant's answer; TokenRefused if there is no token in it."""
    token, refresh = _text(answer, "access_token"), _text(answer, "refresh_token")
    if token is None:
        raise TokenRefused("Shopify answered the grant without a token; check the app's client id and secret.")
    if credentials.kind == "authorization_code" and refresh not in (None, credentials.refresh_token):
        credentials = replace(credentials, refresh_token=refresh, previous_refresh_token=credentials.refresh_token)
    lasts = _lasts(credentials, answer.get("expires_in"))
    if lasts is None:
        return replace(credentials, access_token=token, expires=None, renew_at=None)
    early = min(RENEW_EARLY, lasts // 4)
    return replace(credentials, access_token=token, expires=now + lasts, renew_at=now + lasts - early)


def _lasts(credentials: Credentials, given_s: Any) -> Instant | None:
    """How long the token lives; None for one that came without an end and without a means to renew it."""
    if isinstance(given_s, int) and not isinstance(given_s, bool) and given_s > 0:
        return given_s * SECOND
    if credentials.kind == "authorization_code" and credentials.refresh_token is None:
        return None
    return EXPIRES_IN_DEFAULT_S * SECOND


def _text(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) and value else None


def refusal(asked: Mapping[str, str], answer: Mapping[str, Any]) -> GrantRefused:
    """The error for a grant that Shopify refused; only its short code (such as shop_not_permitted) is passed on."""
    given = _text(answer, "error") or ""
    code = given if _CODE.fullmatch(given) else "no reason given"
    if "code" in asked:
        said = f"Shopify refused the authorization ({code}); begin it again"
    elif "refresh_token" in asked:
        said = f"Shopify refused to renew the access token ({code}); authorize the shop again"
    else:
        said = f"Shopify refused the client credentials ({code}); check the app's id, secret and installation"
    return GrantRefused(f"{said}.", code)


# ---- A merchant's authorization -------------------------------------------------------------------------------------


def authorize_url(admin_url: str, client_id: str, scopes: Collection[str], redirect_uri: str, state: str) -> str:
    """The address where a merchant is asked whether the app may do this; there is no secret in it."""
    asked = {"client_id": client_id, "scope": ",".join(scopes), "redirect_uri": redirect_uri, "state": state}
    return f"{admin_url}/admin/oauth/authorize?{urlencode(asked)}"


def code_grant(asked: Asked, code: str) -> dict[str, str]:
    """The body that turns the code of an authorization into a token that ends and can be renewed."""
    return {"client_id": asked.client_id, "client_secret": asked.client_secret, "code": code, "expiring": "1"}


@dataclass(frozen=True, slots=True)
class Callback:
    """What Shopify sends the merchant back with."""

    shop: str
    code: str = field(repr=False)
    state: str = field(repr=False)


def read_callback(query: Sequence[tuple[str, str]]) -> Callback:
    """The values of a callback, not yet believed; CallbackRefused if one is missing, twice there or malformed."""
    given = dict(query)
    shop, code, state = given.get("shop", ""), given.get("code", ""), given.get("state", "")
    if len(given) < len(query) or not all(_is_plain(value) for value in (shop, code, state)):
        raise CallbackRefused("This is not an answer to an authorization; open the address that you were given.", 400)
    if SHOP_DOMAIN.fullmatch(shop) is None:
        raise CallbackRefused("The shop in this address is not a myshopify.com domain.", 400)
    return Callback(shop, code, state)


def _is_plain(value: str) -> bool:
    return 0 < len(value) <= CALLBACK_MAX and value.isascii() and value.isprintable()


def sign_query(query: Sequence[tuple[str, str]], secret: str) -> str:
    """Shopify's signature of a query: the hex HMAC-SHA256 of its parameters but `hmac`, sorted and joined."""
    pairs = sorted((name, value) for name, value in query if name != "hmac")
    joined = "&".join(f"{_escaped(name, '%&=')}={_escaped(value, '%&')}" for name, value in pairs)
    return hmac.digest(secret.encode(), joined.encode("utf-8", "replace"), "sha256").hex()


def is_signed_query(query: Sequence[tuple[str, str]], secrets: Iterable[str]) -> bool:
    """True if one of the secrets signed these parameters: while one is being replaced, Shopify signs with the old one.

    Compared as bytes, since comparing text that is not ASCII raises.
    """
    given = dict(query).get("hmac", "").encode("utf-8", "replace")
    return any(hmac.compare_digest(sign_query(query, secret).encode(), given) for secret in secrets if secret)


def _escaped(text: str, letters: str) -> str:
    """The text with these letters as percent signs and codes, so that no value can pass for a parameter more."""
    return "".join(f"%{ord(letter):02X}" if letter in letters else letter for letter in text)
