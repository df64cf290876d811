"""Phone numbers: the tight form under which a number is found, and the soft one that is worth a look.

A number without a country is never guessed. What libphonenumber does not know any more, or cannot know, is repaired
here: prefixes that countries have given up, a plus that was lost, words for an extension, and what a spreadsheet does.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from onewriter.rules.identity.numbering import Number, is_supported, own_code, parsed
from onewriter.rules.identity.regions import region_of
from onewriter.rules.identity.strength import Strength, is_placeholder_number
from onewriter.rules.identity.text import is_null_like, visible, without_entities

E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
PHONE_LENGTH_MAX = 64
RAW_MAX = 500
LOST_PLUS_MIN = 10
"""Digits that a number whose plus was lost has at least; fewer are some national number's."""

_SETTLED = re.compile(
    r"\+(?:1[2-9][0-9]{2}[2-9][0-9]{6}|44[1-9][0-9]{9}|33[1-9][0-9]{8}|41[2-9][0-9]{8}|61[2-9][0-9]{8})"
)
"""Numbers in E.164 that are sure to come out of the library as they are: most of what a shop has, and quick to tell."""
_DIALLED = re.compile(r"[\d\s().\-/\u2010-\u2015]+")
_ARTEFACT = re.compile(r'^=\s*"(.*)"$|^=\s*(\+?\d+)$')
_FLOAT = re.compile(r"(\+?\d{6,})[.,]0+")
_SCIENTIFIC = re.compile(r"\+?\d+(?:[.,]\d+)?\s?[eE]\s?\+?\d{1,3}")
_SCHEME = re.compile(r"^(?:tel|callto|sms|smsto|whatsapp|fax|phone|sip):(?://)?", re.IGNORECASE)
_EXTENSION = re.compile(
    r"(?:(?:[\s,;./(\-]*(?:;ext=|\b(?:extension|extensi[oó]n|extensie|extn|ext|exten|xtn|poste|durchwahl|dw|"
    r"nebenstelle|nst|apparat|app|klappe|kl|interno|interne|internal|int|anexo|ramal|доб|доп|wew|wewn|toestel|tst|"
    r"klapka|linka|linje|dahili|dah|alanr|bijnummer|"
    r"внутр|вн)\b)\.?\s*[:.#=\-]?|(?<=[\d)\s(,;])\s*(?:[x×*#~]|ext|ex|[,;]{2,}|内線|分机|分機|转|轉)\s*[:.]?)\s*)(\d{1,7})\s*[#)]?$",
    re.IGNORECASE,
)
_SIGNS = str.maketrans("·•‧_", "    ")
_LETTERS = re.compile(r"[^\W\d_]")
_LABEL = re.compile(r"^(?![oO]\d)[^\d+＋]*?(?=[+＋(\d])")
"""Words before a number; an O right before a digit stands for a zero, or for nothing that can be told."""
_BRACKETED = re.compile(r"\([\s(]*\+")
_VANITY = re.compile(r"\+?[\d\s().\-]*\d[\s().\-]*[A-Za-z][A-Za-z\d\s.\-]*")
_REMARK = re.compile(r"([+\d\s().\-/]*\d)[\s().,;\-]+[^\W\d_][^\d+]*")
_ZERO_PLUS = re.compile(r"\+[\s()]*0+")
_BETWEEN = re.compile(r"[;,|&/]|\b(?:or|oder|ou|und|and|et|y|o|e)\b", re.IGNORECASE)
_MEXICAN = re.compile(r"(?:044|045|01|1)?([2-9]\d{9})")


@dataclass(frozen=True, slots=True)
class Phone:
    """What a number says: its tight and soft form, how much an equal one means, and what was repaired."""

    tight: str | None = None
    soft: str | None = None
    strength: Strength = "strong"
    repairs: tuple[str, ...] = ()
    problem: str | None = None
    """Why there is no tight form."""


NO_PHONE = Phone(problem="empty")


def canonical_phone(raw: str | None, region: str | None) -> str | None:
    """The number as E.164, with `;ext=` where it has an extension, or None: a number without a region is never guessed.

    `region` is an ISO 3166-1 alpha-2 country, used only for numbers without their own country code.
    """
    if raw is None:
        return None
    text = raw.strip()
    return text if _SETTLED.fullmatch(text) else read_phone(text, region).tight


def read_phone(raw: str | None, region: str | None) -> Phone:
    """What there is to know of a number as somebody wrote it; `region` may be a code or the name of a country."""
    if raw is None:
        return NO_PHONE
    if len(raw) > RAW_MAX:
        return Phone(problem="too long")
    return _read_phone(raw, region)


def phone_forms(raw: str, region: str | None) -> tuple[str, ...]:
    """The canonical forms that a number can be kept under which somebody looks for; none if it is no number.

    People leave out the plus, dial the prefix of another country than the shop's, or know an extension that was never
    written down: whoever looks may mean several things, while what is kept has one form.
    """
    text = raw.strip()
    if len(text) > PHONE_LENGTH_MAX:
        return ()
    forms = [canonical_phone(text, region)]
    digits = _digits(text)
    if not text.startswith(("+", "\uff0b")) and _DIALLED.fullmatch(visible(text)):
        for prefix in ("00", "011", ""):
            if digits.startswith(prefix) and not digits[len(prefix) :].startswith("0"):
                forms.append(_international(digits[len(prefix) :]))
    forms += [form.partition(";")[0] for form in forms if form is not None]
    return tuple(dict.fromkeys(form for form in forms if form is not None))


def _international(digits: str) -> str | None:
    """The number with its country code, if a number can be so."""
    return canonical_phone(f"+{digits}", None) if E164.fullmatch(f"+{digits}") else None


def _digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(each)) for each in text if each.isdecimal())


@lru_cache(maxsize=4_096)
def _read_phone(raw: str, region: str | None) -> Phone:
    text, repairs = _bare(raw)
    if is_null_like(text):
        return Phone(repairs=repairs, problem="empty")
    if len(text) > PHONE_LENGTH_MAX:
        return Phone(repairs=repairs, problem="too long")
    if _SCIENTIFIC.fullmatch(text):
        return _from_scientific(text, region_of(region), repairs)
    text, extension = _split_extension(text)
    digits = _digits(text)
    if is_placeholder_number(digits):
        return _placeholder(text, digits, region_of(region), repairs)
    if _are_two(text):
        return Phone(repairs=repairs, problem="two numbers")
    country = region_of(region)
    number, how = _worded(text, country) if _LETTERS.search(text) else _number(text, digits, country)
    if number is None:
        return _guessed(text, digits, country, repairs)
    if not number.extension:
        number = replace(number, extension=extension)
    done = (*repairs, *(() if how is None else (how,)))
    if not done and number.key != raw:
        done = ("format",)
    return _phone(number, done)


def _bare(raw: str) -> tuple[str, tuple[str, ...]]:
    """The number without entities, unseen characters, a spreadsheet's marks, a scheme and words before it."""
    opened = unicodedata.normalize("NFKC", visible(without_entities(raw))).translate(_SIGNS).strip()
    text = opened
    found = _ARTEFACT.match(text)
    if found is not None:
        text = found[1] or found[2] or ""
    text = text.strip("'’‘`´\"“”„ ,;").strip()
    exact = _FLOAT.fullmatch(text)
    if exact is not None:
        text = exact[1]
    damaged = text != opened
    if _SCHEME.match(text):
        text = _SCHEME.sub("", text).replace("%2B", "+").replace("%2b", "+").replace("%20", " ")
        if ";phone-context=" not in text:
            text = re.sub(r";(?!ext=)[a-z-]+=[^;]*", "", text)
    if text[:1].isalpha() or text[:1] in "☎✆📞📱":
        text = _LABEL.sub("", text)
    if _BRACKETED.match(text):
        text = text.lstrip("( ")
    repairs = ["spreadsheet"] if damaged else []
    if text != raw:
        repairs.append("format")
    return text.strip(), tuple(repairs)


def _split_extension(text: str) -> tuple[str, str | None]:
    found = _EXTENSION.search(text)
    if found is None or len(_digits(text[: found.start()])) < 5:
        return text, None
    return text[: found.start()].rstrip(" ,;.-/("), _digits(found[1])


def _are_two(text: str) -> bool:
    """True for two numbers in one field, of which neither is the one that is meant."""
    if len(re.findall(r"\+\s*\(?\s*[1-9]", text)) > 1:
        return True
    return sum(len(_digits(part)) >= 7 for part in _BETWEEN.split(text)) > 1


def _from_scientific(text: str, region: str | None, repairs: tuple[str, ...]) -> Phone:
    """A number that a spreadsheet shortened is no key; where every digit is still there, it is worth a look."""
    mantissa, _, exponent = text.lower().replace(",", ".").replace(" ", "").partition("e")
    whole, _, rest = mantissa.lstrip("+").partition(".")
    zeros = int(exponent.lstrip("+")) - len(rest)
    soft = None
    if 0 <= zeros <= 1 and len(whole + rest) >= LOST_PLUS_MIN - 1:
        found, _how = _number("", whole + rest + "0" * zeros, region)
        soft = None if found is None else _soft(found)
    return Phone(soft=soft, repairs=(*repairs, "spreadsheet"), problem="shortened by a spreadsheet")


def _placeholder(text: str, digits: str, region: str | None, repairs: tuple[str, ...]) -> Phone:
    number, _ = _number(text, digits, region)
    kept = None if number is None else number.key
    return Phone(kept, kept, "blocked", repairs, "a placeholder" if kept is None else None)


def _number(text: str, digits: str, region: str | None) -> tuple[Number | None, str | None]:
    """The number that is meant and how it was found; a valid one before one that is merely possible."""
    if text.startswith("+"):
        return _own_country(text, digits), None
    if region is not None and len(digits) > LOST_PLUS_MIN and digits.startswith(own_code(region) or "+"):
        # German numbers have so many lengths that 49 170 1234567 is also a number in the town with the prefix 0491.
        found = parsed(f"+{digits}", None)
        if found is not None and found.is_valid:
            return found, "plus"
    national = parsed(text or digits, region) if is_supported(region) else None
    if national is not None and national.is_valid:
        return national, None
    if region == "MX" and (found := _mexican(digits)) is not None:
        return found, "prefix"
    if region is not None and digits.startswith(f"0{own_code(region) or '+'}"):
        # The zero of the national number, and behind it the code that should have replaced it.
        found = parsed(f"+{digits[1:]}", None)
        if found is not None and found.is_valid:
            return found, "prefix"
    for prefix, name in (("00", "prefix"), ("011", "prefix"), ("", "plus")):
        if not digits.startswith(prefix) or digits[len(prefix) :].startswith("0"):
            continue
        if not prefix and (region is None or len(digits) < LOST_PLUS_MIN):
            continue
        found = _own_country(f"+{digits[len(prefix) :]}", digits[len(prefix) :])
        if found is not None and found.is_valid:
            return found, name
    return (national, None) if national is not None and national.is_possible else (None, None)


def _worded(text: str, region: str | None) -> tuple[Number | None, str | None]:
    """The number before a remark, or one that is spelt in letters; only a valid one, since a word may be anything."""
    if ";phone-context=" in text:
        return parsed(f"tel:{text}", region), None
    remark = _REMARK.fullmatch(text)
    if remark is not None:
        number, _ = _number(remark[1], _digits(remark[1]), region)
        if number is not None and number.is_valid:
            return number, "words"
    if _VANITY.fullmatch(text) is None:
        return None, None
    spelt = parsed(text, region if is_supported(region) else None)
    return (spelt, "letters") if spelt is not None and spelt.is_valid else (None, None)


def _own_country(text: str, digits: str) -> Number | None:
    """A number with its own country code; one in E.164 stays as it is, whether or not anybody can be called by it."""
    number = parsed(text, None)
    if number is not None and number.is_valid:
        return number
    if digits.startswith("52") and (found := _mexican(digits[2:])) is not None:
        return found
    if _ZERO_PLUS.match(text) and (found := parsed("+" + digits.lstrip("0"), None)) is not None and found.is_valid:
        return found
    if number is not None and number.is_possible:
        return number
    plain = f"+{digits}"
    return Number(plain, None, national=digits) if E164.fullmatch(plain) else None


def _mexican(national: str) -> Number | None:
    """A Mexican number without the prefixes that were given up in 2019, if that makes it one."""
    found = _MEXICAN.fullmatch(national)
    number = None if found is None else parsed(f"+52{found[1]}", None)
    return number if number is not None and number.is_valid else None


def _guessed(text: str, digits: str, region: str | None, repairs: tuple[str, ...]) -> Phone:
    """No key. Digits that are a valid number of some country are worth a look if nobody knows the country."""
    if region is not None or text.startswith("+") or len(digits) < 5:
        return Phone(repairs=repairs, problem="not a number")
    soft = None
    if len(digits) >= LOST_PLUS_MIN and not digits.startswith("0"):
        number = _own_country(f"+{digits}", digits)
        soft = _soft(number) if number is not None and number.is_valid else None
    return Phone(soft=soft, repairs=repairs, problem="no country")


def _phone(number: Number, repairs: tuple[str, ...]) -> Phone:
    strength: Strength = "strong" if number.is_valid and not number.is_shared else "weak"
    if is_placeholder_number(number.national):
        strength = "blocked"
    return Phone(number.key, _soft(number), strength, repairs)


def _soft(number: Number) -> str:
    """The form that is equal for numbers which may ring at one telephone: without extension and changed prefixes."""
    e164 = number.e164
    if e164.startswith("+549") and len(e164) == 14:
        return f"+54{e164[4:]}"
    if e164.startswith("+55") and len(e164) == 14 and e164[5] == "9":
        return f"{e164[:5]}{e164[6:]}"
    if e164.startswith("+39"):
        return f"+39{e164[3:].lstrip('0')}"
    if e164.startswith("+22901") and len(e164) == 14:
        return f"+229{e164[6:]}"
    return e164
