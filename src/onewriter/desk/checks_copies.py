"""What `onewriter check` says of the copy of the key store: without one, a broken disk is the end of every value."""

from onewriter.customers import shops
from onewriter.desk.checked import Checked, Level
from onewriter.records import DAY, iso
from onewriter.runtime import Runtime
from onewriter.vault import copying
from onewriter.vault.copying import SLACK
from onewriter.workflows.copies import erased_since

STEP = "set ONEWRITER_KEYS_COPY_FILE to a file on another disk, or run `onewriter keys copy FILE`"


def check_copy(runtime: Runtime) -> Checked:
    """Whether the newest copy has the newest keys, and none that were destroyed; a day is given for it."""
    name = "keys copy"
    with runtime.database.read() as db:
        any_shop = bool(shops.every(db))
    copied = copying.copied_at(runtime.key_database)
    if copied is None:
        if not any_shop:
            return Checked(name, Level.OK, "there is no key of a shop yet, and so nothing to copy")
        return Checked(name, Level.WARNING, "the key store was never copied", STEP)
    if runtime.now() - copied > DAY:
        changed = copying.news(runtime.key_database)
        if changed.ended_at > copied + SLACK or erased_since(runtime, copied + SLACK):
            text = f"keys were destroyed since the copy of {iso(copied)}, which still has them"
            return Checked(name, Level.WARNING, text, STEP)
        if changed.made_at > copied + SLACK:
            return Checked(name, Level.WARNING, f"keys were made since the copy of {iso(copied)}", STEP)
    return Checked(name, Level.OK, f"the newest copy is of {iso(copied)}")
