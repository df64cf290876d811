"""Identity: the canonical form of an email address and a phone number, so that a value can be found again.

Only the tight forms live here: what differs in canonical form may still be the same person, but what is equal in
canonical form is the same mailbox or the same line.
"""

import re
import unicodedata

import idna
import phonenumbers

PLAIN_EMAIL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}", re.ASCII)
E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
NULL_LIKE = frozenset({"", "n/a", "na", "none", "null", "nil", "nan", "undefined", "unknown", "-", "test", "tbd"})
PHONE_LENGTH_MAX = 64
_DIALLED = re.compile(r"[\d\s().\-/\u2010-\u2015]+")


def canonical_email(raw: str | None) -> str | None:
    """The tight form of an address, or None when there is no key in it.

    The local part is lower-cased without folding ß or ı (RFC 5321 section 2.4 tells hosts not to rely on its case), and
    normalised NFC, never NFKC (RFC 6532 section 3.1). The domain becomes its A-label (UTS 46, non-transitional).
    """
    if raw is None:
        return None
    lowered = raw.strip().lower()
    if PLAIN_EMAIL.fullmatch(lowered) and "xn--" not in lowered:
        return lowered
    return _full_email(_visible(raw).strip().lower())


def canonical_phone(raw: str | None, region: str | None) -> str | None:
    """The number as E.164, with `;ext=` where it has an extension, or None: a number without a region is never guessed.

    `region` is an ISO 3166-1 alpha-2 country, used only for numbers without their own country code.
    """
    if raw is None:
        return None
    text = raw.strip()
    if E164.fullmatch(text):
        return text
    if not text or len(text) > PHONE_LENGTH_MAX:
        return None
    return _parsed_phone(text, region)


def phone_forms(raw: str, region: str | None) -> tuple[str, ...]:
    """The canonical forms that a number can be kept under which somebody looks for; none if it is no number.

    People leave out the plus, dial the prefix of another country than the shop's, or know an extension that was never
    written down: whoever looks may mean several things, while what is kept has one form.
    """
    text = raw.strip()
    if len(text) > PHONE_LENGTH_MAX:
        return ()
    forms = [canonical_phone(text, region)]
    digits = "".join(str(unicodedata.decimal(each)) for each in text if each.isdecimal())
    if not text.startswith(("+", "\uff0b")) and _DIALLED.fullmatch(_visible(text)):
        for prefix in ("00", "011", ""):
            if digits.startswith(prefix) and not digits[len(prefix) :].startswith("0"):
                forms.append(_international(digits[len(prefix) :]))
    forms += [form.partition(";")[0] for form in forms if form is not None]
    return tuple(dict.fromkeys(form for form in forms if form is not None))


def _international(digits: str) -> str | None:
    """The number with its country code, if a number can be so."""
    return canonical_phone(f"+{digits}", None) if E164.fullmatch(f"+{digits}") else None


def _visible(raw: str) -> str:
    """The text without characters that nobody sees, and with every kind of blank as a space."""
    kept = []
    for character in raw:
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\r\n":
            kept.append(" ")
        elif category not in ("Cf", "Cc"):
            kept.append(character)
    return "".join(kept)


def _full_email(text: str) -> str | None:
    if text in NULL_LIKE or text.count("@") != 1:
        return None
    local, _, domain = text.partition("@")
    local = unicodedata.normalize("NFC", local.rstrip())
    if not local or " " in local or len(local) > 64:
        return None
    try:
        host = idna.encode(domain.strip().rstrip("."), uts46=True, transitional=False).decode("ascii").lower()
    except idna.IDNAError:
        return None
    return f"{local}@{host}" if "." in host else None


def _parsed_phone(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    # Possible, not valid: a number that is written as E.164 is taken as it stands, so the same number written in
    # another way must come to the same form, whether or not its exchange is in use.
    if not phonenumbers.is_possible_number(number):
        return None
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{plain};ext={number.extension}" if number.extension else plain
