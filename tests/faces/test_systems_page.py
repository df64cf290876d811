"""The commands of docs/systems.md, as a reader types them one after the other."""

import re
import shlex
import tomllib
from pathlib import Path

from pysqlite3 import dbapi2 as sqlite

from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "systems.md").read_text()
STEPS = PAGE[PAGE.index("## 1. ") : PAGE.index("## Day by day")]
COLUMNS = sorted(set(re.findall(r"--remote (\w+)", STEPS)))
TABLE = (
    f"CREATE TABLE people (id INTEGER PRIMARY KEY, {' TEXT, '.join(COLUMNS)} TEXT, "
    "changed_at TEXT NOT NULL DEFAULT '2026-03-02 10:00:00')"
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", STEPS, re.MULTILINE | re.DOTALL)


def type_in(onewriter: Onewriter, line: str) -> None:
    """Do what a line of the page says; what waits for a worker there is carried out here."""
    words = shlex.split(line, comments=True)[1:]
    if words[0] == "fields":
        onewriter(*words, "--yes")
    elif words[:2] == ["systems", "cycle"]:
        carry_out(onewriter.json(*[word for word in words if word != "--wait"])["run"])
    else:
        onewriter(*words)


def test_a_first_system_is_connected_by_the_commands_of_the_page(
    installed: Onewriter, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    mia = sandbox.shop.create(email="mia@example.com", first_name="Mia", last_name="Lee")
    installed.imported(sandbox)
    connection = sqlite.connect(tmp_path / "crm.db")
    connection.executescript(TABLE)
    connection.execute("INSERT INTO people (email, first, tier) VALUES ('mia@example.com', 'Maria', 'gold')")
    connection.commit()
    [settings] = blocks("toml")
    url = tomllib.loads(settings)["url"]
    (tmp_path / "crm.toml").write_text(settings.replace(url, f"sqlite:///{tmp_path}/crm.db"))
    *steps, of_shopify = blocks("sh")
    for line in (line for block in steps for line in block.splitlines()):
        type_in(installed, line)
    # The answer has it begin; a worker would have seen to it by now.
    type_in(installed, "onewriter systems cycle crm")
    assert connection.execute("SELECT first, tier FROM people WHERE id = 1").fetchall() == [("Mia", "gold")]
    shown = installed.json("customers", "show", str(mia.id), "--reveal", "--why", "a test")
    assert shown["fields"]["custom.tier"] == "gold"
    type_in(installed, of_shopify)
    type_in(installed, "onewriter systems cycle shopify --wait")
    installed("questions", "answer", "2", "go on", "--why", "its first cycle asks as well")
    type_in(installed, "onewriter systems cycle shopify --wait")
    [there] = [each for each in sandbox.shop.snapshot() if each.id == mia.id]
    assert [(each.namespace, each.key, each.value) for each in there.metafields] == [("custom", "tier", "gold")]
