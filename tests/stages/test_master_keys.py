"""Master keys by themselves: reading them again when one is missed, and the file that they stand in."""

import os
import threading
from pathlib import Path

import pytest

from onewriter.errors import MasterKeyWrong
from onewriter.vault import master
from onewriter.vault.master import MasterKey, MasterKeys, make_master_key, parse_keys, put_new_first

# ---- Reading the settings again -------------------------------------------------------------------------------------


def keys_of(*texts: str) -> tuple[MasterKey, ...]:
    return parse_keys("\n".join(texts))


def test_the_settings_are_not_read_over_and_over_for_a_key_that_is_not_there() -> None:
    one, two = make_master_key(), make_master_key()
    texts, read, at = [one], [0], [100.0]

    def source() -> tuple[MasterKey, ...]:
        read[0] += 1
        return keys_of(*texts)

    ring = MasterKeys(keys_of(one), source, lambda: at[0])
    assert [ring.find("unknown") for _ in range(50)] == [None] * 50
    assert read == [1]
    at[0] += master.REST_S
    texts.insert(0, two)
    assert ring.find("unknown") is None
    assert (read, ring.current.id) == ([2], keys_of(two)[0].id)
    ring.find("unknown")
    assert read == [3], "what brought something is followed at once by another look"


def test_threads_that_meet_a_new_master_key_at_once_read_it_once() -> None:
    one, two = make_master_key(), make_master_key()
    read = [0]

    def source() -> tuple[MasterKey, ...]:
        read[0] += 1
        return keys_of(two, one)

    ring, wanted = MasterKeys(keys_of(one), source), keys_of(two)[0].id
    found: list[MasterKey | None] = []
    threads = [threading.Thread(target=lambda: found.append(ring.find(wanted))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.id for each in found if each] == [wanted] * 8
    assert read == [1]


# ---- The file -------------------------------------------------------------------------------------------------------


def test_a_new_key_stands_first_and_the_file_stays_whole_private_and_linked(tmp_path: Path) -> None:
    real, link = tmp_path / "secret" / "real.key", tmp_path / "master.key"
    master.write_new_file(real)
    link.symlink_to(real)
    left_over = real.with_name(".real.key.0123456789abcdef")
    left_over.write_text("a key that a killed process left")
    old = real.read_text()
    put_new_first(link)
    assert link.is_symlink()
    first, *rest = real.read_text().splitlines(keepends=True)
    assert "".join(rest) == old
    assert first not in old
    assert real.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in real.parent.iterdir()] == ["real.key"], "no key lies about"


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "master.key"
    master.write_new_file(file)
    old = file.read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MasterKeyWrong, match=r"cannot be written .No space left"):
        put_new_first(file)
    assert (file.read_text(), list(tmp_path.iterdir())) == (old, [file])


def test_several_keys_may_stand_on_one_line_since_some_settings_have_no_second() -> None:
    one, two = make_master_key(), make_master_key()
    assert [key.id for key in parse_keys(f"{one} {two}")] == [key.id for key in parse_keys(f"{one}\n{two}\n")]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b""])
def test_a_file_of_something_else_is_one_clear_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "master.key"
    file.write_bytes(content)
    with pytest.raises(MasterKeyWrong):
        put_new_first(file)
    assert file.read_bytes() == content
