"""How onewriter proves itself to Shopify: a token that was given once, or the client credentials grant.

Apps made for one's own organisation get a token of 24 hours for their client id and secret, without a refresh token:
when it nears its end they ask again. Tokens of apps made in the shop's admin (none can be made any more) do not end.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from onewriter.errors import TokenRefused
from onewriter.records import SECOND, Instant

EXPIRY_MARGIN: Instant = 60 * SECOND
"""A token this near its end is not used, since it could end on the way."""

EXPIRES_IN_DEFAULT_S = 3600
"""Shopify has left `expires_in` out of answers; an hour is the shortest life that it gives."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens one shop's Admin API, and the secrets that sign its webhooks. Its repr shows neither."""

    kind: Literal["token", "client_credentials"]
    access_token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    api_secrets: tuple[str, ...] = field(default=(), repr=False)
    expires: Instant | None = None

    def is_usable(self, now: Instant) -> bool:
        """True if there is a token that does not end within a minute; one given by hand is assumed not to end."""
        if self.access_token is None:
            return False
        return self.expires is None or self.expires - now > EXPIRY_MARGIN

    def grant(self) -> dict[str, str]:
        """The body that asks for a new token; TokenRefused if these credentials cannot ask for one."""
        if self.kind != "client_credentials" or not self.client_id or not self.client_secret:
            raise TokenRefused("There is no usable access token; connect the shop again with a new one.")
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "grant_type": "client_credentials",
        }


def renewed(credentials: Credentials, answer: Mapping[str, Any], now: Instant) -> Credentials:
    """The credentials with the token of a grant's answer; TokenRefused if there is no token in it."""
    token, lasts_s = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token:
        raise TokenRefused("Shopify answered the grant without a token; check the app's client id and secret.")
    if isinstance(lasts_s, bool) or not isinstance(lasts_s, int) or lasts_s <= 0:
        lasts_s = EXPIRES_IN_DEFAULT_S
    return replace(credentials, access_token=token, expires=now + lasts_s * SECOND)


def refusal(answer: Mapping[str, Any]) -> TokenRefused:
    """The error for a grant that Shopify refused; only its short code (such as shop_not_permitted) is passed on."""
    code = answer.get("error")
    known = code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else "no reason given"
    return TokenRefused(
        f"Shopify refused the client credentials ({known}); check the app's id, secret and installation."
    )
