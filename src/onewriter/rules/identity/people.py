"""Names of people: whether two records can be about one person, as far as their names say.

Never a key: many people have one name. A name can only speak for or against what an id, an address or a number says.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from onewriter.rules.identity.nicknames import KNOWN, are_forms_of_one
from onewriter.rules.names import RAW_MAX, fold

_WORDS = """
mr mrs ms miss mx sir madam dr prof professor herr frau hr fr fraulein sig signor signora signorina mme mlle m sr sra
srta dott dottssa ing dipl mag rev lady lord monsieur madame mister dra pan pani phd md mba msc bsc esq
"""
_TITLES = frozenset(_WORDS.split())
_GENERATIONS = {
    "jr": "2", "jnr": "2", "junior": "2", "jun": "2", "sr": "1", "snr": "1", "senior": "1", "sen": "1",
    "ii": "2", "iii": "3", "iv": "4", "2nd": "2", "3rd": "3", "4th": "4",
    "filho": "2", "neto": "3", "hijo": "2", "fils": "2", "pere": "1",
}  # fmt: skip
_ALSO_NAMES = frozenset({"junior", "filho", "neto", "hijo", "fils", "pere"})
"""Words for a generation only behind a name, since alone they are one."""
_BEFORE_SURNAMES = """
van von der den de del della di da do dos das du la le el al bin ibn ben zu zum zur vom af av ter ten te y e san st
abu ould mac mc
"""
_PARTICLES = frozenset(_BEFORE_SURNAMES.split())
_PLACEHOLDERS = """
guest customer kunde kundin unknown unbekannt na none null test tester pos walkin anonymous gast client cliente
deleted redacted undefined nan nil user shop store cash cashier barverkauf noname firstname lastname surname
"""
_NOBODY = frozenset(_PLACEHOLDERS.split())
_HYPHENS = re.compile(r"[\-\u2010\u2013\u00b7\s]+")
_VOWELS = frozenset("aeioy")
_SHORT_MAX = 5
_TINY_MIN = 4
_ENDINGS = (
    ("ova", "ov"), ("eva", "ev"), ("skaya", "ski"), ("skaia", "ski"), ("ska", "ski"), ("sky", "ski"), ("cka", "cki"),
)  # fmt: skip
_GENDERED = ("a", "e", "o", "in", "ina", "ine", "ette", "etta", "ella", "elle", "ie", "y", "ta", "ne")
_LATIN = str.maketrans(
    {
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "y", "к": "k",
        "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh",
        "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
        "і": "i", "є": "ye", "ґ": "g", "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th",
        "ι": "i", "κ": "k", "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "τ": "t",
        "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
    }
)  # fmt: skip


class Agreement(IntEnum):
    """What one part of two names says, from against to for."""

    CONFLICT = 0
    DOUBT = 1  # one person's as well as a relative's: Pierre and Jean-Pierre
    UNKNOWN = 2  # missing, or nothing that can be told: two scripts, one letter of a short name, a son without his Jr.
    NEAR = 3  # an initial, a slip of the finger, a shortened name, the first of two
    SAME = 4


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is compared: folded words of the given name and of the surname."""

    given: tuple[str, ...] = ()
    surname: tuple[str, ...] = ()
    generation: str | None = None

    @property
    def is_whole(self) -> bool:
        """True if both parts are known."""
        return bool(self.given and self.surname)


NO_NAME = Name()


@dataclass(frozen=True, slots=True)
class Names:
    """What two names say together."""

    given: Agreement
    surname: Agreement

    @property
    def agree(self) -> bool:
        """True if both parts are known and speak for one person, of which at most one is not quite the same."""
        return min(self.given, self.surname) >= Agreement.NEAR and self.given + self.surname > 2 * Agreement.NEAR

    @property
    def are_same(self) -> bool:
        """True if both parts are the same, and neither is an initial or a slip."""
        return self.given is Agreement.SAME and self.surname is Agreement.SAME

    @property
    def conflict(self) -> bool:
        """True if either part speaks against."""
        return Agreement.CONFLICT in (self.given, self.surname)

    @property
    def both_conflict(self) -> bool:
        """True if nothing of one name is in the other."""
        return self.given is Agreement.CONFLICT and self.surname is Agreement.CONFLICT


def name_of(first: str | None, last: str | None) -> Name:
    """The name out of the two columns, whichever way they were filled."""
    given_text, surname_text = _split(first, last)
    given, one = _words(given_text)
    surname, other = _words(surname_text)
    plain = tuple(word for word in surname if word not in _PARTICLES)
    if plain and plain != surname:
        # Vandenberg and van den Berg are one, and so are van den Berg and Berg.
        plain = (*plain, "".join(surname))
    return Name(given, plain or surname, one or other)


def _split(first: str | None, last: str | None) -> tuple[str, str]:
    one = "" if first is None or "@" in first else first[:RAW_MAX].strip()
    other = "" if last is None or "@" in last else last[:RAW_MAX].strip()
    whole = one or other
    if (one and other) or not whole:
        return one, other
    if "," in whole:
        family, _, given = whole.partition(",")
        if given.strip() and fold(given).strip() not in _GENERATIONS:
            return given, family
        whole = whole.replace(",", " ")
    parts = [part for part in whole.split() if _bare(part) not in _TITLES | _GENERATIONS.keys()]
    if len(parts) < 2:
        return ("", whole) if not one else (whole, "")
    # Particles belong to the surname: Anna van der Berg.
    start = next((at for at, part in enumerate(parts) if at and fold(part) in _PARTICLES), len(parts) - 1)
    generation = [part for part in whole.split()[1:] if _bare(part) in _GENERATIONS]
    return " ".join(parts[:start]), " ".join((*parts[start:], *generation))


def _bare(part: str) -> str:
    return fold(part).strip(" '-")


def _words(text: str) -> tuple[tuple[str, ...], str | None]:
    if not text:
        return (), None
    words: list[str] = []
    generation = None
    for word in _HYPHENS.split(fold(text)):
        bare = word.replace("'", "")
        if bare in _GENERATIONS and (words or bare not in _TITLES | _ALSO_NAMES):
            generation = _GENERATIONS[bare]
        elif bare and bare not in _TITLES and not bare.isdigit():
            words.append(bare)
    if not words or all(word in _NOBODY for word in words):
        return (), generation
    return tuple(words), generation


@lru_cache(maxsize=8_192)
def compare_names(one: Name, other: Name) -> Names:
    """What two names say of whether they are one person's; columns that were swapped are seen through."""
    straight = Names(_given(one.given, other.given), _surname(one.surname, other.surname))
    if one.generation and other.generation and one.generation != other.generation:
        return Names(Agreement.CONFLICT, straight.surname)
    if one.generation != other.generation and straight.given > Agreement.UNKNOWN:
        return Names(Agreement.UNKNOWN, straight.surname)
    if straight.agree or not (one.is_whole and other.is_whole):
        return straight
    # Which column is which of the two cannot be told, so that the better word stands for the given name.
    swapped = Names(*sorted((_either(one.given, other.surname), _either(one.surname, other.given)), reverse=True))
    return swapped if swapped.agree else straight


def _either(one: tuple[str, ...], other: tuple[str, ...]) -> Agreement:
    return max(_given(one, other), _surname(one, other))


def _given(one: tuple[str, ...], other: tuple[str, ...]) -> Agreement:
    if not one or not other:
        return Agreement.UNKNOWN
    if one == other or "".join(one) == "".join(other):
        return Agreement.SAME if any(len(word) > 1 for word in one) else Agreement.NEAR
    shared = {word for word in one if len(word) > 1}.intersection(other)
    if shared:
        return _of_shared(one, other, shared)
    if any(are_forms_of_one(_in_latin(each), _in_latin(another)) for each in one for another in other):
        return Agreement.SAME
    return _near_given(one, other)


def _in_latin(word: str) -> str:
    return word if word.isascii() else word.translate(_LATIN)


def _of_shared(one: tuple[str, ...], other: tuple[str, ...], shared: set[str]) -> Agreement:
    """A word in common says enough if both begin with it, and no two others stand beside it.

    María José and María Carmen are sisters, and Pierre is often the father of Jean-Pierre.
    """
    rest = [tuple(word for word in words if word not in shared and len(word) > 1) for words in (one, other)]
    if rest[0] and rest[1]:
        return Agreement.SAME if _near_given(*rest) > Agreement.CONFLICT else Agreement.CONFLICT
    more = rest[0] or rest[1]
    if not KNOWN.intersection(more):
        return Agreement.SAME
    return Agreement.NEAR if one[0] == other[0] else Agreement.DOUBT


def _near_given(one: tuple[str, ...], other: tuple[str, ...]) -> Agreement:
    head, lead = one[0], other[0]
    if len(head) == 1 or len(lead) == 1:
        if head[0].isascii() != lead[0].isascii():
            return Agreement.UNKNOWN
        return Agreement.NEAR if head[0] == lead[0] else Agreement.CONFLICT
    if head in (_initials(other), _initials(other, 2)) or lead in (_initials(one), _initials(one, 2)):
        return Agreement.NEAR
    if head.isascii() != lead.isascii():
        return _across_scripts("".join(one), "".join(other))
    whole, total = "".join(one), "".join(other)
    pairs = [(each, another) for each in one for another in other]
    if any(_is_short_for(*pair) for pair in pairs):
        # Nicole is called Nico, and so is her brother; Julie is not Julien.
        return Agreement.UNKNOWN if KNOWN.issuperset((head, lead)) else Agreement.NEAR
    slips = [pair for pair in (*pairs, (whole, total)) if _is_slip(*pair)]
    if not slips:
        return Agreement.CONFLICT
    return Agreement.UNKNOWN if all(_may_be_two(*pair) for pair in slips) else Agreement.NEAR


def _initials(words: tuple[str, ...], most: int = 9) -> str | None:
    return "".join(word[0] for word in words[:most]) if len(words) > 1 else None


def _is_short_for(one: str, other: str) -> bool:
    """True for the beginning of a longer name, unless what follows makes a woman's name of a man's."""
    short, long = sorted((one, other), key=len)
    if len(short) < 3:
        return False
    if long.startswith(short):
        return long[len(short) :] not in _GENDERED
    return short not in KNOWN and len(short) < len(long) and long.startswith(_stem(short))


def _stem(pet_name: str) -> str:
    """What is left of Maddie, Connie and Angie: mad, con and ang; the name itself where that is too little."""
    bare = pet_name.removesuffix("ie") if pet_name.endswith("ie") else pet_name.removesuffix("y").removesuffix("i")
    stem = bare[:-1] if bare[-1:] == bare[-2:-1] else bare
    return stem if len(stem) > 2 or (len(stem) == 2 and stem != bare) else pet_name


def _is_slip(one: str, other: str) -> bool:
    """True if one letter was missed, added, changed or swapped, and not to another name that people have."""
    shorter, longer = sorted((len(one), len(other)))
    if shorter < 3 or longer < 4 or (one in KNOWN and other in KNOWN):
        return False
    if one[:-1] == other[:-1] and one[-1] in _VOWELS and other[-1] in _VOWELS:
        return False
    short, long = sorted((one, other), key=len)
    if long[:-1] == short and long[-1] in _VOWELS:
        return False
    return is_one_edit_apart(one, other)


def _may_be_two(one: str, other: str) -> bool:
    """True for short names with one letter in the place of another: too many pairs of names differ by no more.

    So for names of any length that begin otherwise, such as Jayden and Kayden: few slip at the first letter.
    """
    changed = len(one) == len(other) and sorted(one) != sorted(other)
    is_short = min(len(one), len(other)) < _TINY_MIN or (changed and len(one) <= _SHORT_MAX)
    return is_short or (one[0] != other[0] and sorted(one[:2]) != sorted(other[:2]))


def _surname(one: tuple[str, ...], other: tuple[str, ...]) -> Agreement:
    if not one or not other:
        return Agreement.UNKNOWN
    if one == other or {word for word in one if len(word) > 1}.intersection(other):
        return Agreement.SAME
    whole, total = "".join(one), "".join(other)
    if whole == total or _without_umlauts(whole) == _without_umlauts(total):
        return Agreement.SAME
    if len(whole) == 1 or len(total) == 1:
        return Agreement.NEAR if whole[0] == total[0] else Agreement.CONFLICT
    if whole.isascii() != total.isascii():
        return _across_scripts(whole, total)
    pairs = ((each, another) for each in (*one, whole) for another in (*other, total))
    return Agreement.NEAR if any(_are_near_surnames(*pair) for pair in pairs) else Agreement.CONFLICT


def _are_near_surnames(one: str, other: str) -> bool:
    if min(len(one), len(other)) < 4:
        return False
    return is_one_edit_apart(one, other) or _family_form(one) == _family_form(other)


def _without_umlauts(word: str) -> str:
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _family_form(surname: str) -> str:
    """A Slavic surname without its woman's ending: Novakova as Novak, Ivanova as Ivanov, Kowalska as Kowalski."""
    if surname.endswith("kova"):
        return surname[:-3]
    for ending, form in _ENDINGS:
        if surname.endswith(ending):
            return surname.removesuffix(ending) + form
    return surname


def _across_scripts(one: str, other: str) -> Agreement:
    """Two scripts can speak for one person, and never against: there are many ways of writing a name in another."""
    first, second = one.translate(_LATIN), other.translate(_LATIN)
    if first.isascii() != second.isascii():
        return Agreement.UNKNOWN
    if first == second or is_one_edit_apart(first, second) or are_forms_of_one(first, second):
        return Agreement.NEAR if first != second else Agreement.SAME
    return Agreement.UNKNOWN if one.isascii() != other.isascii() else Agreement.CONFLICT


def is_one_edit_apart(one: str, other: str) -> bool:
    """True if one letter was missed, added, changed, or swapped with its neighbour; equal words are not apart."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, tail = one[start:], other[start:]
    if len(rest) != len(tail):
        return rest[1:] == tail or rest == tail[1:]
    return rest[1:] == tail[1:] or (rest[:2] == tail[1::-1] and rest[2:] == tail[2:])
