"""Links: whose a record is stands sealed with its customer, goes when the customer goes, and can be taken apart."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from onewriter.customers import deciding, erasing, exporting, links, parked, pending, remote, runs
from onewriter.customers.deciding import Pair
from onewriter.customers.erasing import Asked
from onewriter.customers.links import BROKEN, LINKED, PERSON, REVIEW, Linked, NotLinked
from onewriter.customers.parked import Unplaced
from onewriter.db import keytables
from onewriter.db.systemtables import expectations
from onewriter.db.tables import erasures, pending_marks, sides
from onewriter.errors import KeyDestroyed
from onewriter.intake.redact import erase_all
from onewriter.records import HOUR
from onewriter.workflows import carrying, indexing
from tests.support.backups import back_up, bring_back, bring_keys_back, copy_keys
from tests.support.linking import CRM, Crm
from tests.support.shops import absent, merged

MIA = {"email": "mia.canary@example.org", "phone": "+447911123456", "first_name": "Mia", "last_name": "Canary"}
WHO = "user:anna"


def decide(crm: Crm, what: Any, *args: Any) -> Any:
    """Carry out what a person decides, and what follows its commit."""
    with crm.tea.runtime.database.write() as db:
        done = what(db, crm.tea.vault, *args)
    crm.end()
    return done


def pair(crm: Crm, true_id: str, customer: bytes, system: str = CRM) -> Pair:
    return Pair(system, crm.name(true_id, system), customer)


def rows_of(crm: Crm, table: Any) -> list[Any]:
    with crm.tea.runtime.database.read() as db:
        return list(db.execute(select(table)))


@pytest.mark.req("M10", "M74")
def test_a_link_says_whose_a_record_is_by_which_key_and_who_made_it(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA})
    [link] = crm.on_record("a")
    assert (link.customer_id, link.state, link.matched_by, link.made_by) == (mia, LINKED, "email", "cycle")
    assert link.rule_version == 2
    assert "address" in link.reason
    with crm.tea.runtime.database.read() as db:
        assert links.of_records(db, crm.tea.shop_id, CRM, [crm.name("a"), crm.name("b")]) == {crm.name("a"): mia}
        assert links.of_customers(db, crm.tea.shop_id, CRM, [mia]) == {mia: [crm.name("a")]}


def test_a_linked_record_is_sealed_with_its_customer_and_its_own_key_is_destroyed(crm: Crm) -> None:
    crm.read({"a": MIA})
    own = crm.side("a").key_id
    assert not crm.is_destroyed(own)
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA})
    side = crm.side("a")
    assert (side.customer_id, side.key_id, side.fields["mail"], side.id) == (mia, mia, MIA["email"], "a")
    assert side.raw_digest is None
    assert crm.is_destroyed(own)
    # Nothing was erased, so nothing says so.
    assert not rows_of(crm, erasures)
    with pytest.raises(KeyDestroyed):
        crm.tea.runtime.keys.subject_keys([own])


def test_a_crash_after_the_commit_leaves_a_key_that_the_next_one_destroys(crm: Crm) -> None:
    crm.read({"a": MIA})
    own = crm.side("a").key_id
    crm.customer(101, **MIA)
    found = {crm.name("a"): crm.find(["a"])["a"]}
    with crm.tea.runtime.database.write() as db:
        links.link(db, crm.tea.vault, CRM, found, 2, "cycle", crm.now)
    assert not crm.is_destroyed(own)
    with crm.tea.runtime.database.read() as db:
        assert erasing.receipts(db, 10) == [], "it is no erasure"
    crm.end()
    assert crm.is_destroyed(own)
    assert not rows_of(crm, erasures)


def test_a_link_that_is_rolled_back_leaves_the_record_as_it_was(crm: Crm) -> None:
    crm.read({"a": MIA})
    own = crm.side("a").key_id
    crm.customer(101, **MIA)
    found = {crm.name("a"): crm.find(["a"])["a"]}

    def die() -> None:
        with crm.tea.runtime.database.write() as db:
            links.link(db, crm.tea.vault, CRM, found, 2, "cycle", crm.now)
            raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        die()
    crm.end()
    assert crm.side("a").key_id == own
    assert not crm.on_record("a")


def test_a_broken_link_gives_the_record_a_key_of_its_own_and_stays_broken(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA})
    key = crm.tea.vault.keys.subject_keys([mia])[mia]
    with crm.tea.runtime.database.write() as db:
        unplaced = [Unplaced(mia, key, CRM, "note", "x", "owned by shopify")]
        parked.park_all(db, crm.tea.shop_id, unplaced, crm.now)
    broken = decide(crm, deciding.break_link, pair(crm, "a", mia), WHO, crm.now + HOUR)
    assert (broken.state, broken.made_by, broken.reason) == (BROKEN, WHO, deciding.TWO_PEOPLE)
    side = crm.side("a")
    assert side.customer_id is None
    assert side.key_id != mia
    assert side.fields["mail"] == MIA["email"]
    assert side.email_token is not None
    with crm.tea.runtime.database.read() as db:
        assert not parked.listed(db, crm.tea.shop_id, 10, customer_id=mia)
    crm.read({"a": MIA})
    assert crm.state("a") == BROKEN
    with pytest.raises(NotLinked, match="was taken apart"):
        decide(crm, deciding.break_link, pair(crm, "a", mia), WHO, crm.now)
    # A person's newer word stands above it.
    linked = decide(crm, deciding.link_by_hand, pair(crm, "a", mia), WHO, crm.now)
    assert (linked.state, linked.matched_by, crm.side("a").key_id) == (LINKED, PERSON, mia)


def test_what_waits_for_a_person_is_accepted_or_refused(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    nameless = {"phone": MIA["phone"]}
    crm.read({"a": nameless, "b": {"email": "zoe@example.org"}})
    [waits] = crm.on_record("a")
    assert (waits.state, waits.matched_by) == (REVIEW, "phone")
    assert crm.side("a").customer_id is None
    # Read again it keeps its age, and who looks at it later still finds it.
    crm.read({"a": nameless})
    assert crm.on_record("a") == [waits]
    refused = decide(crm, deciding.refuse, pair(crm, "a", mia), WHO, crm.now)
    assert refused.state == BROKEN
    crm.read({"a": nameless})
    assert crm.state("a") == BROKEN
    crm.read({"c": nameless}, "erp")
    accepted = decide(crm, deciding.accept, pair(crm, "c", mia, "erp"), WHO, crm.now)
    assert (accepted.state, accepted.matched_by, crm.side("c", "erp").customer_id) == (LINKED, PERSON, mia)
    for wrong in ("b", "nobody"):
        with pytest.raises(NotLinked):
            decide(crm, deciding.accept, pair(crm, wrong, mia), WHO, crm.now)


def test_what_no_longer_is_in_doubt_waits_no_more(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.read({"a": {"phone": MIA["phone"]}})
    assert crm.state("a") == REVIEW
    crm.read({"a": MIA})
    assert [(each.state, each.customer_id) for each in crm.on_record("a")] == [(LINKED, mia)]


def test_a_record_is_linked_by_hand_to_one_customer_only(crm: Crm) -> None:
    mia, zoe = crm.customer(101, **MIA), crm.customer(102, email="zoe@example.org")
    crm.read({"a": MIA})
    for customer, said in ((zoe, "another customer's"), (mia, "linked already")):
        with pytest.raises(NotLinked, match=said):
            decide(crm, deciding.link_by_hand, pair(crm, "a", customer), WHO, crm.now)
    with pytest.raises(NotLinked, match="no such record"):
        decide(crm, deciding.link_by_hand, pair(crm, "x", zoe), WHO, crm.now)


def test_a_record_that_comes_back_is_its_customers_again(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA, "b": {"phone": "+447911123457"}})
    with crm.tea.runtime.database.write() as db:
        names = [crm.name("a"), crm.name("b")]
        for _twice in range(2):
            links.gone(db, crm.tea.shop_id, CRM, names, crm.now)
        remote.remove(db, crm.tea.shop_id, CRM, names)
    assert crm.on_record("a")[0].reason.count(links.GONE) == 1
    with crm.tea.runtime.database.read() as db:
        assert links.of_customers(db, crm.tea.shop_id, CRM, [mia]) == {}, "nothing can be written to it"
    found = crm.read({"a": {"email": "changed@example.org"}})
    assert found["a"] == Linked(mia, "email", links.LINKED_BEFORE)
    assert crm.side("a").key_id == mia
    assert not crm.on_record("a")[0].is_gone


def test_a_purge_takes_the_record_that_is_linked_and_leaves_others(crm: Crm) -> None:
    mia, zoe = crm.customer(101, **MIA), crm.customer(102, email="zoe@example.org")
    crm.read({"a": MIA, "b": {"email": "zoe@example.org"}, "c": {"email": "nobody@example.org"}})
    crm.read({"a": {"phone": MIA["phone"]}}, "erp")
    before = crm.side("a").fields["mail"]
    assert before == MIA["email"], "or else nothing would be proved"
    with crm.tea.runtime.database.write() as db:
        erase_all(db, crm.tea.vault, 101, Asked("a test", crm.now), crm.now)
    crm.end()
    assert not crm.on_record("a")
    assert not crm.on_record("a", "erp"), "what waited to be looked at goes, too"
    assert {row.record_id for row in rows_of(crm, sides) if row.system == CRM} == {crm.name("b"), crm.name("c")}
    assert crm.is_destroyed(mia)
    assert crm.side("b").key_id == zoe


def test_a_data_export_tells_what_a_connected_system_says(crm: Crm) -> None:
    crm.customer(101, **MIA)
    crm.read({"true-id-7": MIA | {"note": "likes oolong"}, "b": {"email": "zoe@example.org"}})
    with crm.tea.runtime.database.read() as db:
        who = exporting.whom(db, crm.tea.vault, 101)
        held = {each.table: each.rows for each in exporting.everything(db, crm.tea.vault, who, 30)}
    [side] = [row for row in held["sides"] if row["system"] == CRM]
    assert side["holds"]["remarks"] == "likes oolong"
    assert [(row["system"], row["state"], row["matched_by"]) for row in held["links"]] == [(CRM, LINKED, "email")]
    assert "zoe@example.org" not in str(held)


def test_links_and_all_that_hangs_on_them_follow_a_merge(crm: Crm) -> None:
    kept, gone = crm.customer(101, **MIA), crm.customer(102, email="zoe@example.org", first_name="Zoe")
    crm.read({"b": {"email": "zoe@example.org", "note": "likes oolong"}})
    crm.read({"c": {"email": "zoe@example.org", "first_name": "Otto", "last_name": "X"}}, "erp")
    shop = crm.tea.shop_id
    key = crm.tea.vault.keys.subject_keys([gone])[gone]
    with crm.tea.runtime.database.write() as db:
        parked.park_all(db, shop, [Unplaced(gone, key, CRM, "note", "green", "owned by shopify")], crm.now)
        pending.mark(db, shop, [(CRM, gone, "email"), (CRM, gone, "note"), (CRM, kept, "email")], crm.now)
        bound = pending.binding(shop, CRM, gone, "note")
        box = key.seal_fields({"note": "black"}, bound)
        marked = (pending_marks.c.customer_id == gone, pending_marks.c.field == "note")
        db.execute(update(pending_marks).where(*marked).values(set_by=WHO, box=box))
    before = crm.side("b").key_id
    assert before == gone
    crm.tea.apply(merged(102, 101, crm.now), absent(102, crm.now + HOUR), now=crm.now + HOUR)
    [link] = crm.on_record("b")
    assert (link.customer_id, link.state) == (kept, LINKED)
    assert link.reason.endswith("it followed a merge in Shopify")
    side = crm.side("b")
    assert (side.customer_id, side.key_id, side.fields["remarks"]) == (kept, kept, "likes oolong")
    with crm.tea.runtime.database.read() as db:
        assert links.of_people(db, shop, [gone]) == []
        [value] = parked.listed(db, shop, 10, customer_id=kept)
        assert parked.values(crm.tea.vault, [value]) == {value.id: "green"}
    marks = {(bytes(row.customer_id), row.field): row for row in rows_of(crm, pending_marks) if row.system == CRM}
    assert {customer for customer, _field in marks} == {kept}
    assert {"email", "note", "phone", "first_name"} <= {field for _customer, field in marks}
    # Whoever is erased from now on takes what went over with them.
    with crm.tea.runtime.database.write() as db:
        erase_all(db, crm.tea.vault, 101, Asked("a test", crm.now), crm.now)
    crm.end()
    assert not [row for row in rows_of(crm, sides) if row.system == CRM]


def test_a_pair_that_was_taken_apart_is_not_joined_by_a_merge(crm: Crm) -> None:
    kept, gone = crm.customer(101, **MIA), crm.customer(102, email="zoe@example.org")
    crm.read({"a": MIA})
    decide(crm, deciding.break_link, pair(crm, "a", kept), WHO, crm.now)
    decide(crm, deciding.link_by_hand, pair(crm, "a", gone), WHO, crm.now)
    crm.tea.apply(merged(102, 101, crm.now), absent(102, crm.now + HOUR), now=crm.now + HOUR)
    assert [(each.state, each.customer_id) for each in crm.on_record("a")] == [(BROKEN, kept)]
    side = crm.side("a")
    assert side.customer_id is None
    assert side.key_id not in (kept, gone)


def test_an_echo_that_is_awaited_of_a_merged_customer_is_nobodys(crm: Crm) -> None:
    crm.customer(101, **MIA)
    gone = crm.customer(102, email="zoe@example.org")
    crm.read({"b": {"email": "zoe@example.org"}})
    with crm.tea.runtime.database.write() as db:
        row = {"shop_id": crm.tea.shop_id, "system": CRM, "record_id": crm.name("b"), "field": "note"}
        db.execute(expectations.insert().values(**row, customer_id=gone, digest=b"1", made_at=crm.now))
    crm.tea.apply(merged(102, 101, crm.now), absent(102, crm.now + HOUR), now=crm.now + HOUR)
    assert not rows_of(crm, expectations)


def test_a_record_that_was_linked_since_the_backup_is_read_anew_after_it(crm: Crm, tmp_path: Path) -> None:
    crm.read({"a": MIA, "b": {"email": "nobody@example.org"}})
    back_up(crm.tea.runtime, tmp_path / "a.backup", crm.now)
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA})
    bring_back(crm.tea.runtime, tmp_path / "a.backup", crm.now + HOUR)
    # Its own key was destroyed when it was linked, and nobody can open it, nor need anybody.
    assert [row.record_id for row in rows_of(crm, sides) if row.system == CRM] == [crm.name("b")]
    assert crm.customer(101, **MIA) != mia
    assert isinstance(crm.read({"a": MIA})["a"], Linked)


def test_the_records_of_a_customer_whose_key_is_lost_are_read_anew(crm: Crm, tmp_path: Path) -> None:
    copy_keys(crm.tea.runtime, tmp_path / "keys.copy", crm.now)
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA})
    bring_keys_back(crm.tea.runtime, tmp_path / "keys.copy", crm.now + HOUR)
    assert not [row for row in rows_of(crm, sides) if row.system == CRM]
    assert crm.read({"a": MIA})["a"] == Linked(mia, "email", links.LINKED_BEFORE)
    assert crm.side("a").key_id == mia


def test_a_new_key_of_the_index_makes_the_tokens_of_records_anew(crm: Crm) -> None:
    crm.customer(101, **MIA)
    crm.read({"a": MIA, "b": {"phone": "+447911123999"}, "c": {"email": "c@example.org"}})
    before = {name: (crm.side(name).email_token, crm.side(name).phone_token) for name in "abc"}
    lost = crm.side("c").key_id
    crm.tea.runtime.keys.destroy_subjects([lost], crm.now)
    with crm.tea.runtime.database.write() as db:
        run = indexing.queue(crm.tea.runtime, db, crm.tea.shop_id, WHO, crm.now)
    carrying.carry_out(crm.tea.runtime, run)
    with crm.tea.runtime.database.read() as db:
        ended = runs.get(db, run)
    assert (ended.counts["records"], ended.counts["unopened"]) == (2, 1)
    after = {name: (crm.side(name).email_token, crm.side(name).phone_token) for name in "ab"}
    assert all(old is None or old != new for name in "ab" for old, new in zip(before[name], after[name], strict=True))
    [row] = [row for row in rows_of(crm, sides) if row.record_id == crm.name("c")]
    assert (row.email_token, row.index_version) == (None, 2)
    with crm.tea.runtime.keys.database.read() as db:
        versions = list(db.execute(select(keytables.index_keys.c.version)).scalars())
    assert versions == [2]
    # And what was not linked is still found by the key that it has now.
    crm.customer(102, phone="+447911123999")
    assert crm.find(["b"])["b"].reason.startswith("one number")
