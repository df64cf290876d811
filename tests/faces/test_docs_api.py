"""The examples of docs/api.md, as a reader types them."""

import re
import shlex
import time
from pathlib import Path

import httpx2
import pytest

from onewriter.customers.people import Role
from onewriter.records import HOUR, Instant
from tests.support.loyal import Loyal
from tests.support.pages import Site, token_of
from tests.support.raw import ON_SQLITE
from tests.support.tree import ROOT

pytestmark = ON_SQLITE

PAGE = (ROOT / "docs" / "api.md").read_text()
ADDRESS = "http://127.0.0.1:8480"
TOKEN = "$(cat till.token)"
CUSTOMER = 5_064_055_069_300


@pytest.fixture
def now() -> Instant:
    """Lately, since the pages look by the machine's clock."""
    return time.time_ns() // 1000 - HOUR


def lines() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def ask(words: list[str], site: Site, token: str, folder: Path) -> httpx2.Response:
    """What curl would be answered."""
    headers, body, url = {}, None, ""
    rest = iter(words)
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value.replace(TOKEN, token)
        elif word == "-d":
            body = next(rest).encode()
        elif word == "--data-binary":
            body = (folder / next(rest).removeprefix("@")).read_bytes()
        else:
            assert word.startswith(ADDRESS), word
            url = word.replace(ADDRESS, site.url)
    with httpx2.Client(trust_env=False, timeout=60) as client:
        return client.request("GET" if body is None else "POST", url, content=body, headers=headers)


def test_every_example_is_answered(loyal: Loyal, site: Site, tmp_path: Path) -> None:
    loyal.customer(CUSTOMER, loyal.now, email="ann@example.com")
    (tmp_path / "people.csv").write_text("email,note\nann@example.com,likes tea\n")
    token = token_of(loyal.tea.runtime, "till", Role.STAFF)
    made, *asked = lines()
    assert made.startswith("onewriter tokens create till --role staff")
    for line in asked:
        program, *words = shlex.split(line)
        assert program == "curl"
        answer = ask(words, site, token, tmp_path)
        assert answer.status_code == 200, (line, answer.text)
    assert len(asked) > 8
