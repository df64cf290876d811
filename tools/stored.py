"""Leave an installation as this version leaves it, for the tests of later versions: `python tools/stored.py`.

Run it before a migration is added: it writes tests/stored/REVISION, a small real installation with people who are made
up, and what this version opens of it itself. A test fails for a revision that is not stored.
"""

import gzip
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from onewriter import settings  # noqa: E402
from onewriter.customers import profiles  # noqa: E402
from onewriter.db import migrate  # noqa: E402
from onewriter.db.webtables import metadata  # noqa: E402
from onewriter.intake.apply import apply  # noqa: E402
from onewriter.records import HOUR, Change, Kind, iso  # noqa: E402
from onewriter.records import Path as How  # noqa: E402
from onewriter.runtime import Runtime, now  # noqa: E402
from onewriter.sandbox import RunningSandbox  # noqa: E402
from tests.faces.conftest import Onewriter, deliver  # noqa: E402

PEOPLE, SEED = 12, 7
GID = "gid://shopify/Customer/"
GIFTS = "[signup]\npoints = 50\n\n[newsletter]\npoints = 20\n"


def main() -> None:
    """Make the installation in a folder of its own, and pack it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["ONEWRITER_DATA_DIR"] = str(Path(folder) / "data")
        with RunningSandbox(PEOPLE, SEED) as sandbox:
            live(Onewriter(), sandbox)
        with Runtime(settings.load()) as runtime:
            truth = truth_of(runtime)
            target = ROOT / "tests" / "stored" / str(migrate.revision(runtime.database))
        pack(Path(folder) / "data", target, truth)


def live(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    """Have a bit of everything happen: an update, a deletion, a merge, an unreadable body, an erasure, and points."""
    onewriter.imported(sandbox)
    changed, deleted, unread, merged, kept, erased = sandbox.shop.ids[:6]
    moment = now()
    told = {"updated_at": iso(moment + HOUR), "state": "enabled"}
    deliver("customers/update", told | {"id": changed, "email": "changed@example.com", "first_name": "Zoë"}, "w-update")
    deliver("customers/delete", {"id": deleted}, "w-delete")
    deliver("customers/update", told | {"id": unread, "email": ["no text"]}, "w-unread")
    names = {"admin_graphql_api_customer_kept_id": f"{GID}{kept}"}
    names |= {"admin_graphql_api_customer_deleted_id": f"{GID}{merged}", "status": "completed"}
    deliver("customers/merge", names, "w-merge")
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        apply(db, runtime.vault(1), [Change(merged, Kind.ABSENT, How.READ, {}, None, moment)], now())
    onewriter("privacy", "erase", str(erased), "--why", "a test", "--yes")
    rules = Path("programme.toml")
    rules.write_text(f'currency = "{onewriter.json("shop", "show")["currency"]}"\n{GIFTS}')
    onewriter("programme", "set", str(rules), "--why", "a test", "--yes")
    onewriter("points", "adjust", str(changed), "--give", "250", "--why", "a gift")
    onewriter("points", "redeem", str(changed), "100", "--key", "till-1", "--why", "tea")


def truth_of(runtime: Runtime) -> dict[str, Any]:
    """What this version opens itself, and how many rows of each table it has."""
    tables = metadata.tables
    with runtime.database.read() as db:
        known = list(db.execute(select(tables["customers"].c.shopify_id)).scalars())
        held = profiles.load(db, runtime.vault(1), known)
        counted = {name: db.execute(select(func.count()).select_from(tables[name])).scalar_one() for name in tables}
    for database in (runtime.database, runtime.key_database):
        with database.outside() as db:
            db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    opened = {str(number): {"state": profile.state, "own": profile.own} for number, profile in sorted(held.items())}
    return {"customers": opened, "rows": {name: count for name, count in sorted(counted.items()) if count}}


def pack(data: Path, target: Path, truth: dict[str, Any]) -> None:
    """Write the stored installation."""
    target.mkdir(exist_ok=True)
    for name in ("onewriter.db", "keys.db"):
        (target / f"{name}.gz").write_bytes(gzip.compress((data / name).read_bytes(), 9, mtime=0))
    # Of a test installation alone: it opens nothing else.
    shutil.copyfile(data / "master.key", target / "master.key")
    (target / "truth.json").write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
