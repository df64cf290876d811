"""How much an equal value says: nothing at all (a placeholder), a little (a shared mailbox or line), or a lot."""

import re
from typing import Literal

Strength = Literal["strong", "weak", "blocked"]

_ROLES_WORDS = """
abuse admin administration administrator hostmaster postmaster webmaster root noc security usenet www uucp ftp info
information infos contact contacts contactus kontakt contacto contatto contato office buero büro bureau sales sale
marketing support help helpdesk service services kundenservice kundendienst customerservice customer-service
customer.service customersupport customercare care billing invoice invoices accounting accounts accountspayable
payable finance buchhaltung rechnung rechnungen facturacion facturation fatture amministrazione comptabilite compras
ventas vendas vendite verkauf vertrieb einkauf purchasing procurement orders order bestellung bestellungen pedidos
commandes ordini shop store boutique tienda negozio webshop onlineshop hello hi hallo hola ciao bonjour mail email
e-mail post postfach inbox reception receptie rezeption recepcion receptionist frontdesk booking bookings reservation
reservations reservierung team staff all everyone group hr jobs job careers recruiting recruitment bewerbung personal
press presse media pr news newsletter legal privacy datenschutz gdpr dpo compliance returns retouren refunds shipping
versand logistics warehouse dispatch delivery enquiries enquiry inquiries inquiry feedback subscribe unsubscribe
sekretariat secretariat secretary secretaria segreteria verwaltung zentrale atencion soporte ayuda assistenza suporte
atendimento general family familie famille famiglia familia ops operations
it edv tech dev it-support stock till kasse pos
"""
ROLES = frozenset(_ROLES_WORDS.split())
"""Local parts of mailboxes that several people read (RFC 2142, and what shops and offices call theirs)."""

_NO_REPLY = re.compile(
    r"(?:no|not|non|do[-._]?not|dont|kein[e]?|nicht|ne[-._]pas)[-._]?"
    r"(?:reply|replay|answer|respond|response|antwort(?:en)?|repondre|responder|rispondere|email|mail)(?:[-._+0-9].*)?|"
    r"(?:mailer[-._]?daemon|bounces?|devnull|nobody|nomail|noemail|nowhere)(?:[-._+0-9].*)?"
)
_PLACEHOLDERS_WORDS = """
none no nope null nil nan na n.a n-a undefined unknown unbekannt inconnu desconocido test tests tester testing test1
test2 test12 test123 tst asdf asd asdfasdf asdfgh qwerty qwertz qwer abc abcd abcdef xyz xx xxx xxxx aaa aaaa bbb
fake dummy invalid tbd todo noname no-name anonymous anonym anonymized anonymised redacted notprovided not-provided
notavailable noaddress keine kein nada nomailaddress placeholder changeme donotuse deleted-user not.provided
not.available sinemail sin-email sincorreo sin-correo sinmail notiene no-tiene sansemail sans-email senzaemail ohneemail
ohne-email sememail walkin walk-in nichtvorhanden not-given notgiven noone no-one zzz zzzz blah blahblah sdf sdfsdf
"""
_PLACEHOLDERS = frozenset(_PLACEHOLDERS_WORDS.split())
_STAND_IN_HOSTS = _PLACEHOLDERS | {
    "example", "email", "mail", "domain", "noemail", "nomail", "no-email", "nowhere", "nobody", "abc", "a", "aa", "x",
    "guest", "customer", "user", "kunde", "kundin", "cliente", "client", "gast", "invitado", "cash", "name", "deleted",
    "demo", "blah",
    "foo", "bar", "foobar", "fakemail", "123", "1234", "12345", "localhost", "noreply", "no-reply", "temp", "sample",
}  # fmt: skip
_STAND_INS_WORDS = """
user username name yourname your.name firstname.lastname customer kunde kundin cliente client guest gast someone
somebody person deleted
"""
_STAND_INS = frozenset(_STAND_INS_WORDS.split())
_EXAMPLE_HOSTS = frozenset({"domain", "yourdomain", "mydomain", "yourcompany", "email", "sample"})
"""With a word for anybody before them, what a form shows to be typed over."""
_TYPED = frozenset({("foo", "bar"), ("ohne", "email"), ("keine", "email"), ("kein", "email"), ("no", "email")})
"""What people type who will not give an address."""
_DEAD_ENDS = (".invalid", ".localhost", ".localdomain", ".local")
_DEAD_HOSTS = frozenset(
    {"none.com", "noemail.com", "nomail.com", "no-email.com", "noreply.com", "fake.com", "null.com", "donotreply.com"}
)
_ONE_TWO_THREE = "01234567890123456789"
_ZEROS_MIN = 6
"""Zeros at the end of a number from which on nobody was given it."""


def email_strength(local: str, host: str) -> Strength:
    """How much an equal address says. `local` and `host` are canonical."""
    base = local.partition("+")[0] or local
    if host in _DEAD_HOSTS or host.endswith(_DEAD_ENDS):
        return "blocked"
    if base in _PLACEHOLDERS or _NO_REPLY.fullmatch(local) is not None:
        return "blocked"
    label = host.partition(".")[0]
    if base == label and label in _STAND_IN_HOSTS:
        return "blocked"
    if (base in _STAND_INS and label in _EXAMPLE_HOSTS) or (base, label) in _TYPED:
        return "blocked"
    if label in _PLACEHOLDERS and (len(set(base)) == 1 or base.isdigit()):
        return "blocked"
    if len(set(base)) == 1 and len(base) > 2 and not base.isalpha():
        return "blocked"
    return "weak" if base in ROLES or base.rstrip("0123456789") in ROLES else "strong"


def is_placeholder_number(digits: str) -> bool:
    """True for digits that somebody types to be done with it: all the same, counted up or down, or zeros in the end."""
    if len(digits) > 1 and len(set(digits)) == 1:
        return True
    if digits == "0" or digits.endswith("0" * _ZEROS_MIN):
        return True
    return len(digits) >= 7 and (digits in _ONE_TWO_THREE or digits in _ONE_TWO_THREE[::-1])
