"""Dates as systems write them: one that can be told for sure is a date, and any other stays what it is.

03/04/1990 is the third of April to some and the fourth of March to others. It is never guessed, by no country and by no
majority; only a format that a person wrote down makes it a date.
"""

import re
from datetime import date

FORMATS = ("YYYY-MM-DD", "YYYY/MM/DD", "YYYYMMDD", "DD.MM.YYYY", "DD/MM/YYYY", "DD-MM-YYYY", "MM/DD/YYYY", "MM-DD-YYYY")
"""What a date can be written as, each of which leads back to the same date."""

_PARTS = {"YYYY": r"(?P<year>[0-9]{4})", "MM": r"(?P<month>[0-9]{2})", "DD": r"(?P<day>[0-9]{2})"}
_YEAR_FIRST = re.compile(
    r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?)?"
)
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_DIGITS = re.compile(r"(?P<year>(?:19|20)[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})[ -](?P<month>[a-z]{3,9})[ ,-]+(?P<year>[0-9]{4})")
_MONTH_FIRST = re.compile(r"(?P<month>[a-z]{3,9}) (?P<day>[0-9]{1,2}),? (?P<year>[0-9]{4})")


def sure_date(text: str) -> date | None:
    """The date that a text cannot but mean; None for every other text, 03/04/1990 among them."""
    text = text.strip()
    for shape in (_YEAR_FIRST, _DIGITS):
        if found := shape.fullmatch(text):
            return _date(found["year"], found["month"], found["day"])
    if found := _YEAR_LAST.fullmatch(text):
        return _year_last(found[1], found[3], found[4])
    lowered = text.lower()
    if found := _DAY_FIRST.fullmatch(lowered) or _MONTH_FIRST.fullmatch(lowered):
        return _with_word(found["year"], found["month"], found["day"])
    return None


def written(day: date, form: str) -> str:
    """The date in one of FORMATS."""
    return form.replace("YYYY", f"{day.year:04}").replace("MM", f"{day.month:02}").replace("DD", f"{day.day:02}")


def read_date(text: str, form: str) -> date | None:
    """The date in a text of just that format; None for any other text."""
    pattern = re.escape(form)
    for part, shape in _PARTS.items():
        pattern = pattern.replace(part, shape)
    found = re.fullmatch(pattern, text.strip(), re.ASCII)
    return None if found is None else _date(found["year"], found["month"], found["day"])


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _year_last(first: str, second: str, year: str) -> date | None:
    """Either may be the day; sure only where just one way is a date, or both are the same."""
    ways = {_date(year, second, first), _date(year, first, second)} - {None}
    return ways.pop() if len(ways) == 1 else None


def _with_word(year: str, month: str, day: str) -> date | None:
    number = _MONTHS.index(month[:3]) + 1 if month[:3] in _MONTHS else 0
    if not number or not (len(month) == 3 or month == _NAMES[number - 1] or month == "sept"):
        return None
    return _date(year, str(number), day)
