"""Checks of the databases and of the master key that opens them, before anything else is looked at."""

from onewriter.cli.session import opening
from onewriter.db import migrate, place
from onewriter.desk.checked import Checked, Level
from onewriter.desk.checks_here import check_apart, check_key_file, check_keys
from onewriter.errors import DatabaseBusy, OnewriterError
from onewriter.runtime import Runtime


def check_databases(runtime: Runtime) -> tuple[list[Checked], bool]:
    """The databases, their schema and the keys; False when one of them cannot be reached."""
    named = (("database", runtime.database), ("key store", runtime.key_database))
    lines, reached = [], True
    for name, database in named:
        try:
            lines.append(Checked(name, Level.OK, f"reached, {place.version(database)}"))
        except DatabaseBusy as error:
            lines.append(Checked(name, Level.FAULT, str(error).rstrip("."), "start it, or correct its address"))
            reached = False
    if reached:
        proven = _schema_and_keys(runtime)
        lines += [proven, *check_key_file(runtime)]
        lines += check_keys(runtime) if proven.level is Level.OK else []
        lines.append(check_apart(runtime))
    return lines, reached


def _schema_and_keys(runtime: Runtime) -> Checked:
    """Bring the schema up to date, as every command does, and prove that the master key opens the key store."""
    try:
        with opening():
            runtime.prepare()
    except OnewriterError as error:
        return Checked("keys", Level.FAULT, str(error))
    revision = migrate.revision(runtime.database)
    return Checked("keys", Level.OK, f"the master key opens the key store; schema {revision} is current")
