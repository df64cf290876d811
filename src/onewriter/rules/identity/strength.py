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
    r"(?:no|not|non|do[-._]?not|dont|nicht|ne[-._]?pas)[-._]?"
    r"(?:reply|replay|answer|respond|response|antwort(?:en)?|repondre|responder|rispondere)(?:[-._+0-9].*)?|"
    r"(?:mailer[-._]?daemon|bounces?|devnull|nobody|nomail|noemail|nowhere)(?:[-._+0-9].*)?"
)
_NO_WORDS = "no|none|without|keine?|ohne|sans|senza|aucune?|geen|zonder|ingen|brak|fake|bad|wrong|invalid"
_NAMES_TOO = "not|non|sin|sem|nao|pas[-._]?de?|nessuna?|uten|uden|bez|nie|niema|nincs|fara|yok|dummy"
"""Words for none that are also somebody's name, or part of one: they need the other word right behind them."""
_MAIL_WORDS = "e-?mail|correo|courriel|adresse|adresa|address|adresu?|epost|posta|maila?"
_NO_MAIL = re.compile(rf"(?:{_NO_WORDS}|{_NAMES_TOO})[-._]?(?:{_MAIL_WORDS})(?:[-._+0-9].*)?")
_NO_WORD, _MAIL_WORD = re.compile(_NO_WORDS), re.compile(_MAIL_WORDS)
_PLACEHOLDERS_WORDS = """
none no nope null nil nan na n.a n/a undefined unknown unbekannt inconnu desconocido test tests tester testing test1
test2 test12 test123 tst asd asdasd abc abcd abcdef xyz xx fake dummy invalid tbd todo noname anonymous anonym
anonymized anonymised redacted notprovided notavailable noaddress keine kein nada placeholder changeme donotuse
deleted deleteduser gdprdeleted removed refused declined not.provided not.available notiene niemam nichtvorhanden
notgiven notvalid notreal walkin walkincustomer cashcustomer cashsale noone blah blahblah bla blabla sdfsdf
your.name your.email youremail yourmail yourname yourusername firstname.lastname
"""
_PLACEHOLDERS = frozenset(_PLACEHOLDERS_WORDS.split())
"""Local parts that are nobody's on any host; the signs -, _ between words are left out."""
_CUSTOMERS = frozenset(["customer", "kunde", "kundin", "cliente", "clientes", "client", "guest", "gast", "invitado"])
"""Words for whoever was at the till: nobody's where a form shows them, and several people's anywhere else."""
_STAND_INS = _CUSTOMERS | frozenset(["user", "username", "name", "someone", "somebody", "person", "you"])
_STAND_IN_HOSTS = _PLACEHOLDERS | _STAND_INS | {
    "mail", "domain", "cash", "demo", "foo", "bar", "foobar",
    "localhost", "temp", "sample", "example", "void", "me", "anon", "info", "pos", "nemail", "semail",
    "email", "nessuno", "nessuna", "naotem",
}  # fmt: skip
_SHOWN_HOSTS = frozenset({"domain", "yourdomain", "mydomain", "yourcompany", "email", "sample"})
"""With a word for anybody before them, what a form shows to be typed over."""
_TYPED_WORDS = """
foo@bar bar@foo john@doe jane@doe hello@world lorem@ipsum cash@customer cash@sale no@tiene nao@tem sem@email
sin@correo sin@email non@email
"""
_TYPED = frozenset(_TYPED_WORDS.split())
"""What people type who will not give an address."""
_ROWS = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "abcdefgh")
_RUNS = (*_ROWS, *(row[::-1] for row in _ROWS))
"""Keys beside each other, either way."""
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
    if host in _DEAD_HOSTS or host.endswith(_DEAD_ENDS) or _is_nobodys(local, base, host.partition(".")[0]):
        return "blocked"
    return "weak" if base in _SHARED or base.rstrip("0123456789") in _SHARED else "strong"


_SHARED = ROLES | _CUSTOMERS


def _is_nobodys(local: str, base: str, label: str) -> bool:
    """True for a placeholder: a word for nothing or for anybody, keys beside each other, one letter again and again."""
    if base.replace("-", "").replace("_", "") in _PLACEHOLDERS or f"{base}@{label}" in _TYPED:
        return True
    if _NO_REPLY.fullmatch(local) or _NO_MAIL.fullmatch(local):
        return True
    if _NO_WORD.fullmatch(base) and (base == label or _MAIL_WORD.fullmatch(label)):
        return True
    # Who writes an address for somebody who is meant puts it at example.com too.
    if (base in _STAND_INS and label in _SHOWN_HOSTS) or (base in _CUSTOMERS and label == "example"):
        return True
    if base == label and (base in _STAND_IN_HOSTS or len(set(base)) == 1 or base.isdigit()):
        return True
    if base == label and len(base) > 2 and any(base in run for run in _RUNS):
        return True
    if label in _PLACEHOLDERS and (len(set(base)) == 1 or base.isdigit()):
        return True
    if not any(map(str.isalnum, base)) or (len(base) > 2 and len(set(base)) == 1):
        return True
    return len(base) > 3 and any(run.startswith(base) for run in _RUNS)


def is_placeholder_number(digits: str) -> bool:
    """True for digits that somebody types to be done with it: all the same, counted up or down, or one in the end."""
    if len(digits) > 1 and len(set(digits)) == 1:
        return True
    if digits == "0" or digits.endswith("0" * _ZEROS_MIN) or (len(digits) >= 7 and len(set(digits[-7:])) == 1):
        return True
    return len(digits) >= 7 and (digits in _ONE_TWO_THREE or digits in _ONE_TWO_THREE[::-1])
