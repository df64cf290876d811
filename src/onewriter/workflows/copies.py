"""The newest copy of the key store, kept by the workers in the file that the settings name."""

from pathlib import Path

import structlog

from onewriter.customers import erasing
from onewriter.records import Instant
from onewriter.runtime import Runtime
from onewriter.vault import copying

log = structlog.get_logger(__name__)


def refresh(runtime: Runtime) -> bool:
    """Copy the key store if keys were destroyed since the newest copy, or were made an hour ago; True if it was.

    It is called at every strike, and costs a few small queries where nothing has changed. A copy that cannot be
    written keeps nothing else from being done; `check` tells of it.
    """
    named = runtime.settings.text("keys_copy_file")
    if not named:
        return False
    try:
        # The file itself says how old it is: a copy that was made elsewhere since then leaves this one as it was.
        copied, moment = copying.made_at(Path(named)), runtime.now()
        if not copying.is_due(runtime.key_database, copied, lambda since: erased_since(runtime, since), moment):
            return False
        copying.write_copy(runtime.keys, Path(named), moment)
    except Exception as error:  # noqa: BLE001 - the next strike tries again
        log.warning("the key store is not copied", error=type(error).__name__)
        return False
    return True


def erased_since(runtime: Runtime, since: Instant) -> bool:
    """True if customers' keys were destroyed since then."""
    with runtime.database.read() as db:
        return erasing.any_since(db, since)
