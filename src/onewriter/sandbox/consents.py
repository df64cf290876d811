"""Marketing consent: three channels with the same rules, and each with the API's own names for them."""

from dataclasses import dataclass, replace
from typing import Any

from onewriter.sandbox.customer import NEVER_ASKED, UNDECIDED, Consent, Customer
from onewriter.sandbox.normalise import Mistake, Refused

STATES = ("PENDING", "SUBSCRIBED", "UNSUBSCRIBED")


@dataclass(frozen=True, slots=True)
class Channel:
    """How one channel is named: on our record, in the input of its mutation, in refusals and as a topic."""

    field: str
    contact: str
    contact_words: str
    input: str
    state: str
    level: str
    at: str
    topic: str
    collected_from: str | None

    def of(self, record: Customer) -> Consent:
        consent: Consent = getattr(record, self.field)
        return consent

    def put(self, record: Customer, consent: Consent) -> Customer:
        changes: dict[str, Any] = {self.field: consent}
        return replace(record, **changes)

    def reaches(self, record: Customer) -> bool:
        return bool(getattr(record, self.contact))


_OLDER = ("marketingState", "marketingOptInLevel", "consentUpdatedAt")
EMAIL = Channel(
    *("email_consent", "email", "an email address", "emailMarketingConsent", *_OLDER),
    topic="customers_email_marketing_consent/update",
    collected_from=None,
)
SMS = Channel(
    *("sms_consent", "phone", "a phone number", "smsMarketingConsent", *_OLDER),
    topic="customers_marketing_consent/update",
    collected_from="OTHER",
)
WHATSAPP = Channel(
    *("whatsapp_consent", "phone", "a phone number", "whatsAppMarketingConsent", "state", "optInLevel", "updatedAt"),
    topic="customers_whats_app_marketing_consent/update",
    collected_from="OTHER",
)
CHANNELS = (EMAIL, SMS, WHATSAPP)


def decided(record: Customer, channel: Channel, state: str, level: str | None, at: int | None, now: float) -> Customer:
    """The customer with a consent as a person or an app sets it, or Refused. `at` is in seconds, none means now."""
    where = ("input", channel.input)
    if not channel.reaches(record):
        raise Refused(Mistake(("input",), f"Customer must have {channel.contact_words}", "INVALID"))
    if state not in STATES:
        raise Refused(Mistake((*where, channel.state), f"Cannot specify {state} as a marketing state input", "INVALID"))
    if state == "SUBSCRIBED" and level is None:
        raise Refused(Mistake((*where, channel.level), "Marketing opt in level must be present", "MISSING_ARGUMENT"))
    if state == "PENDING" and level != "CONFIRMED_OPT_IN":
        message = "Marketing opt in level must be confirmed opt-in for pending consent state"
        raise Refused(Mistake((*where, channel.level), message, "INVALID"))
    if at is not None and at > now:
        raise Refused(Mistake((*where, channel.at), "Consent updated at must not be in the future", "INVALID"))
    consent = Consent(state, level or channel.of(record).level, int(now) if at is None else at, channel.collected_from)
    return channel.put(record, consent)


def kept_in_step(record: Customer) -> Customer:
    """A new address or number starts undecided; one that is gone takes its consents with it."""
    email = record.email_consent if record.email else NEVER_ASKED
    sms = record.sms_consent if record.phone else NEVER_ASKED
    return replace(
        record,
        email_consent=UNDECIDED if record.email and email == NEVER_ASKED else email,
        sms_consent=UNDECIDED if record.phone and sms == NEVER_ASKED else sms,
        whatsapp_consent=record.whatsapp_consent if record.phone else NEVER_ASKED,
    )


def changed(before: Customer | None, after: Customer) -> list[Channel]:
    """The channels whose consent a write moved; at a creation those that somebody decided."""
    if before is None:
        return [channel for channel in CHANNELS if channel.of(after) not in (NEVER_ASKED, UNDECIDED)]
    return [channel for channel in CHANNELS if channel.of(before) != channel.of(after)]
