"""Sameness: whether two systems say the same in a field, whichever way each of them writes it.

What differs in form alone is told apart from what differs for real, and from what nobody can decide. Raw values that
are equal are never put into another form.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from onewriter.rules.comparing import is_empty, same, same_consent, tidy
from onewriter.rules.dates import sure_date
from onewriter.rules.diagnosis.evidence import FieldRules, Side
from onewriter.rules.diagnosis.facts import Verdict
from onewriter.rules.identity import canonical_email, canonical_phone
from onewriter.rules.transforms import TRANSFORMS, Unfit, truth

EMAIL, PHONE, TAGS, CODE, FREE = "email", "phone", "tags", "code", "free"

_WORD = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PHONES = frozenset({"phone", "mobile", "tel", "telephone", "cell", "cellphone", "telefon", "handy", "gsm", "msisdn"})
_EMAILS = frozenset({"email", "mail", "emailaddress"})
_TAGS = frozenset({"tags", "tag", "labels", "segments", "categories", "groups"})
_CODES = frozenset({"country", "province", "state", "locale", "language", "lang", "currency", "status", "consent"})
_NOT_THE_VALUE = frozenset(
    {"consent", "marketing", "subscribed", "optin", "opt", "state", "status", "verified", "type"}
)
"""A field with such a word tells something about an address or a number, and not which it is."""
_PHONE_FORMS = frozenset({"e164", "bare_e164", "national_phone"})
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_SEPARATOR = re.compile(r"\s*[,;|]\s*")
_DIALLED = re.compile(r"\+?[\d\s().\-/]{6,}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_YES_NO = {"yes": True, "y": True, "on": True, "1": True, "no": False, "n": False, "off": False, "0": False}
_CODE_MAX = 8
"""Digits that a country code and a dialling prefix before it have together, at most."""


@dataclass(slots=True)
class Form:
    """How the values of one field are compared."""

    rules: FieldRules
    origin: Side
    region: str | None
    nature: str = FREE
    enum: dict[str, list[Any]] = field(default_factory=dict)
    names: dict[Side, str] = field(default_factory=dict)
    """By side, its own name for the field."""
    logged: dict[Side, frozenset[str]] = field(default_factory=dict)
    """By side, what a log may call it."""

    def verdict(self, source: Any, target: Any) -> Verdict:
        """What comparing a value of the source with one of the target comes to."""
        if source == target:
            return Verdict.EQUAL
        empty = is_empty(source), is_empty(target)
        if any(empty):
            return Verdict.EQUAL if all(empty) else Verdict.REAL
        if self.enum and (found := self._by_enum(source, target)) is not None:
            return found
        lossy = False
        if (transform := TRANSFORMS.get(self.rules.transform or "")) is not None and transform.name != "same":
            lossy = transform.lossy
            if not lossy and (found := self._by_transform(source, target)) is not None:
                return found
        return self._by_form(source, target, lossy=lossy)

    def alike(self, one: Any, at: Side, other: Any, other_at: Side) -> bool:
        """Whether two values, each of some side, say the same; for values of the past as well as those of now."""
        if one == other:
            return True
        if not (_is_plain(one) and _is_plain(other)):
            # Digests of a log are equal or not, and have no other form.
            return False
        source, target = (one, other) if at is Side.SOURCE else (other, one)
        if at is other_at:
            empty = is_empty(one), is_empty(other)
            if any(empty):
                return all(empty)
            return self._by_form(source, target, lossy=False) is Verdict.FORMAT
        return self.verdict(source, target) in (Verdict.EQUAL, Verdict.FORMAT)

    def _by_enum(self, source: Any, target: Any) -> Verdict | None:
        wanted = self.enum.get(_word_of(source))
        if wanted is None:
            return None
        if any(target == each for each in wanted):
            return Verdict.EQUAL
        return Verdict.FORMAT if any(_word_of(target) == _word_of(each) for each in wanted) else None

    def _by_transform(self, source: Any, target: Any) -> Verdict | None:
        """What a transform that leads back makes of it; the form that was agreed is no other form."""
        name = self.rules.transform or ""
        transform, options = TRANSFORMS[name], {"country": self.region}
        # What e164 tidied up was written otherwise before, and is worth a line as such.
        verdict = Verdict.FORMAT if name == "e164" else Verdict.EQUAL
        for plain, remote in ((source, target), (target, source)):
            made = transform.outward(plain, options)
            if not isinstance(made, Unfit) and (made == remote or same("", made, remote, None)):
                return verdict
            back = transform.inward(remote, options) if transform.inward is not None else Unfit("")
            if not isinstance(back, Unfit) and not is_empty(back) and self._tell(plain, back) is Verdict.EQUAL:
                return verdict
        return None

    def _tell(self, plain: Any, back: Any) -> Verdict:
        if plain == back or self._by_form(plain, back, lossy=False) is Verdict.FORMAT:
            return Verdict.EQUAL
        return Verdict.REAL

    def _by_form(self, source: Any, target: Any, *, lossy: bool) -> Verdict:
        if isinstance(source, list | tuple) or isinstance(target, list | tuple) or self.nature == TAGS:
            return _said(_as_set(source) == _as_set(target))
        if isinstance(source, dict) or isinstance(target, dict):
            return _said(self._same_document(source, target))
        if self._is_phone(source, target) and (phones := self._phones(source, target, lossy=lossy)) is not None:
            return phones
        if isinstance(source, str) and isinstance(target, str):
            return self._texts(source, target)
        return _said(same("", source, target, self.region) or _same_truth(source, target))

    def _same_document(self, source: Any, target: Any) -> bool:
        """Two documents; of a consent only its state is compared, where one side holds no more."""
        if isinstance(source, dict) and isinstance(target, dict):
            if "state" in source and "state" in target:
                return same_consent(source, target)
            return same("", source, target, self.region)
        document, word = (source, target) if isinstance(source, dict) else (target, source)
        if not isinstance(document.get("state"), str):
            return False
        if isinstance(word, bool) and self.rules.transform == "consent_flag":
            return bool(word == (document["state"] == "subscribed"))
        return isinstance(word, str) and code(document["state"]) == code(word)

    def _texts(self, source: str, target: str) -> Verdict:
        one, other = tidy(source), tidy(target)
        # Capitals in names and free text are a difference, as everywhere in the product: McDonald is not Mcdonald, and
        # whoever reads it sees it. Addresses of mail and codes mean the same in both.
        if one == other:
            return Verdict.FORMAT
        if self.nature == CODE:
            return _said(code(one) == code(other))
        if "@" in one and "@" in other:
            mail = canonical_email(source)
            return _said(mail is not None and mail == canonical_email(target))
        if self.nature == EMAIL:
            return _said(one.casefold() == other.casefold())
        if (dated := _dates(one, other)) is not None:
            return dated
        if _DECIMAL.fullmatch(one) and _DECIMAL.fullmatch(other):
            return _said(one.rstrip("0") == other.rstrip("0"))
        return Verdict.REAL

    def _is_phone(self, source: Any, target: Any) -> bool:
        if isinstance(source, bool) or isinstance(target, bool):
            return False
        if self.nature == PHONE:
            return isinstance(source, str | int) and isinstance(target, str | int)
        both = isinstance(source, str) and isinstance(target, str)
        return both and source.startswith("+") and target.startswith("+") and _DIALLED.fullmatch(target) is not None

    def _phones(self, source: Any, target: Any, *, lossy: bool) -> Verdict | None:
        """Two numbers; None where they are none, and so are compared as texts."""
        texts = str(source), str(target)
        numbers = canonical_phone(texts[0], self.region), canonical_phone(texts[1], self.region)
        if None not in numbers:
            return _said(numbers[0] == numbers[1])
        digits = tuple(map(bare_digits, texts))
        if len(digits[0]) < 5 or len(digits[1]) < 5 or any(map(_is_lettered, texts)):
            return None
        if digits[0] == digits[1]:
            # A plus that is gone takes no digit with it; where the mapping says so, that loss is the finding.
            return _said(not lossy)
        if not is_national_of(*texts) and not is_national_of(texts[1], texts[0]):
            return Verdict.REAL
        origin, copy = texts if self.origin is Side.SOURCE else texts[::-1]
        if self.rules.transform in ("national_phone", "bare_e164"):
            return Verdict.FORMAT
        # A copy that gained the country code lost nothing, and one that lost it cannot be dialled from abroad.
        return _said(is_national_of(origin, copy))


def form_of(rules: FieldRules, origin: Side, region: str | None) -> Form:
    """How a field is compared, by its names, its kind and its transform."""
    enum: dict[str, list[Any]] = {}
    for told, becomes in (rules.enum or {}).items():
        enum.setdefault(_word_of(told), []).append(becomes)
    names = {Side.SOURCE: rules.source_field, Side.TARGET: rules.target_field}
    logged = {side: frozenset((name,)) for side, name in names.items()}
    return Form(rules, origin, region, nature_of(rules), enum, names, logged)


def nature_of(rules: FieldRules) -> str:
    """What a field holds: an address of mail, a phone number, tags, a code, or free text."""
    if rules.transform in _PHONE_FORMS:
        return PHONE
    if rules.kind == "consent":
        return CODE
    for name in (rules.name, rules.source_field, rules.target_field):
        if (found := nature_of_name(name)) != FREE:
            return found
    return FREE


def nature_of_name(name: str) -> str:
    """What a field of such a name holds."""
    words = _WORD.findall(_CAMEL.sub("_", name).lower())
    said = {*words, *("".join(pair) for pair in pairwise(words))}
    if words[:1] == ["tags"] or said & _TAGS:
        return TAGS
    if not said & _NOT_THE_VALUE:
        if said & _EMAILS:
            return EMAIL
        if said & _PHONES:
            return PHONE
    return CODE if said & _CODES else FREE


def identity_key(nature: str, value: Any, region: str | None) -> str | None:
    """The canonical form of an address or a number under which a record is found; None where there is none."""
    if is_empty(value) or isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if nature == EMAIL:
        return canonical_email(str(value))
    if nature == PHONE:
        digits = bare_digits(str(value))
        return canonical_phone(str(value), region) or (digits if len(digits) >= 7 else None)
    return tidy(str(value)) or None


def bare_digits(text: str) -> str:
    """The digits of a number without the zeros that are dialled before a country code."""
    digits = "".join(filter(str.isdigit, text))
    return digits[2:] if digits.startswith("00") else digits


def is_national_of(national: str, whole: str) -> bool:
    """Whether the first is the second without its country code, with or without the zero dialled at home."""
    if national.lstrip().startswith(("+", "00")):
        return False
    short, long = "".join(filter(str.isdigit, national)).lstrip("0"), bare_digits(whole)
    lost = len(long) - len(short)
    # A zero of some countries' own stays behind the code, so that up to four digits may be gone.
    return len(short) >= 6 and 1 <= lost <= 4 and long.endswith(short) and not long.startswith("0")


def moment_of(text: str) -> datetime | None:
    """The date and time in a text, if it has both."""
    if len(text) > 40 or len(text) < 13 or ("T" not in text and " " not in text):
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    return None


def code(text: str) -> str:
    """A word that means the same however it is joined and in whatever letters."""
    return tidy(text).casefold().replace("_", "-").replace(" ", "-")


def _dates(one: str, other: str) -> Verdict | None:
    """Two dates or times; None where they are no dates."""
    if not (one[:1].isalnum() and any(map(str.isdigit, one)) and any(map(str.isdigit, other))):
        return None
    moments = moment_of(one), moment_of(other)
    days = _day(one, moments[0]), _day(other, moments[1])
    if days[0] is not None and days[1] is not None:
        return None if one.isdigit() and other.isdigit() else _said(days[0] == days[1])
    if moments[0] is not None and moments[1] is not None:
        return _said(_same_moment(moments[0], moments[1]))
    readings = readings_of(one) if days[0] is None else {days[0]}, readings_of(other) if days[1] is None else {days[1]}
    if not (readings[0] and readings[1]):
        return None
    return _unsure(one, other) if readings[0] & readings[1] else Verdict.REAL


def _day(text: str, moment: datetime | None) -> date | None:
    if (day := sure_date(text)) is not None:
        return day
    if moment is None or moment.tzinfo not in (None, UTC):
        return None
    return moment.date() if (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0) else None


def _same_moment(one: datetime, other: datetime) -> bool:
    if (one.tzinfo is None) == (other.tzinfo is None):
        return one == other
    # Without a zone only the hands of the clock can be compared.
    return one.replace(tzinfo=None) == other.replace(tzinfo=None)


def readings_of(text: str) -> set[date]:
    """The dates that a text such as 03/04/1990 may mean."""
    found = _YEAR_LAST.fullmatch(text.strip())
    ways: set[date] = set()
    if found is not None:
        for day, month in ((found[1], found[3]), (found[3], found[1])):
            with suppress(ValueError):
                ways.add(date(int(found[4]), int(month), int(day)))
    return ways


def _unsure(one: str, other: str) -> Verdict:
    """Two texts that may be one date: the same numbers in the same order with the same sign between are."""
    parts = [_YEAR_LAST.fullmatch(each) for each in (one, other)]
    if parts[0] is not None and parts[1] is not None:
        numbers = [(int(each[1]), each[2], int(each[3]), each[4]) for each in parts if each is not None]
        if numbers[0] == numbers[1]:
            return Verdict.FORMAT
    return Verdict.UNDECIDABLE


def _said(is_same: bool) -> Verdict:
    return Verdict.FORMAT if is_same else Verdict.REAL


def _as_set(value: Any) -> set[str]:
    parts = value if isinstance(value, list | tuple) else _SEPARATOR.split(str(value).strip("[](){} "))
    return {tidy(str(each)).casefold() for each in parts} - {""}


def _same_truth(source: Any, target: Any) -> bool:
    if not isinstance(source, bool) and not isinstance(target, bool):
        return False
    said = _truth(source), _truth(target)
    return said[0] is not None and said[0] == said[1]


def _truth(value: Any) -> bool | None:
    said = truth(value)
    return _YES_NO.get(str(value).strip().lower()) if said is None else said


def _word_of(value: Any) -> str:
    return "" if value is None else code(str(value))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | list | tuple | Mapping)


def _is_lettered(text: str) -> bool:
    return any(map(str.isalpha, text))
