"""Names: the words of a person's name as people type them, and the beginnings under which they are looked up.

A name is folded, so that neither case nor accents matter: `Müller` and `MULLER` are one word. Whoever compares must
compare folded words, since only what was folded alike can be equal.
"""

import re
import unicodedata
from collections.abc import Iterable

PREFIXES = (3, 4, 6)
"""How many letters of a word are keys: a longer beginning is looked up by the longest of these that it holds.

A beginning of fewer letters than the first fits too many; a whole word of fewer can be found.
"""
LETTERS_MAX = 40
"""Of a longer word only so many letters count."""
WORDS_MAX = 8
"""Of a longer first or last name only so many words count."""
RAW_MAX = 255
"""Letters of a name that are looked at; Shopify holds no more."""

# Letters that have no accent to be taken off, and are typed without their stroke or as two.
_PLAIN = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "ŋ": "n", "ɓ": "b", "ɗ": "d", "ƙ": "k",
        "æ": "ae", "œ": "oe", "þ": "th", "ĸ": "k", "ə": "e", "ſ": "s", "ƴ": "y",
    }
)  # fmt: skip
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼʻ`´′＇ʹ՚׳", "'"))
_BETWEEN = frozenset("'-\u2010\u2013\u00b7")
"""What stands between two words that are also one."""
_PARTS = re.compile(r"['\-\u2010\u2013\u00b7]+")
_HYPHENS = re.compile(r"[\-\u2010\u2013\u00b7]+")
_NO_LETTERS = re.compile(r"[^a-z0-9'\-]+")
_CASELESS = re.compile(r"[\u3005\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff]+")
_SOUNDS = frozenset({0, 8, 9})
"""Of the marks, those that are a sound and no accent (by combining class), as in Hindi, Thai and Japanese."""


def fold(text: str) -> str:
    """The text without case, accents and ways of writing, and a blank for whatever no word is made of."""
    if text.isascii():
        return _NO_LETTERS.sub(" ", text.lower().replace("`", "'"))
    opened = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES)).casefold()
    folded = "".join(map(_folded, unicodedata.normalize("NFKD", opened)))
    return unicodedata.normalize("NFC", folded.translate(_PLAIN))


def _folded(letter: str) -> str:
    if letter.isalnum() or letter in _BETWEEN:
        return letter
    if letter.isspace():
        return " "
    kind = unicodedata.category(letter)
    if kind[0] == "M":
        return letter if unicodedata.combining(letter) in _SOUNDS else ""
    return "" if kind in ("Cf", "Cc") else " "


def words_of(first: str | None, last: str | None) -> tuple[str, ...]:
    """The folded words that a customer's name is found by.

    What stands between two of them in one word is typed in many ways, so `O'Neil` is found as `oneil`, `o` and `neil`,
    and `Jean-Luc` as `jeanluc`, `jean` and `luc`. A name in a script that is written without blanks is also found with
    both its parts together, the family's first.
    """
    found = dict.fromkeys(words_in(first) + words_in(last))
    together = joined(first, last)
    return tuple(found) if together is None else (*found, together)


def joined(first: str | None, last: str | None) -> str | None:
    """Both parts of a name in one word, in a script that is written without blanks; None in any other."""
    if not first or not last or first.isascii() or last.isascii():
        return None
    whole = fold(last[:RAW_MAX].strip()) + fold(first[:RAW_MAX].strip())
    return whole[:LETTERS_MAX] if _CASELESS.fullmatch(whole) else None


def words_in(name: str | None) -> list[str]:
    """The folded words of a first or a last name by itself."""
    if not name:
        return []
    if name.isascii() and name.isalpha():
        return [name.lower()[:LETTERS_MAX]]
    found: list[str] = []
    for word in fold(name[:RAW_MAX]).split()[:WORDS_MAX]:
        parts = _parts(word)
        # Of a name with both, such as Smith-O'Neil, what stands between hyphens is a word of its own as well.
        between = [part.replace("'", "") for part in _HYPHENS.split(word)]
        whole = ["".join(parts)] if len(parts) > 1 else []
        found.extend(each for each in dict.fromkeys([*whole, *between, *parts]) if each)
    return [word[:LETTERS_MAX] for word in found]


def _parts(word: str) -> list[str]:
    return [part for part in _PARTS.split(word) if part]


def typed(text: str) -> tuple[str, ...]:
    """The folded words that somebody looks for: an apostrophe joins two, and a hyphen parts them."""
    words = (part for word in fold(text[:RAW_MAX]).split() for part in _parts(word.replace("'", "")))
    return tuple(dict.fromkeys(word[:LETTERS_MAX] for word in words))


def keys_of(words: Iterable[str]) -> set[str]:
    """The keys under which words are kept: each whole, and its beginnings.

    A beginning that is the whole word is not kept twice, so whoever looks for it asks for both.
    """
    keys: set[str] = set()
    for word in words:
        keys.add(whole_key(word))
        keys.update(word[:length] for length in PREFIXES if length < len(word))
    return keys


def whole_key(word: str) -> str:
    """The key of a whole word."""
    return f"={word}"


def keys_for(beginning: str) -> tuple[str, ...]:
    """The keys one of which every word has that begins so; none for a beginning that is too short."""
    lengths = [length for length in PREFIXES if length <= len(beginning)]
    if not lengths:
        return ()
    # Words of just that length are kept whole only, and any longer one by its beginning.
    longest = beginning[: lengths[-1]]
    return (whole_key(longest), longest) if len(beginning) == lengths[-1] else (longest,)


def are_all_in(wanted: Iterable[str], words: Iterable[str], *, whole: bool) -> bool:
    """True if every word that is wanted is one of a name's words, or begins one unless it must be whole."""
    known = tuple(words)
    if whole:
        return all(word in known for word in wanted)
    return all(any(each.startswith(word) for each in known) for word in wanted)
