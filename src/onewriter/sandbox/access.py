"""Who may call the Admin API: the app's secret and the tokens given out for it. All of them follow from the seed."""

import hmac
import threading
from collections.abc import Callable
from random import Random

from onewriter.sandbox.faults import Faults


class Access:
    """The app's credentials in this shop.

    `token` never expires, like that of an old custom app. Tokens by client credentials live for `token_seconds`.
    """

    def __init__(self, seed: int, faults: Faults, clock: Callable[[], float]) -> None:
        self._rng = Random(f"{seed}/access")
        self._faults, self._clock = faults, clock
        self._lock = threading.Lock()
        self.client_id = self._hex(128)
        # Shopify signs webhooks with the client secret; both names are in use for it.
        self.client_secret = f"shpss_{self._hex(128)}"
        self.token = f"shpat_{self._hex(128)}"
        self._expiry: dict[str, float | None] = {self.token: None}

    def _hex(self, bits: int) -> str:
        return f"{self._rng.getrandbits(bits):0{bits // 4}x}"

    def grant(self, client_id: str, client_secret: str) -> str | None:
        """A token for the right credentials, None for others."""
        known = hmac.compare_digest(client_id.encode(), self.client_id.encode())
        if not (known and hmac.compare_digest(client_secret.encode(), self.client_secret.encode())):
            return None
        with self._lock:
            token = f"shpat_{self._hex(128)}"
            self._expiry[token] = self._clock() + self._faults.token_seconds
            return token

    def allows(self, token: str) -> bool:
        with self._lock:
            if token not in self._expiry:
                return False
            expiry = self._expiry[token]
            return expiry is None or self._clock() < expiry

    def revoke(self) -> None:
        """Every token given out so far stops working; the app may ask for another."""
        with self._lock:
            self._expiry.clear()

    def missing(self, scope: str) -> bool:
        """Whether the app lacks a scope. Writing includes reading."""
        granted = self._faults.scopes
        return scope not in granted and scope.replace("read_", "write_") not in granted
