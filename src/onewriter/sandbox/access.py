"""Who may call the Admin API: the app's secrets and the tokens given out for them. All of them follow from the seed."""

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from onewriter.sandbox.faults import Faults

REFRESH_SECONDS = 7_776_000
RETRY_SECONDS = 30 * 86_400
"""How long after its first use a refresh token may be tried again, while nobody uses what came for it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a grant gives: an access token, and where it expires a refresh token too."""

    access: str
    access_seconds: int | None = None
    refresh: str | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    """An access token's end, and the secret that it was given out for: it dies with either."""

    expires: float | None
    secret: str | None


@dataclass(slots=True)
class _Refresh:
    """A refresh token and those that came for it."""

    expires: float
    secret: str
    parent: "_Refresh | None" = None
    children: "list[_Refresh]" = field(default_factory=list)
    first_used: float | None = None
    retired: bool = False


class Access:
    """The app's credentials in this shop.

    `token` never expires, like that of an old custom app. Tokens by client credentials live for `token_seconds`, those
    of an authorization that asks for expiring ones for `access_seconds`.
    """

    def __init__(self, seed: int, faults: Faults, clock: Callable[[], float]) -> None:
        self._rng = Random(f"{seed}/access")
        self._faults, self._clock = faults, clock
        self._lock = threading.RLock()
        self.client_id = self._hex(128)
        # Shopify signs webhooks with the client secret; both names are in use for it.
        self._secrets = [f"shpss_{self._hex(128)}"]
        self.token = f"shpat_{self._hex(128)}"
        self._tokens = {self.token: _Token(None, None)}
        self._refreshes: dict[str, _Refresh] = {}
        self._codes: set[str] = set()

    def _hex(self, bits: int) -> str:
        return f"{self._rng.getrandbits(bits):0{bits // 4}x}"

    # ---- Secrets

    @property
    def client_secret(self) -> str:
        """The newest secret, which the app is told of."""
        return self._secrets[-1]

    @property
    def signing_secret(self) -> str:
        """What webhooks and redirects are signed with: the oldest secret that is not revoked."""
        return self._secrets[0]

    def rotate_secret(self) -> str:
        """Make a new secret; the old one goes on to sign and to be accepted until it is revoked."""
        with self._lock:
            self._secrets.append(f"shpss_{self._hex(128)}")
            return self.client_secret

    def revoke_old_secret(self) -> None:
        """Only the newest secret is left, and the tokens that were given out for the others are dead."""
        with self._lock:
            self._secrets = self._secrets[-1:]
            live = (None, *self._secrets)
            self._tokens = {text: token for text, token in self._tokens.items() if token.secret in live}
            self._refreshes = {text: each for text, each in self._refreshes.items() if each.secret in live}

    def accepts(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the app's own credentials, with any live secret."""
        known = hmac.compare_digest(client_id.encode(), self.client_id.encode())
        fits = [hmac.compare_digest(client_secret.encode(), secret.encode()) for secret in self._secrets]
        return known and any(fits)

    # ---- Tokens

    def grant(self, secret: str) -> Pair:
        """A token by client credentials: it expires, and there is nothing to refresh it with."""
        return Pair(self._new_token(secret, self._faults.token_seconds), self._faults.token_seconds)

    def authorize(self) -> str:
        """A code for one exchange, as the merchant's browser takes it to the app."""
        with self._lock:
            code = self._hex(128)
            self._codes.add(code)
            return code

    def redeem(self, code: str, secret: str, *, expiring: bool) -> Pair | None:
        """The tokens for a code, None if it is unknown or was used."""
        with self._lock:
            if code not in self._codes:
                return None
            self._codes.remove(code)
            return self._pair(secret, None) if expiring else Pair(self._new_token(secret, None))

    def refresh(self, token: str, secret: str) -> Pair | None:
        """New tokens for a refresh token; None if it is unknown, too old, or retired by the use of its replacement."""
        with self._lock:
            held = self._refreshes.get(token)
            if held is None or held.retired or self._clock() >= held.expires:
                return None
            if held.first_used is None:
                held.first_used = self._clock()
            elif self._clock() >= held.first_used + RETRY_SECONDS:
                return None
            self._retire_before(held)
            return self._pair(secret, held)

    def _retire_before(self, used: _Refresh) -> None:
        """Its use retires the token that it came for, and whatever else came for that one."""
        if used.parent is not None:
            for each in (used.parent, *used.parent.children):
                each.retired = each.retired or each is not used
            used.parent = None

    def _pair(self, secret: str, parent: _Refresh | None) -> Pair:
        seconds = self._faults.access_seconds
        access, text = self._new_token(secret, seconds), f"shprt_{self._hex(128)}"
        made = _Refresh(self._clock() + REFRESH_SECONDS, secret, parent)
        if parent is not None:
            parent.children.append(made)
        self._refreshes[text] = made
        return Pair(access, seconds, text)

    def _new_token(self, secret: str, seconds: int | None) -> str:
        with self._lock:
            token = f"shpat_{self._hex(128)}"
            self._tokens[token] = _Token(None if seconds is None else self._clock() + seconds, secret)
            return token

    def allows(self, token: str) -> bool:
        with self._lock:
            held = self._tokens.get(token)
            return held is not None and (held.expires is None or self._clock() < held.expires)

    def revoke(self, *, refreshing: bool = False) -> None:
        """Every access token given out so far stops working; with `refreshing` there is no way to others either."""
        with self._lock:
            self._tokens.clear()
            if refreshing:
                self._refreshes.clear()
                self._codes.clear()

    def missing(self, scope: str) -> bool:
        """Whether the app lacks a scope. Writing includes reading."""
        granted = self._faults.scopes
        return scope not in granted and scope.replace("read_", "write_") not in granted
