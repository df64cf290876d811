"""A population of customers whose identity is known: people, their records in several systems, and what goes wrong.

Made without a look at the rules that are measured on it. Beside duplicates that differ in format, it has what joins
strangers: families with one telephone or mailbox, numbers that were given to somebody else, switchboards, namesakes,
the number that a till fills in, couples, and twins.
"""

import random
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from onewriter.rules.identity import Person

DUPLICATED = 0.08
"""The share of people who have more than one record."""

GIVEN = """
Maria:Mia Anna:Anni Elisabeth:Lisa Katharina:Kathi Christine:Tina Sandra Laura Julia Sophie Hannah Lea Nina
Sabine Petra Monika Susanne:Susi Claudia Andrea Martina Barbara:Babsi Michael:Michi Thomas:Tom Stefan
Andreas:Andi Peter Martin Alexander:Alex Daniel:Dani Christian:Chris Markus Florian:Flo Sebastian:Basti
Maximilian:Max Johannes:Hannes Lukas Jakob Paul Felix David Robert:Bob William:Bill Richard:Rick James:Jim
John:Jack Joseph:Joe Edward:Ted Charles:Charlie Margaret:Peggy Jennifer:Jenny Patricia:Pat Rebecca:Becky
Samantha:Sam Victoria:Vicky Abigail:Abby Katherine:Kate Susan:Sue Deborah:Debbie Jessica:Jess Matthew:Matt
Anthony:Tony Benjamin:Ben Nicholas:Nick Jonathan:Jon Gregory:Greg Timothy:Tim Stephen:Steve Kenneth:Ken
Ronald:Ron Giulia Marco Chiara Luca Francesca Alessandro Giovanni:Gianni Camille Léa Chloé Hugo Jules Benoît
François Élodie José:Pepe Lucía Carmen Javier Sofía Miguel Piotr Agnieszka Łukasz Zoë Søren Jürgen Björn Inés
Mario Carlo Carla Paula Julian Juliane Daniela Erik Erika Jan Jana Simon Simone Marie Hans Eva Ida Ulla Yara
Noah Emil
"""
_SYLLABLES = """
ba be bra bo da de do fa fe gra ha hei hu ka ke kra ku la le lu ma me mo na ne ro ra ru sa schu ste ta ti va we wi wo za
"""
_ENDINGS = """
ler mann er ski son berg hofer ner ini etti eau ard ez ova kov sen ström ley ton field wood ges oli ano ic ák
"""
_COMMON = """
Müller Schmidt Meier Smith Jones Brown Garcia Martin Rossi Novak Kowalski Huber Weber Johnson Williams Lee Ng
"""
SYLLABLES, ENDINGS, COMMON = _SYLLABLES.split(), _ENDINGS.split(), _COMMON.split()
HOSTS = ("gmail.com", "gmail.com", "gmail.com", "gmx.net", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com",
         "web.de", "bluewin.ch", "free.fr", "libero.it", "example.org")  # fmt: skip
COUNTRIES = ("CH", "DE", "AT", "GB", "US", "FR", "IT")
PLANS = {
    "CH": (("79", "78", "76", "44", "31"), 7, "41", "0"),
    "DE": (("160", "171", "172", "175"), 7, "49", "0"),
    "AT": (("664", "660", "676"), 7, "43", "0"),
    "GB": (("7400", "7500", "7810", "7986"), 6, "44", "0"),
    "US": (("415", "212", "617", "206", "303"), 7, "1", ""),
    "FR": (("62", "63", "64", "77"), 7, "33", "0"),
    "IT": (("347", "320", "338"), 7, "39", ""),
}
"""Beginnings of numbers, how many digits follow, the code of the country and what is dialled before one inside it."""
TILLS = ("+41 44 123 00 00", "+41 44 123 00 00", "0000000000")
"""What tills fill in where nobody gave a number."""


@dataclass(frozen=True, slots=True)
class Human:
    """Somebody who exists."""

    number: int
    given: str
    nickname: str
    surname: str
    email: str
    phone: tuple[str, str]
    """The country and the digits after its code."""
    dob: str
    country: str


class Population:
    """People and their records; the same seed gives the same."""

    def __init__(self, people: int, seed: int) -> None:
        self._chance = random.Random(seed)
        self._names = [tuple((each + ":" + each).split(":")[:2]) for each in GIVEN.split()]
        self.records: list[Person] = []
        self.truth: list[int] = []
        """Whose record each is."""
        self._in_shop: dict[str, int] = {}
        """Whose record in the shop has which address; a shop gives an address to one person."""
        self._humans(people)

    def _humans(self, people: int) -> None:
        chance, made = self._chance, 0
        while made < people:
            first = self._human(made)
            household = [first]
            kind = chance.random()
            if kind < 0.12:
                household += self._family(first, made + 1, min(chance.randint(1, 3), people - made - 1))
            elif kind < 0.13:
                household += self._namesake(first, made + 1) if made + 1 < people else []
            elif kind < 0.137:
                household += self._successor(first, made + 1) if made + 1 < people else []
            elif kind < 0.139:
                household += self._colleagues(first, made + 1, min(chance.randint(3, 12), people - made - 1))
            for number, human in enumerate(household, made):
                self._records_of(replace(human, number=number))
            made += len(household)

    def _human(self, number: int) -> Human:
        chance = self._chance
        given, nickname = chance.choice(self._names)
        surname = chance.choice(COMMON) if chance.random() < 0.12 else self._surname()
        country = chance.choice(COUNTRIES)
        dob = f"{chance.randint(1945, 2006)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        return Human(number, given, nickname, surname, self._email(given, surname), self._phone(country), dob, country)

    def _surname(self) -> str:
        chance = self._chance
        made = "".join(chance.choice(SYLLABLES) for _ in range(chance.choice((1, 2, 2)))) + chance.choice(ENDINGS)
        return made.title() if chance.random() > 0.04 else f"{made.title()}-{chance.choice(COMMON)}"

    def _email(self, given: str, surname: str) -> str:
        chance = self._chance
        given, surname = _ascii(given), _ascii(surname)
        form = chance.choice(("{g}.{s}", "{g}{s}", "{i}.{s}", "{g}.{s}{n}", "{s}{n}", "{g}{n}", "{g}_{s}{n}"))
        local = form.format(g=given, s=surname, i=given[0], n=chance.randint(1, 9_999))
        # The number keeps two people's addresses apart, as a provider does.
        return f"{local}{chance.randint(1, 99_999)}@{chance.choice(HOSTS)}"

    def _phone(self, country: str) -> tuple[str, str]:
        areas, digits, _, _ = PLANS[country]
        first = self._chance.choice("2345678")
        return country, self._chance.choice(areas) + first + "".join(self._chance.choices("0123456789", k=digits - 1))

    def _family(self, head: Human, number: int, size: int) -> list[Human]:
        """A couple, children or twins: one telephone or one mailbox, and mostly one surname."""
        chance = self._chance
        found: list[Human] = []
        shares_phone, shares_email = chance.random() < 0.7, chance.random() < 0.12
        for at in range(size):
            other = self._human(number + at)
            surname = head.surname if chance.random() < 0.85 else other.surname
            twin = at > 0 and chance.random() < 0.15
            found.append(
                replace(
                    other, surname=surname, country=head.country, dob=found[-1].dob if twin else other.dob,
                    phone=head.phone if shares_phone else self._phone(head.country),
                    email=head.email if shares_email else self._email(other.given, surname),
                )
            )  # fmt: skip
        # Nobody gives two of a household one name.
        return list({each.given: each for each in found if each.given != head.given}.values())

    def _namesake(self, first: Human, number: int) -> list[Human]:
        other = self._human(number)
        return [replace(other, given=first.given, surname=first.surname, nickname=first.nickname)]

    def _successor(self, first: Human, number: int) -> list[Human]:
        """Somebody who was given the number that another had."""
        return [replace(self._human(number), phone=first.phone, country=first.country)]

    def _colleagues(self, first: Human, number: int, size: int) -> list[Human]:
        """Who all give the number of their company, and now and then its mailbox."""
        mailbox = f"info@{_ascii(first.surname)}{first.number}.example"
        found = [self._human(number + at) for at in range(size)]
        return [
            replace(each, phone=first.phone, country=first.country,
                    email=mailbox if self._chance.random() < 0.3 else each.email)
            for each in found
        ]  # fmt: skip

    def _records_of(self, human: Human) -> None:
        chance = self._chance
        at = len(self.records)
        kind = chance.choices(("account", "guest", "crm", "pos"), (50, 25, 15, 10))[0]
        first = self._record(human, kind, at, damage=0.2)
        self._add(first, human)
        if chance.random() < DUPLICATED:
            for _ in range(chance.choices((1, 2, 3), (90, 8, 2))[0]):
                self._add(self._duplicate(human, first, len(self.records)), human)

    def _add(self, record: Person, human: Human) -> None:
        self.records.append(record)
        self.truth.append(human.number)

    def _record(self, human: Human, kind: str, at: int, damage: float) -> Person:
        chance = self._chance
        of_shopify = kind in ("account", "guest")
        number = str(5_000_000_000_000 + at * 7)
        till = kind == "pos"
        nameless = chance.random() < (0.15 if till else 0.03)
        phone = self._written(human.phone) if till or chance.random() < 0.7 else None
        if till and chance.random() < 0.1:
            phone = chance.choice(TILLS)
        email = None if till and chance.random() < 0.7 else human.email
        if of_shopify and email is not None and self._in_shop.setdefault(email, human.number) != human.number:
            email = None
        given, surname = self._name(human, damage)
        return Person(
            record_id=f"r{at}", system="shopify" if of_shopify else kind, account=kind,
            shopify_id=number if of_shopify else None, system_id=None if of_shopify else f"{kind[0]}{at}",
            email=None if email is None else self._damaged(email, _EMAIL_DAMAGE, damage),
            phone=phone, first_name=None if nameless else given, last_name=None if nameless else surname,
            country=human.country, dob=human.dob if chance.random() < 0.3 else None,
        )  # fmt: skip

    def _duplicate(self, human: Human, first: Person, at: int) -> Person:
        """Another record of somebody: with the same address, with the same number alone, or with an id of the first."""
        chance = self._chance
        kind = chance.choices(("guest", "crm", "pos", "account"), (40, 35, 20, 5))[0]
        if kind == first.account == "account" and not first.phone:
            kind = "guest"
        made = self._record(human, kind, at, damage=0.6)
        way = chance.random()
        if kind == "crm" and first.shopify_id and way < 0.4:
            return replace(made, shopify_id=self._damaged(first.shopify_id, _ID_DAMAGE, 0.3))
        # No two accounts of a shop have one address, and of three duplicates two repeat the address.
        # Whoever left no number that tells them apart can only have repeated the address, or there is nothing to find.
        repeats = way < 0.72 or not first.phone or first.phone in TILLS
        if first.email and repeats and not (kind == first.account == "account"):
            soft = _SOFT_DAMAGE if chance.random() < 0.12 else _EMAIL_DAMAGE
            return replace(made, email=self._damaged(human.email, soft, 0.6)) if made.email or kind == "pos" else made
        email = self._email(human.given, human.surname) if chance.random() < 0.5 or kind == "account" else None
        return replace(made, email=email, phone=self._written(human.phone))

    def _name(self, human: Human, damage: float) -> tuple[str, str]:
        chance = self._chance
        given, surname = human.given, human.surname
        if chance.random() > damage:
            return given, surname
        kind = chance.randrange(10)
        if kind == 0:
            return human.nickname, surname
        if kind == 1:
            return f"{given[0]}.", surname
        if kind == 2:
            return surname, given
        if kind == 3:
            return given, _slip(surname, chance)
        if kind == 4:
            return f"{chance.choice(('Mr', 'Dr.', 'Frau', 'Herr', 'Mrs'))} {given}", surname
        if kind == 5:
            return _ascii(given).title(), _ascii(surname).title()
        if kind == 6:
            return given.upper(), surname.upper()
        if kind == 7:
            return f"{given} {chance.choice('ABCDEFGHLMPRST')}.", surname
        return f" {given} ", surname.lower()

    def _damaged(self, value: str, ways: "tuple[Callable[[str], str], ...]", damage: float) -> str:
        return self._chance.choice(ways)(value) if self._chance.random() < damage else value

    def _written(self, phone: tuple[str, str]) -> str:
        chance = self._chance
        country, digits = phone
        _, _, code, trunk = PLANS[country]
        grouped = f"{digits[:3]} {digits[3:6]} {digits[6:]}"
        return chance.choice(
            (f"+{code}{digits}", f"+{code} {grouped}", f"+{code} {grouped}", f"{trunk}{grouped}", f"{trunk}{digits}",
             f"00{code}{digits}", f"+{code}-{grouped.replace(' ', '-')}", f"'+{code}{digits}", f"{code}{digits}")
        )  # fmt: skip


def _ascii(text: str) -> str:
    plain = text.lower().replace("ł", "l").replace("ø", "o").replace("ß", "ss")
    return "".join(each for each in unicodedata.normalize("NFKD", plain) if each.isascii() and each.isalnum())


def _slip(word: str, chance: random.Random) -> str:
    if len(word) < 4:
        return word
    at = chance.randrange(1, len(word) - 1)
    return chance.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at] + word[at:],
        )
    )


_EMAIL_DAMAGE: tuple[Callable[[str], str], ...] = (
    str.upper, str.title, lambda email: f" {email} ", lambda email: f"mailto:{email}", lambda email: f"<{email}>",
    lambda email: email.replace("@", " @"), lambda email: f"{email}.", lambda email: f"\u200b{email}",
    lambda email: f"{email}\u00a0", lambda email: f"{email};",
)  # fmt: skip
_SOFT_DAMAGE: tuple[Callable[[str], str], ...] = (
    lambda email: email.replace("@", "+shop@"),
    lambda email: email.replace("@gmail.com", "@googlemail.com"),
    lambda email: f"{email[0]}.{email[1:]}" if email.endswith("@gmail.com") else email.replace("@", "+x@"),
    lambda email: email.replace("@icloud.com", "@me.com"),
)
_ID_DAMAGE: tuple[Callable[[str], str], ...] = (
    lambda number: f"{number}.0", lambda number: f"'{number}", lambda number: f"gid://shopify/Customer/{number}",
)  # fmt: skip


def pairs_of(groups: Iterable[list[int]]) -> set[tuple[int, int]]:
    """Every pair of two in one group, the smaller first."""
    return {
        (one, other) for group in groups for at, one in enumerate(sorted(group)) for other in sorted(group)[at + 1 :]
    }
