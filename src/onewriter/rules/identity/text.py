"""Text as it arrives: characters that nobody sees, ways of writing an entity, and letters that look like others.

Each step says what it did, as a word in `repairs`, so that two values which differ in nothing else can be told to
differ in format only.
"""

import html
import re
import unicodedata

NULL_LIKE = frozenset(
    {
        "", "n/a", "na", "n.a.", "none", "null", "nil", "nan", "undefined", "unknown", "-", "--", "---", ".", "?",
        "test", "tbd", "[object object]", "#n/a", "#ref!", "#value!", "(null)", "<null>", "(none)",
        "\\n", "not provided",
    }
)  # fmt: skip
"""What is written where there is nothing; empty never equals empty."""

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BLANKS = frozenset("\t\r\n\v\f\u0085\u3164\uffa0\u115f\u1160\u2800")
_UNSEEN = frozenset("\u034f\u180b\u180c\u180d\u180f")
_ASCII_UNSEEN = re.compile(r"[\x00-\x1f\x7f]")

_PAIRS = """
аa еe оo рp сc уy хx іi јj ѕs һh ԁd ԛq ԝw ӏl кk мm тt вb нh гr ьb ӓa ёe їi ґr
οo αa νv ρp τt ιi κk υu χx γy εe ηn ωw βb όo άa έe ίi
օo սu ոn հh ցg ɑa ɡg
"""
_LOOKS_LIKE = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}
"""Cyrillic, Greek, Armenian and IPA letters, and the small Latin letter that each is taken for."""


def visible(raw: str) -> str:
    """The text without characters that nobody sees, and with every kind of blank as a space."""
    if raw.isascii():
        return raw if raw.isprintable() else _ASCII_UNSEEN.sub(_ascii_blank, raw)
    return "".join(map(_seen, raw))


def _ascii_blank(found: re.Match[str]) -> str:
    return " " if found[0] in "\t\r\n\v\f" else ""


def _seen(character: str) -> str:
    if character in _BLANKS:
        return " "
    # Variation selectors are marks by their category, and yet nothing is drawn for them.
    if character in _UNSEEN or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return ""
    kind = unicodedata.category(character)
    if kind in ("Zs", "Zl", "Zp"):
        return " "
    return "" if kind in ("Cf", "Cc", "Cs") else character


def without_entities(raw: str) -> str:
    """The text with HTML entities as what they stand for, twice over where they were escaped twice.

    Only entities with their semicolon, since an ampersand and letters alone are a lawful part of an address.
    """
    for _ in range(2):
        if "&" not in raw or ";" not in raw:
            break
        raw = _ENTITY.sub(lambda found: html.unescape(found[0]), raw)
    return raw


def cleaned(raw: str) -> tuple[str, tuple[str, ...]]:
    """The text that somebody sees, trimmed, and what was done to it."""
    repairs = []
    text = without_entities(raw)
    if text != raw:
        repairs.append("entities")
    seen = visible(text)
    if seen.replace(" ", "") != "".join(text.split()):
        repairs.append("unseen characters")
    stripped = seen.strip()
    if stripped != text and "unseen characters" not in repairs:
        repairs.append("blanks")
    return stripped, tuple(repairs)


def is_null_like(text: str) -> bool:
    """True for what stands where there is nothing."""
    return text.strip().lower() in NULL_LIKE


def skeleton(lowered: str) -> str:
    """The text as somebody may misread it: wide and combined forms opened, and foreign letters as those they look like.

    Equal skeletons are a reason to look, never a reason to link: what differs may be a fraud.
    """
    if lowered.isascii():
        return lowered
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", lowered).lower().translate(_LOOKS_LIKE))


def demojibaked(text: str) -> str:
    """The text as it was before UTF-8 was read as Windows-1252 or Latin-1; unchanged if it was not."""
    if text.isascii():
        return text
    # Whoever lower-cased it since has changed the first of the two bytes of most letters.
    for each in (text, text.translate(_RAISED)):
        for encoding in ("cp1252", "latin-1"):
            try:
                return each.encode(encoding).decode("utf-8")
            except UnicodeError:
                continue
    return text


_RAISED = str.maketrans("âãäåæ", "ÂÃÄÅÆ")
