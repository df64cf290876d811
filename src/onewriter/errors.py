"""
Everything that onewriter raises on purpose.

OnewriterError
├── Temporary                another try may work; it does not count against a delivery
│   ├── DatabaseBusy         the database cannot take it now: locked, full or gone
│   ├── ShopifyThrottled     carries retry_after_s
│   ├── ShopifyUnreachable   no connection, a time-out, or a 5xx
│   ├── SystemThrottled      a connected system asks to be left alone; carries retry_after_s
│   └── SystemUnreachable    a connected system does not answer, or not with sense
└── Permanent                a person must look
    ├── BadInput             what somebody gave cannot be taken; carries the name of what it is about
    ├── BadSetting           a setting is unknown or cannot be read as its type
    ├── BulkRefused          Shopify refused or ended the bulk operation
    ├── CycleOvertaken       the policy changed, or the system was paused, while a cycle was under way
    ├── Forbidden            the role of whoever asks is too low
    ├── KeyDestroyed         the key was destroyed on purpose: the value is gone for good
    ├── KeyMissing           no key under that id, and no mark that it was destroyed
    ├── MasterKeyWrong       the master key does not open the key store
    ├── NotUnderstood        a body, topic or line that we cannot read
    ├── ScopeMissing         the token lacks a scope; carries scope and what it costs
    ├── ShopifyRefused       Shopify said no: a user error or an unknown query error
    ├── Superseded           another worker has taken this run over
    ├── SystemChanged        a connected system has not the fields any more that it had
    ├── SystemRefused        a connected system refuses the credentials, or the whole call
    ├── TokenRefused         the access token is revoked, expired or wrong
    └── Unknown              what was named is not there
        ├── UnknownCustomer
        ├── UnknownRun
        ├── UnknownShop
        └── UnknownSystem

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


class SystemThrottled(Temporary):
    """A connected system asks to be left alone for `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SystemUnreachable(Temporary):
    """A connected system does not answer, or not with sense."""


class Permanent(OnewriterError):
    """A person must look."""


class BadInput(Permanent):
    """What somebody gave cannot be taken as it is; `about` names the option, parameter or form field."""

    def __init__(self, message: str, about: str | None = None) -> None:
        super().__init__(message)
        self.about = about


class BadSetting(Permanent):
    """A setting is unknown, or cannot be read as its type."""


class BulkRefused(Permanent):
    """Shopify refused or ended the bulk operation."""


class CycleOvertaken(Permanent):
    """The policy changed, or the system was paused, while a cycle was under way: it ends where it stands."""


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


class SystemChanged(Permanent):
    """A connected system has not the fields any more that it had, or holds them in another form."""


class SystemRefused(Permanent):
    """A connected system refuses the credentials, or the whole call."""


class TokenRefused(Permanent):
    """The access token is revoked, expired or wrong."""


class Unknown(Permanent):
    """What was named is not there."""


class UnknownCustomer(Unknown):
    """No such customer in that shop."""


class UnknownRun(Unknown):
    """No such run."""


class UnknownShop(Unknown):
    """No such shop."""


class UnknownSystem(Unknown):
    """No such connected system in that shop."""
