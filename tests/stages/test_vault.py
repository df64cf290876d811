"""Protected data: what stands on the disk opens nothing by itself, and what was destroyed stays destroyed."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, event, func, insert, select

from onewriter.customers import find, shops
from onewriter.customers.profiles import customer_binding, side_binding
from onewriter.db import keytables
from onewriter.db.tables import customers, sides
from onewriter.errors import BadSetting, KeyDestroyed, KeyMissing, MasterKeyWrong
from onewriter.intake.door import inbox_binding
from onewriter.records import DAY, Delivery, Instant
from onewriter.records import Path as Way
from onewriter.runtime import Runtime
from onewriter.settings import Settings, load
from onewriter.vault.keystore import KeyStore
from onewriter.vault.master import make_master_key, parse_keys
from onewriter.vault.seal import bound_to
from onewriter.vault.vault import day_of
from tests.support.joined import put_in_inbox
from tests.support.raw import raw_bytes
from tests.support.shops import SECRET, Tea, later, told

CANARY = {
    "first_name": "Canaryann",
    "last_name": "Leighcanary",
    "email": "Canary.Ann@example.com",
    "phone": "+447700900111",
    "note": "canary likes oolong",
    "tags": ["canary-vip"],
    "locale": "en",
    "state": "enabled",
    "addresses": [{"id": 1, "address1": "1 Canary Wharf", "city": "Canaryton", "zip": "CA4 4RY", "default": True}],
    "email_consent": {"state": "subscribed", "level": None, "at": 1},
}
WORDS = (b"canary", b"7700900111", b"CA4 4RY", b"447700")


def box_of(tea: Tea, number: int) -> Any:
    with tea.runtime.database.read() as db:
        return db.execute(select(customers).where(customers.c.shopify_id == number)).one()


@pytest.mark.req("K5", "K25")
def test_nothing_of_a_person_or_a_secret_can_be_read_in_the_raw_database(tea: Tea, now: Instant) -> None:
    for turn, name in enumerate(("Canaryann", "Canarybeth")):
        change = told(101, later(now, turn), CANARY | {"first_name": name}, path=Way.READ)
        tea.apply(change, now=later(now, turn))
    body = b'{"id":101,"updated_at":"2026-03-02T10:00:00+00:00","note":"canary in a body"}'
    put_in_inbox(tea.runtime, tea.vault, [Delivery(tea.shop_id, "seen-in-raw", "customers/update", body, now)])
    with tea.runtime.database.read() as db:
        shown = find.show(db, tea.vault, "canary.ann@EXAMPLE.com", reveal=True)
    assert shown.fields["addresses"] == CANARY["addresses"], "it is there, for whoever has the keys"
    for database in (tea.runtime.database, tea.runtime.key_database):
        raw = raw_bytes(database).lower()
        assert [word for word in WORDS if word.lower() in raw] == []
        for secret in (SECRET, "shpat_of_the_tests"):
            assert secret.encode() not in raw
    assert b"seen-in-raw" in raw_bytes(tea.runtime.database), "and this does read what is there"


@pytest.mark.req("K5")
def test_neither_the_keys_of_customers_nor_the_master_key_are_in_the_main_database(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, CANARY, path=Way.READ), now=now)
    runtime = tea.runtime
    raw = raw_bytes(runtime.database)
    master_key = runtime.settings.master_key_file.read_bytes().strip()
    with runtime.key_database.read() as db:
        wrapped = [
            bytes(value)
            for table in (keytables.subject_keys, keytables.shop_keys, keytables.master_keys)
            for value in db.execute(select(table.c.proof if "proof" in table.c else table.c.wrapped)).scalars()
        ]
    assert len(wrapped) == 3
    assert [key for key in (*wrapped, master_key) if key in raw] == []
    assert master_key not in raw_bytes(runtime.key_database)


@pytest.mark.req("K5")
def test_each_customer_has_a_key_of_its_own(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, CANARY), told(102, now, CANARY), now=now)
    first, second = box_of(tea, 101), box_of(tea, 102)
    keys = tea.runtime.keys.subject_keys([bytes(first.id), bytes(second.id)])
    binding = customer_binding(tea.shop_id, bytes(first.id))
    assert keys[bytes(first.id)].open_fields(bytes(first.box), binding)["first_name"] == "Canaryann"
    with pytest.raises(KeyMissing):
        keys[bytes(second.id)].open_fields(bytes(first.box), binding)
    assert keys[bytes(first.id)].digest("x") != keys[bytes(second.id)].digest("x"), "equal values cannot be matched"


def test_a_box_that_is_copied_to_another_row_table_or_shop_does_not_open(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, CANARY), now=now)
    row = box_of(tea, 101)
    identity = bytes(row.id)
    key = tea.runtime.keys.subject_keys([identity])[identity]
    with tea.runtime.database.read() as db:
        side = bytes(db.execute(select(sides.c.box)).scalar_one())
    assert key.open_fields(side, side_binding(tea.shop_id, "101"))
    for box, binding in (
        (row.box, customer_binding(tea.shop_id, os.urandom(16))),
        (row.box, customer_binding(tea.shop_id + 1, identity)),
        (row.box, side_binding(tea.shop_id, "101")),
        (side, side_binding(tea.shop_id, "102")),
        (side, side_binding(tea.shop_id + 1, "101")),
        (side, customer_binding(tea.shop_id, identity)),
        (bytes(row.box)[:-1] + b"\x00", customer_binding(tea.shop_id, identity)),
        (b"", customer_binding(tea.shop_id, identity)),
    ):
        with pytest.raises(KeyMissing):
            key.open_fields(bytes(box), binding)


def test_the_credentials_of_one_shop_do_not_open_in_the_row_of_another(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.read() as db:
        shop = shops.by_id(db, tea.shop_id)
    key = tea.runtime.keys.shop_key(tea.shop_id)
    assert key.open(shop.box, bound_to("shops", tea.shop_id, "credentials"))
    other = tea.runtime.keys.make_shop_key(tea.shop_id + 1, now)
    for opener, binding in (
        (key, bound_to("shops", tea.shop_id + 1, "credentials")),
        (other, bound_to("shops", tea.shop_id, "credentials")),
    ):
        with pytest.raises(KeyMissing):
            opener.open(shop.box, binding)


def test_two_shops_have_different_tokens_for_one_address(tea: Tea, now: Instant) -> None:
    other = tea.runtime.keys.make_shop_key(tea.shop_id + 1, now)
    mine = tea.vault.key
    assert mine.token("email", "ann@example.com") == tea.vault.email_token(tea.vault.index.of(1), " Ann@Example.com")
    assert other.token("email", "ann@example.com") != mine.token("email", "ann@example.com")
    assert other.id_hash(101) != mine.id_hash(101)
    assert mine.token("phone", "x") != mine.token("email", "x")


def test_a_destroyed_day_key_opens_nothing_again_not_even_in_this_process(tea: Tea, now: Instant) -> None:
    made = [Delivery(tea.shop_id, f"d-{days}", "customers/update", b"{}", now - days * DAY) for days in (31, 30)]
    put_in_inbox(tea.runtime, tea.vault, made)
    keys = tea.runtime.keys
    today = day_of(now)
    assert keys.end_days(today - 30, now) == 1
    for store in (keys, again(tea.runtime)):
        with pytest.raises(KeyDestroyed):
            store.day_key(tea.shop_id, today - 31)
        with pytest.raises(KeyDestroyed):
            store.day_key_for_writing(tea.shop_id, today - 31, now)
        assert store.day_key(tea.shop_id, today - 30)
    with tea.runtime.key_database.read() as db:
        left = db.execute(select(keytables.day_keys).where(keytables.day_keys.c.day == today - 31)).one()
    assert (left.wrapped, left.destroyed_at) == (None, now), "the mark stays, the key does not"
    assert inbox_binding(tea.shop_id, "d-31") != inbox_binding(tea.shop_id, "d-30")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_two_processes_that_need_the_first_key_of_a_day_at_once_get_the_same_one(tea: Tea, now: Instant) -> None:
    """On SQLite one of them waits for the other; on PostgreSQL both look, and both find none."""
    runtime, today = tea.runtime, day_of(now)
    with Runtime(runtime.settings) as other:
        made: list[bytes] = []

        def be_a_moment_earlier(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "INSERT INTO day_keys" in statement and not made:
                made.append(other.keys.day_key_for_writing(tea.shop_id, today, now).seal(b"tea", b""))
            if "INSERT INTO shop_keys" in statement and len(made) == 1:
                made.append(other.keys.make_shop_key(99, now).seal(b"tea", b""))

        event.listen(runtime.key_database.engine, "before_cursor_execute", be_a_moment_earlier)
        assert runtime.keys.day_key_for_writing(tea.shop_id, today, now).open(made[0], b"") == b"tea"
        assert runtime.keys.make_shop_key(99, now).open(made[1], b"") == b"tea"


def again(runtime: Runtime) -> KeyStore:
    """The key store as another process opens it."""
    return KeyStore(runtime.key_database, parse_keys(runtime.settings.master_key_file.read_text()))


def test_a_key_that_is_lost_is_told_from_one_that_was_destroyed(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, CANARY), now=now)
    row = box_of(tea, 101)
    with tea.runtime.key_database.write() as db:
        db.execute(delete(keytables.subject_keys))
    with pytest.raises(KeyMissing, match="restore the newest copy of the key store"):
        tea.profile(101)
    with tea.runtime.key_database.write() as db:
        lost = {"id": bytes(row.id), "shop_id": tea.shop_id, "master_id": "x", "wrapped": None, "destroyed_at": now}
        db.execute(insert(keytables.subject_keys).values(**lost))
    with pytest.raises(KeyDestroyed, match="on purpose"):
        tea.profile(101)


# ---- Master keys


@pytest.fixture
def place(runtime: Runtime) -> tuple[dict[str, str], Path]:
    """The settings of an installation that was used before, as the environment gives them, and its master key file."""
    with Runtime(runtime.settings) as used:
        used.keys.make_shop_key(1, 1)
    named = ("database_url", "keystore_url", "data_dir")
    given = {f"ONEWRITER_{name.upper()}": runtime.settings.text(name) for name in named}
    return given, runtime.settings.master_key_file


def opened(given: dict[str, str], **more: str) -> Settings:
    return load(given | {f"ONEWRITER_{name.upper()}": value for name, value in more.items()}, Path("/"))


def rows_of_keys(settings: Settings) -> dict[str, list[Any]]:
    with Runtime(settings) as runtime, runtime.key_database.read() as db:
        tables: list[Table] = list(keytables.metadata.sorted_tables)
        return {table.name: list(db.execute(select(table).order_by(*table.primary_key.columns))) for table in tables}


def test_a_wrong_master_key_is_one_clear_sentence_and_changes_nothing(place: tuple[dict[str, str], Path]) -> None:
    given, file = place
    before = rows_of_keys(opened(given))
    right = file.read_text()
    file.write_text(make_master_key() + "\n")
    with Runtime(opened(given)) as runtime, pytest.raises(MasterKeyWrong, match="not the one this key store was made"):
        runtime.prepare()
    assert rows_of_keys(opened(given)) == before
    file.write_text(right)
    with Runtime(opened(given)) as runtime:
        runtime.prepare()
        assert runtime.keys.shop_key(1)


def test_a_lost_key_file_is_never_made_up_anew(place: tuple[dict[str, str], Path]) -> None:
    given, file = place
    file.unlink()
    with Runtime(opened(given)) as runtime, pytest.raises(MasterKeyWrong, match="Put back the file"):
        runtime.prepare()
    assert not file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_that_others_can_read_is_refused(place: tuple[dict[str, str], Path], mode: int) -> None:
    given, file = place
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "we make it readable for its owner only"
    file.chmod(mode)
    with Runtime(opened(given)) as runtime, pytest.raises(MasterKeyWrong, match="chmod 600"):
        runtime.prepare()
    file.chmod(0o600)
    with Runtime(opened(given)) as runtime:
        runtime.prepare()


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "is empty"), ("\n \n", "is empty"), ("canary", "Line 1 .* not 32 bytes"), ("Y2FuYXJ5", "Line 1 .* not 32")],
)
def test_a_text_that_is_no_master_key_is_refused_without_being_told(text: str, says: str) -> None:
    with pytest.raises(MasterKeyWrong, match=says) as caught:
        parse_keys(text)
    assert "canary" not in str(caught.value)
    assert "Y2Fu" not in str(caught.value)


def test_two_master_keys_live_at_once_while_one_replaces_the_other(place: tuple[dict[str, str], Path]) -> None:
    given, file = place
    old = file.read_text().strip()
    new = make_master_key()
    with Runtime(opened(given, master_key=f"{new}\n{old}\n")) as both:
        both.prepare()
        assert both.keys.shop_key(1), "wrapped by the old one"
        [(identity, _key)] = both.keys.make_subject_keys(1, 1, 5)
    with Runtime(opened(given, master_key=f"{old}\n{new}\n")) as turned:
        turned.prepare()
        assert turned.keys.shop_key(1)
        assert turned.keys.subject_keys([identity]), "wrapped by the new one"
        with turned.key_database.read() as db:
            assert db.execute(select(func.count()).select_from(keytables.master_keys)).scalar_one() == 2
    with Runtime(opened(given, master_key=new)) as alone:
        assert alone.keys.subject_keys([identity])
        with pytest.raises(MasterKeyWrong, match="is missing; add it"):
            alone.keys.shop_key(1)


def test_a_command_can_print_the_master_key_and_its_failure_is_one_sentence(place: tuple[dict[str, str], Path]) -> None:
    given, file = place
    with Runtime(opened(given, master_key_command=f"cat {file}")) as runtime:
        runtime.prepare()
        assert runtime.keys.shop_key(1)
    for command in ("false", "/nowhere/canary-command", "printf canary"):
        with Runtime(opened(given, master_key_command=command)) as runtime, pytest.raises(MasterKeyWrong) as caught:
            runtime.prepare()
        assert "canary" not in str(caught.value)


@pytest.mark.req("K5")
def test_what_is_printed_of_settings_credentials_and_keys_tells_no_secret(tea: Tea, now: Instant) -> None:
    key = make_master_key()
    settings = load({"ONEWRITER_MASTER_KEY": key}, Path("/"))
    with tea.runtime.database.read() as db:
        credentials = tea.runtime.credentials(shops.by_id(db, tea.shop_id))
    [(_identity, subject)] = tea.runtime.keys.make_subject_keys(tea.shop_id, 1, now)
    printed = " ".join(
        repr(each)
        for each in (settings, settings.shown(), credentials, parse_keys(key), tea.runtime.keys, tea.vault, subject)
    )
    assert "***" in printed
    assert [word for word in (key, SECRET, "shpat_of_the_tests") if word in printed] == []


def test_the_key_store_may_not_be_the_main_database(tmp_path: Path) -> None:
    one = f"sqlite:///{tmp_path}/one.db"
    settings = load({"ONEWRITER_DATABASE_URL": one, "ONEWRITER_KEYSTORE_URL": one}, tmp_path)
    with pytest.raises(BadSetting, match="must not be the main database"):
        Runtime(settings)
    with pytest.raises(BadSetting, match="name a second database"):
        _ = load({"ONEWRITER_DATABASE_URL": one}, tmp_path).keystore_url
