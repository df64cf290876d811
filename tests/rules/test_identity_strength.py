"""How much an equal address says: a placeholder nothing, a mailbox of several people a little, any other a lot."""

import pytest

from onewriter.rules.identity import compare_values, read_email

BLOCKED = {
    "a word for nothing, on any host": """
        none@x.com no@x.com nope@x.com null@x.com nil@x.com nan@x.com na@x.com n.a@x.com n/a@x.com undefined@x.com
        unknown@x.com unbekannt@x.com inconnu@x.com desconocido@x.com test@x.com tests@x.com tester@x.com testing@x.com
        test1@x.com test123@x.com tst@x.com asd@x.com abc@x.com xyz@x.com xx@x.com fake@x.com dummy@x.com invalid@x.com
        tbd@x.com todo@x.com noname@x.com no-name@x.com anonymous@x.com anonym@x.com redacted@x.com keine@x.com
        kein@x.com nada@x.com placeholder@x.com changeme@x.com deleted@x.com deleted-user@x.com gdpr_deleted@x.com
        removed@x.com refused@x.com declined@x.com not-provided@x.com not.available@x.com walk-in@x.com bla@x.com
        cash-customer@x.com your.name@x.com youremail@x.com firstname.lastname@x.com none+1@x.com
    """,
    "a word for none and one for mail": """
        noemail@x.com no-email@x.com no.mail@x.com nomail123@x.com noemail-7@x.com keinemail@x.com keine-email@x.de
        keine_mail@x.de ohneemail@x.de ohne.adresse@x.de sansmail@x.fr sans-adresse@x.fr pasdemail@x.fr pas-de-mail@x.fr
        aucunmail@x.fr sinemail@x.es sin-correo@x.es sememail@x.br senzamail@x.it nessunamail@x.it geenmail@x.nl
        zonder-email@x.nl ingenmail@x.se utenepost@x.no brakadresu@x.pl bezmaila@x.pl nincsemail@x.hu fakeemail@x.com
        bad-email@x.com wrongaddress@x.com withoutmail@x.com nocourriel@x.fr noposta@x.it without-e-mail@x.com
    """,
    "nobody answers": """
        noreply@x.com no-reply@x.com no_reply@x.com noreply-orders@x.com noreply+1@x.com donotreply@x.com
        do-not-reply@x.com do.not.reply@x.com dontreply@x.com norespond@x.com nicht-antworten@x.de nepasrepondre@x.fr
        ne-pas-repondre@x.fr noresponder@x.es nonrispondere@x.it mailer-daemon@x.com bounce@x.com bounces+7@x.com
        devnull@x.com nobody@x.com nowhere@x.com nobody.7@x.com
    """,
    "the local part is the host": """
        no@no.de keine@keine.de ohne@ohne.de none@none.de kunde@kunde.de customer@customer.com user@user.com
        name@name.com you@you.com mail@mail.com domain@domain.com cash@cash.com demo@demo.com foo@foo.com
        foobar@foobar.com localhost@localhost.com temp@temp.com sample@sample.com example@example.com void@void.com
        me@me.com anon@anon.com info@info.com pos@pos.com email@email.com nessuno@nessuno.it a@a.com 11@11.com
        1234@1234.com qwe@qwe.com dfg@dfg.com zxc@zxc.com azer@azer.fr bar@bar.com nobody@nobody.com
        fakemail@fakemail.de
        nemail@nemail.com semail@semail.com naotem@naotem.com nessuna@nessuna.it noreply@noreply.de nowhere@nowhere.de
        nomail@nomail.de noemail@noemail.de
    """,
    "what a form shows": """
        user@domain.com username@domain.com name@yourdomain.com customer@domain.com kundin@email.com
        someone@mydomain.com
        somebody@sample.com person@yourcompany.com you@domain.com customer@example.com kunde@example.org
        client@example.net guest@example.com gast@example.com cliente@example.com invitado@example.com
        clientes@example.com
    """,
    "what people type who will not give one": """
        foo@bar.com bar@foo.com john@doe.com jane@doe.com hello@world.com lorem@ipsum.com no@email.com
        ohne@email.de kein@mail.de none@correo.es aucun@mail.fr geen@email.nl cash@customer.com cash@sale.com
        sin@correo.com no@tiene.com sem@email.com nao@tem.com sin@email.com non@email.it
    """,
    "keys beside each other, and one again and again": """
        asdf@x.com qwer@x.com qwertz@x.com azerty@x.com lkjh@x.com zxcv@x.com abcd@x.com poiu@x.com
        aaa@x.com zzzzz@x.com 111@x.com 7777@x.com ...@x.com -_-@x.com aaa+1@x.com xxx@none.de 12@test.de a@test.com
    """,
    "hosts that there are not": """
        ann@none.com ann@noemail.com ann@nomail.com ann@no-email.com ann@noreply.com ann@fake.com ann@null.com
        ann@donotreply.com ann@x.invalid ann@x.localhost ann@x.localdomain ann@x.local
    """,
}
WEAK = """
info@x.com information@x.com contact@x.com office@x.com sales@x.com support@x.com team@x.com shop@x.com hello@x.com
abuse@x.com pos@x.com kasse@x.com info2@x.com sales07@x.com info+shop@x.com customer@x.com kunde@gmx.de guest@shop.com
gast@gmx.de cliente@x.es clientes@x.es client@x.fr invitado@x.es kundin@x.de customer12@x.com email@example.com
"""
STRONG = """
ann@example.com user@example.com name@example.com user@x.com name@x.com person@x.com john.doe@example.com me@x.com
reply@example.com notary@example.com nora@test.com testa@example.com a@example.com aa@b.com bouncer@example.com
infomaria@example.com x1@a.com none.ann@x.com annone@x.com sem@mail.com sin@mail.com nie@mail.com sinead@x.com
emailann@x.com mailman@x.com ann@mail.com ann@email.com ann@domain.com john@x.com doe@doe.com ohnesorg@x.de
t.ester@x.com
asd.fgh@x.com wert@bert.com sdfgh@x.com ert@x.com qwa@qwa.com as@as.fr.com 1234@x.com 12@x.com lee@lee.com aab@aab.com
jane@dow.com ann@x.locale
noah@x.com nomi@x.com noemi@x.com nobodyann@x.com bouncesann@x.com temp.ann@x.com annulus@null.org deletedmusic@x.com
xx1@x.org a@b.co x@y.com ab@b.com ann@nonemail.com edu@edu.com po@po.com
"""


@pytest.mark.req("M7", "M73")
@pytest.mark.parametrize("addresses", BLOCKED.values(), ids=BLOCKED)
def test_what_is_nobodys_never_matches_even_where_it_is_equal(addresses: str) -> None:
    assert {each: read_email(each).strength for each in addresses.split()} == dict.fromkeys(
        addresses.split(), "blocked"
    )
    for each in addresses.split():
        assert compare_values("email", each, None, each, None).decision == "no_match"


def test_what_several_people_read_is_for_a_person() -> None:
    assert {each: read_email(each).strength for each in WEAK.split()} == dict.fromkeys(WEAK.split(), "weak")


def test_what_only_looks_so_is_somebodys() -> None:
    assert {each: read_email(each).strength for each in STRONG.split()} == dict.fromkeys(STRONG.split(), "strong")
