"""Everything a test may switch while the shop runs: faults, limits and the app's permissions."""

from dataclasses import dataclass, field, fields
from typing import Any

SCOPES = ("read_customers", "write_customers", "read_customer_merge", "write_customer_merge", "read_orders")
ALL_ORDERS = "read_all_orders"
"""What it takes besides to see orders that are older than 60 days; Shopify grants it to few."""


@dataclass(slots=True)
class Faults:
    """The switches of one shop. Chances are between 0 and 1 and drawn from the shop's seed."""

    # Webhooks.
    duplicate: float = 0.0
    lose: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0  # at most so many seconds
    retry_scale: float = 1.0  # 1.0 spreads eight retries over four hours
    allow_http: bool = True
    allow_remote: bool = False  # deliver to other machines than this one
    topics_refused: bool = False

    # Bulk operations. A fault holds for operations that start while it is set.
    bulk_seconds: float = 0.2
    partial: bool = False
    refuse: bool = False
    stall: bool = False
    expire: bool = False
    corrupt_lines: int = 0
    wrong_count: int = 0  # lines that the file lacks although objectCount counts them
    drop_connection_after_bytes: int = 0

    # Merges. What else than customers/merge Shopify tells of a merge is not documented, so that both ways can be tried.
    merge_seconds: float = 0.0  # from the acceptance until it is carried out
    merge_fails: bool = False
    merge_blocked: list[int] = field(default_factory=list)  # ids of customers that have gift cards
    merge_tells_update: bool = True
    merge_tells_delete: bool = True
    merge_tells_orders: bool = True

    # Refunds. Shopify says that current prices reflect them, not whether a mere amount comes off the goods.
    refund_lowers_subtotal: bool = True
    empty_refunds: bool = False  # what an edit or a cancellation takes off makes a refund without money

    # The Admin API.
    cost_maximum: float = 2000.0
    cost_restore: float = 100.0
    cost_query_limit: int = 1000
    search_lag: float = 0.0  # seconds
    server_errors: float = 0.0
    protected_denied: bool = False
    tags_touch: bool = False  # whether tag and consent changes move updated_at, which Shopify does not document
    scopes: list[str] = field(default_factory=lambda: list(SCOPES))

    # Tokens. A number of refusals counts down to none.
    token_seconds: int = 86_399  # of client credentials
    access_seconds: int = 3_600  # of an authorization that asks for expiring tokens
    token_refused: int = 0  # calls of the Admin API that answer 401 to a good token
    refresh_server_errors: int = 0  # refreshes that answer 520 and are not carried out
    refresh_lost: int = 0  # refreshes that are carried out and answer 502
    leave_out_expires_in: bool = False

    def set(self, changes: dict[str, Any]) -> None:
        """Set several switches, all or none; an unknown name or a wrong type is a ValueError."""
        checked = {name: self._checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def _checked(self, name: str, value: Any) -> Any:
        if name not in {each.name for each in fields(self)}:
            raise ValueError(f"There is no fault {name!r}")
        present = getattr(self, name)
        if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is not type(present):
            raise ValueError(f"The fault {name!r} takes a {type(present).__name__}, not {value!r}")
        return value
