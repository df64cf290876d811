"""How an app comes by its tokens: the merchant's approval, the grants of the token endpoint, and their refusals."""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from onewriter.sandbox.access import REFRESH_SECONDS, Pair
from onewriter.sandbox.exchange import Answered, Asked, as_json
from onewriter.sandbox.shop import Shop

GRANTS = ("authorization_code", "client_credentials", "refresh_token")


def authorize(shop: Shop, asked: Asked) -> Answered:
    """The page where a merchant approves of the app. In the sandbox everybody approves, and goes back with a code."""
    to = urlsplit(asked.query.get("redirect_uri", ""))
    if asked.query.get("client_id") != shop.access.client_id:
        return _refused("invalid_request", "Could not find Shopify API application with api_key")
    if to.scheme not in ("http", "https") or not to.hostname or to.fragment:
        return _refused("invalid_request", "The redirect_uri is not whitelisted")
    told = dict(parse_qsl(to.query)) | {
        "code": shop.access.authorize(),
        "host": base64.b64encode(f"admin.shopify.com/store/{shop.domain.partition('.')[0]}".encode())
        .decode()
        .rstrip("="),
        "shop": shop.domain,
        "timestamp": str(int(shop.clock())),
    }
    if "state" in asked.query:
        told["state"] = asked.query["state"]
    told["hmac"] = signature(shop.access.signing_secret, told)
    return Answered(302, (), {"Location": to._replace(query=urlencode(told)).geturl()})


def signature(secret: str, query: Mapping[str, str]) -> str:
    """The hex HMAC over a query without its own `hmac`, sorted by name."""
    text = urlencode(sorted((name, value) for name, value in query.items() if name != "hmac"))
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def access_token(shop: Shop, asked: Asked) -> Answered:
    """The token endpoint; credentials and grant come as a form or as JSON."""
    given = asked.given()
    kind, secret = given.get("grant_type", "authorization_code"), given.get("client_secret", "")
    if kind not in GRANTS:
        return _refused("unsupported_grant_type", f"The sandbox grants {', '.join(GRANTS)}.")
    if not shop.access.accepts(given.get("client_id", ""), secret):
        return _refused("invalid_client", "Client authentication failed.")
    if kind == "refresh_token":
        return _refreshed(shop, given, secret)
    if kind == "client_credentials":
        return _granted(shop, shop.access.grant(secret))
    pair = shop.access.redeem(given.get("code", ""), secret, expiring=given.get("expiring") == "1")
    if pair is None:
        return _refused("invalid_request", "The authorization code was not found or was already used")
    return _granted(shop, pair)


def _refreshed(shop: Shop, given: Mapping[str, str], secret: str) -> Answered:
    if shop.use_up("refresh_server_errors"):
        return Answered(520, (b"error code: 520",))
    pair = shop.access.refresh(given.get("refresh_token", ""), secret)
    if pair is None:
        return _refused("invalid_grant", "This request requires an active refresh_token")
    if shop.use_up("refresh_lost"):
        return Answered(502, (b"Bad Gateway",))
    return _granted(shop, pair)


def _granted(shop: Shop, pair: Pair) -> Answered:
    told: dict[str, object] = {"access_token": pair.access, "scope": ",".join(shop.faults.scopes)}
    if pair.access_seconds is not None and not shop.faults.leave_out_expires_in:
        told["expires_in"] = pair.access_seconds
    if pair.refresh is not None:
        told |= {"refresh_token": pair.refresh, "refresh_token_expires_in": REFRESH_SECONDS}
    return as_json(told)


def _refused(code: str, description: str) -> Answered:
    return as_json({"error": code, "error_description": description}, 400)
