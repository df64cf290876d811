"""Write the reference pages that are made from the code: `python tools/docs.py`. A test fails when they are stale."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

import click
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from onewriter.cli import commands
from onewriter.db import casetables, keytables, pointtables, privacytables, register, systemtables, tables, webtables
from onewriter.db.register import Entry
from onewriter.settings import BOUNDS, CONFIG_FILE, CONFIG_VARIABLE, SETTINGS, Setting
from onewriter.web.api.frame import described
from onewriter.web.api.routers import ROUTERS

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = Path("docs") / "reference"
HELP_WIDTH = 100
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
MADE = "<!-- Made by tools/docs.py from the code. Do not edit: `python tools/docs.py` writes it anew. -->"

TABLE_START = re.compile(r"^(\w+) = Table\($")
COLUMN_COMMENT = re.compile(r'^    Column\("(\w+)".*\),\s+# (.+)$')


def pages() -> dict[Path, str]:
    """Every generated page, by its path in the repository."""
    return {
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "tables.md": tables_page(),
        REFERENCE / "api.json": api_document(),
    }


def api_document() -> str:
    """The description of the API, as it is published."""
    return json.dumps(described(ROUTERS).openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def stale() -> list[Path]:
    """The pages that are not what the code says."""
    return [path for path, text in pages().items() if not _is(ROOT / path, text)]


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _page(title: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", MADE, *blocks)) + "\n"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# ---- Commands -------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """The page of all commands, as their own help tells them."""
    found = list(commands())
    links = "\n".join(f"- [`{path}`](#{path.replace(' ', '-')})" for path, _ in found)
    return _page("Commands", "What `--help` says of each command.", links, *(_command(*one) for one in found))


def _command(path: str, command: click.Command) -> str:
    level = "#" * min(2 + path.count(" "), 4)
    return f"{level} {path}\n\n```text\n{help_of(path, command)}\n```"


def help_of(path: str, command: click.Command) -> str:
    """The help of a command, at a width of its own rather than that of a terminal."""
    context = click.Context(
        command, info_name=path, terminal_width=HELP_WIDTH, help_option_names=["-h", "--help"], color=False
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())


# ---- Settings -------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    """The page of all settings."""
    rules = (
        f"A setting is read from the environment, or else from `{CONFIG_FILE}` in the current folder (or the file that "
        f"`{CONFIG_VARIABLE}` names), or else it has its default. A name that is not on this page is an error in both "
        "places. A secret is never shown, and does not belong in the file. `onewriter settings` shows what is in force "
        "and where it is from."
    )
    head = ("setting", "environment variable", "default", "allowed", "what it is")
    return _page("Settings", rules, _grid(head, map(_setting, SETTINGS)))


def _setting(setting: Setting) -> tuple[str, ...]:
    default = f"`{setting.default}`" if setting.default != "" else "(empty)"
    low, high = BOUNDS.get(setting.name, (None, None))
    allowed = "text" if low is None else f"{low} to {high} {setting.unit}".rstrip()
    kind = "Secret. " if setting.secret else ""
    return f"`{setting.name}`", f"`{setting.variable}`", default, allowed, f"{kind}{setting.help}."


# ---- Tables ---------------------------------------------------------------------------------------------------------

TABLES_INTRO = """Two databases: the main one, and the key store. Types are PostgreSQL's; on SQLite numbers are INTEGER,
BYTEA is BLOB, and JSON is text. Times are microseconds since 1970-01-01 UTC
([why](../decisions/0002-time-is-an-integer.md)). Ids of ours are 16-byte UUIDs
([why](../decisions/0003-one-id-for-customer-and-key.md)).

How a column is kept:

- **sealed**: a box that only a key of the key store opens.
- **token**: a keyed digest, hash or blind index. It tells whether two values are equal, and nothing else.
- **Shopify id**: the id of a customer in Shopify, in clear.
- everything else stands in clear.

The register in `src/onewriter/db/register.py` also says what becomes of each table when a customer is erased, exported
or merged, so that no table can be forgotten. **An erasure walks it today** (customers/redact), and a merge moves the
rows of `entries`; export and the merge of other rows come later. A day key ends after `inbox_keep_days`: then the
bodies of that day cannot be opened, and their rows are removed. Some tables are made already and stay empty for now:
`links`, `pending_marks` and `parked_values`.

Beside ours, the main database holds `alembic_version` and the tables of the durable jobs' library. A job carries the id
of its run, and nothing else of ours."""


MAIN_TABLES = (tables, pointtables, privacytables, systemtables, casetables, webtables)


def tables_page() -> str:
    """The page of all tables, with what the register says of each."""
    main = _database("Main database", tables.metadata.tables, register.REGISTER, *MAIN_TABLES)
    keys = _database("Key store", keytables.metadata.tables, register.KEY_REGISTER, keytables)
    return _page("Tables", TABLES_INTRO, *main, *keys)


def _database(title: str, known: Mapping[str, Table], entries: Iterable[Entry], *sources: ModuleType) -> Iterator[str]:
    comments: dict[str, dict[str, str]] = {}
    for source in sources:
        comments |= column_comments(Path(str(source.__file__)).read_text(encoding="utf-8"))
    yield f"## {title}"
    for entry in entries:
        yield _table(known[entry.table], entry, comments.get(entry.table, {}))


def _table(table: Table, entry: Entry, comments: Mapping[str, str]) -> str:
    head = ("column", "type", "kept", "what it is")
    rows = [_column(column, entry, comments.get(column.name, "")) for column in table.columns]
    return f"### {table.name}\n\n{_registered(entry)}\n\n{_grid(head, rows)}"


def _registered(entry: Entry) -> str:
    why = f"{entry.why} " if entry.why else ""
    if entry.subject is None and entry.purge == "never":
        return f"{why}No personal data."
    told = "yes" if entry.exported else "no"
    other = f", `{entry.other}` to a second one" if entry.other else ""
    leads = f"`{entry.subject}` leads to the customer{other}. " if entry.subject else ""
    return f"{why}{leads}When erased: {entry.purge}. Registered for later: in an export {told}; merge {entry.merge}."


def _column(column: Column[object], entry: Entry, comment: str) -> tuple[str, ...]:
    kind = column.type.compile(dialect=DIALECT)
    name = f"**`{column.name}`**" if column.primary_key else f"`{column.name}`"
    return name, kind + (" or empty" if column.nullable else ""), _kept(column.name, entry), comment


def _kept(name: str, entry: Entry) -> str:
    kinds = (("sealed", entry.sealed), ("token", entry.tokens), ("Shopify id", entry.ids))
    return next((kind for kind, names in kinds if name in names), "")


def column_comments(source: str) -> dict[str, dict[str, str]]:
    """What the comments beside the columns say, by table: they are the only place where it is written."""
    found: dict[str, dict[str, str]] = {}
    table = ""
    for line in source.splitlines():
        if start := TABLE_START.match(line):
            table = start[1]
        elif comment := COLUMN_COMMENT.match(line):
            found.setdefault(table, {})[comment[1]] = comment[2].strip(". ").replace(" ...", "")
    return found


def main() -> int:
    """Write the pages; with --check only say which are stale."""
    if "--check" in sys.argv[1:]:
        for path in stale():
            print(f"{path} is stale; run: python tools/docs.py")
        return 1 if stale() else 0
    for path, text in pages().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
        print(f"Wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
