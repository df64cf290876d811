"""
Everything that onewriter raises on purpose.

OnewriterError
├── Temporary                another try may work; it does not count against a delivery
│   ├── DatabaseBusy         the database cannot take it now: locked, full or gone
│   ├── ShopifyThrottled     carries retry_after_s
│   └── ShopifyUnreachable   no connection, a time-out, or a 5xx
└── Permanent                a person must look
    ├── BadSetting           a setting is unknown or cannot be read as its type
    ├── BulkRefused          Shopify refused or ended the bulk operation
    ├── Forbidden            the role of whoever asks is too low
    ├── KeyDestroyed         the key was destroyed on purpose: the value is gone for good
    ├── KeyMissing           no key under that id, and no mark that it was destroyed
    ├── MasterKeyWrong       the master key does not open the key store
    ├── NotUnderstood        a body, topic or line that we cannot read
    ├── ScopeMissing         the token lacks a scope; carries scope and what it costs
    ├── ShopifyRefused       Shopify said no: a user error or an unknown query error
    ├── Superseded           another worker has taken this run over
    ├── TokenRefused         the access token is revoked, expired or wrong
    ├── UnknownCustomer
    ├── UnknownRun
    └── UnknownShop

A message is one sentence with the next step, and never holds personal data: it is shown to people and logged.
"""


class OnewriterError(Exception):
    """The base of all of ours."""


class Temporary(OnewriterError):
    """Another try may work."""


class DatabaseBusy(Temporary):
    """The database cannot take it now: locked, full or gone."""


class ShopifyThrottled(Temporary):
    """Shopify's cost budget is used up; `retry_after_s` says when there is room again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ShopifyUnreachable(Temporary):
    """No connection, a time-out, or a 5xx."""


class Permanent(OnewriterError):
    """A person must look."""


class BadSetting(Permanent):
    """A setting is unknown, or cannot be read as its type."""


class BulkRefused(Permanent):
    """Shopify refused or ended the bulk operation."""


class Forbidden(Permanent):
    """The role of whoever asks is too low for it, or nobody may do it."""


class KeyDestroyed(Permanent):
    """The key was destroyed on purpose: the value is gone for good."""


class KeyMissing(Permanent):
    """There is no key under that id, and no mark that it was destroyed."""


class MasterKeyWrong(Permanent):
    """The master key does not open the key store."""


class NotUnderstood(Permanent):
    """A body, topic or line that cannot be read; it is kept and made a question."""


class ScopeMissing(Permanent):
    """The token lacks a scope."""

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class ShopifyRefused(Permanent):
    """Shopify said no: a user error, or a query error that another try will not mend."""


class Superseded(Permanent):
    """Another worker has taken this run over; stop without a trace."""


class TokenRefused(Permanent):
    """The access token is revoked, expired or wrong."""


class UnknownCustomer(Permanent):
    """No such customer in that shop."""


class UnknownRun(Permanent):
    """No such run."""


class UnknownShop(Permanent):
    """No such shop."""
