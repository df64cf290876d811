"""Email addresses: the tight form under which an address is found, and the soft one that is worth a look.

What is equal in tight form is the same mailbox. What is equal in soft form only may be: a provider may ignore dots and
tags, and a letter may be taken for another.
"""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

import idna

from onewriter.rules.identity.strength import Strength, email_strength
from onewriter.rules.identity.text import cleaned, demojibaked, is_null_like, skeleton

PLAIN_EMAIL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}", re.ASCII)
EMAIL_LENGTH_MAX = 1_000
"""Characters of what arrives; RFC 5321 ends an address at 254, and a display name may stand before it."""
LOCAL_MAX = 64

ALIASES = {
    "googlemail.com": "gmail.com",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "protonmail.com": "proton.me",
    "protonmail.ch": "proton.me",
    "pm.me": "proton.me",
    "ya.ru": "yandex.ru",
    "yandex.com": "yandex.ru",
    "yandex.by": "yandex.ru",
    "yandex.kz": "yandex.ru",
}
"""Hosts of one provider that deliver to one mailbox, by the name that stands for them all."""
DOTLESS = frozenset({"gmail.com"})
"""Where dots in the local part mean nothing; never for hosts of one's own at the same provider."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*@\s*([^@"]+)')
_DOT_ATOM = re.compile(r"[^\s\"(),:;<>@\[\\\]]+")
_FOREIGN = re.compile(r'[\s"(),:;<>@\[\\\]]')
_ADDRESS = re.compile(r"[^\s<>,;\"'()]+@[^\s<>,;\"'()@]+")
_OPENING = "\"'`´‘’‚“”„«»‹›"
_SCHEME = re.compile(r"(?:(?:mailto|email|e-mail|mail)\s*:\s*)+(?://)?", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]]*)\]\(mailto:[^()]*\)", re.IGNORECASE)
_CELL = re.compile(r'=\s*"(.*)"')
_REMARK = re.compile(r"\s\([^()@]*\)$")


@dataclass(frozen=True, slots=True)
class Email:
    """What an address says: its tight and soft form, how much an equal one means, and what was repaired."""

    tight: str | None = None
    soft: str | None = None
    strength: Strength = "strong"
    repairs: tuple[str, ...] = ()
    problem: str | None = None
    """Why there is no tight form."""


NO_EMAIL = Email(problem="empty")


def canonical_email(raw: str | None) -> str | None:
    """The tight form of an address, or None when there is no key in it.

    The local part is lower-cased without folding ß or ı (RFC 5321 section 2.4 tells hosts not to rely on its case), and
    normalised NFC, never NFKC (RFC 6532 section 3.1). The domain becomes its A-label (UTS 46, non-transitional).
    """
    if raw is None:
        return None
    lowered = raw.strip().lower()
    return lowered if _is_plain(lowered) else read_email(raw).tight


def read_email(raw: str | None) -> Email:
    """What there is to know of an address as somebody wrote it."""
    if raw is None:
        return NO_EMAIL
    if len(raw) > EMAIL_LENGTH_MAX:
        return Email(problem="too long")
    stripped = raw.strip()
    lowered = stripped.lower()
    if _is_plain(lowered):
        repairs = () if lowered == raw else _told(("blanks", stripped != raw), ("case", lowered != stripped))
        local, host = lowered.rsplit("@", 1)
        return _email(local, host, repairs)
    text, repairs = cleaned(raw)
    if is_null_like(text):
        return Email(repairs=repairs, problem="empty")
    bare, wrapped = _unwrapped(text)
    found = _read(bare, (*repairs, *_told(("wrapping", wrapped))))
    return found if found.tight is not None else _soft_only(bare, found)


def _is_plain(lowered: str) -> bool:
    """True if nothing is left to do but to take it: no label to check, and no apostrophe of a spreadsheet's."""
    return PLAIN_EMAIL.fullmatch(lowered) is not None and "xn--" not in lowered and lowered[0] != "'"


def _told(*steps: tuple[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, done in steps if done)


def _unwrapped(text: str) -> tuple[str, bool]:
    """The address out of `mailto:`, a display name, brackets, quotes and signs at its ends."""
    bare = text
    for _ in range(6):
        before = bare
        bare = _LINK.sub(r"\1", _CELL.sub(r"\1", bare)) if bare[:1] in ("[", "=") else bare
        bare = _without_scheme(bare)
        bare = _without_display(bare)
        bare = _REMARK.sub("", bare.strip(" \t,;")).strip(" \t,;")
        bare = _without_quotes(bare)
        if bare == before:
            break
    if "@" in bare:
        # The root of the domain, or the end of a sentence; either way no part of it.
        bare = bare.rstrip(".")
    return bare, bare != text


def _without_scheme(text: str) -> str:
    found = _SCHEME.match(text)
    if found is None:
        return text
    return unquote(text[found.end() :].partition("?")[0]) if "mailto" in found[0].lower() else text[found.end() :]


def _without_display(text: str) -> str:
    """The address in angle brackets, unless the name before it is another address."""
    if not text.rstrip(" .,;").endswith(">") or text.count("<") != 1:
        return text
    display, _, rest = text.partition("<")
    address = rest.rstrip(" .,;").removesuffix(">").strip()
    other = _ADDRESS.search(display)
    if other is not None and other[0].lower() != address.lower():
        return text
    return address if "@" in address or not display.strip() else text


def _without_quotes(text: str) -> str:
    if text.count("<") + text.count(">") == 1 and "@" in text:
        return text.strip("<>").strip()
    if len(text) > 2 and ((text[0] in _OPENING and text[-1] in _OPENING) or (text[0] + text[-1] in ("[]", "()"))):
        return text[1:-1].strip()
    if text[:1] in ("'", "’", "`") and text.count(text[0]) % 2 and "@" in text:
        return text[1:].strip()
    if text[-1:] in _OPENING and "@" in text:
        return text[:-1].strip()
    return text


def _read(text: str, repairs: tuple[str, ...]) -> Email:
    """What an address says that stands alone."""
    if is_null_like(text):
        return Email(repairs=repairs, problem="empty")
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        local, host = _unquoted(quoted[1]), quoted[2]
        repairs = (*repairs, "quotes")
    elif text.count("@") != 1:
        return Email(repairs=repairs, problem="two addresses" if len(_ADDRESS.findall(text)) > 1 else "not one @")
    else:
        local, host = text.split("@")
        if local.rstrip() != local or host.lstrip() != host:
            repairs = (*repairs, "blanks")
        local = local.rstrip()
        if _FOREIGN.search(local):
            return Email(repairs=repairs, problem="a local part that no mailbox has")
    lowered = unicodedata.normalize("NFC", local.lower())
    if not lowered or len(lowered) > LOCAL_MAX:
        return Email(repairs=repairs, problem="a local part that no mailbox has")
    name = _host(host)
    if name is None:
        return Email(repairs=repairs, problem="no domain")
    done = _told(("case", lowered != local or host.lower() != host), ("domain", name != host.strip().lower()))
    return _email(lowered, name, tuple(dict.fromkeys((*repairs, *done))))


def _unquoted(inner: str) -> str:
    """A quoted local part without its quotes where it needs none: all quoted forms are equivalent (RFC 5321 4.1.2)."""
    plain = re.sub(r"\\(.)", r"\1", inner)
    if _DOT_ATOM.fullmatch(plain) and not plain.startswith(".") and not plain.endswith(".") and ".." not in plain:
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _host(raw: str) -> str | None:
    """The A-label of a domain; None if it is none, or has no dot."""
    bare = raw.strip().rstrip(".。．｡")
    try:
        host = idna.encode(bare, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        found = _other_label(bare)
        if found is None:
            return None
        host = found
    return host if "." in host.strip(".") else None


def _other_label(bare: str) -> str | None:
    """The A-label of what UTS 46 allows and IDNA 2008 does not, such as the symbols of some domains in use."""
    try:
        labels = idna.uts46_remap(bare).split(".")
        made = [each if each.isascii() else f"xn--{each.encode('punycode').decode('ascii')}" for each in labels]
    except (idna.IDNAError, UnicodeError):
        return None
    fine = all(re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)", each) for each in made)
    return ".".join(made) if fine and bare and len(made) > 1 else None


def _email(local: str, host: str, repairs: tuple[str, ...]) -> Email:
    tight = f"{local}@{host}"
    return Email(tight, _soft(local, host), email_strength(local, host), repairs)


def _soft(local: str, host: str) -> str:
    """The form that is equal for addresses which may be one mailbox."""
    local = skeleton(demojibaked(local))
    if "xn--" in host:
        host = skeleton(_seen_host(host))
    host = ALIASES.get(host, host)
    base = local.partition("+")[0] or local
    if host in DOTLESS:
        base = base.replace(".", "") or base
    return f"{base}@{host}"


def _seen_host(host: str) -> str:
    try:
        return idna.decode(host)
    except (idna.IDNAError, UnicodeError):
        return host


def _soft_only(text: str, found: Email) -> Email:
    """A damaged address may still be worth a look, by what it was before: an @ that is wide or escaped."""
    if "@" in text:
        return found
    opened = unquote(unicodedata.normalize("NFKC", text))
    again = _read(opened, found.repairs) if "@" in opened else found
    return Email(soft=again.soft, strength=again.strength, repairs=found.repairs, problem=found.problem)
