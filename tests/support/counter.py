"""The command line at the counter of the loyal shop, with a clock of its own."""

import importlib
from pathlib import Path

import pytest

from onewriter.records import Instant
from onewriter.runtime import Runtime
from tests.faces.conftest import Onewriter


def at_counter(patch: pytest.MonkeyPatch, folder: Path, database_url: str, keys_url: str, moment: Instant) -> Onewriter:
    """The commands about points on the databases of the tests, at that moment."""
    patch.setenv("ONEWRITER_DATA_DIR", str(folder))
    patch.setenv("ONEWRITER_DATABASE_URL", database_url)
    patch.setenv("ONEWRITER_KEYSTORE_URL", keys_url)
    set_clock(patch, moment)
    return Onewriter()


def set_clock(patch: pytest.MonkeyPatch, moment: Instant) -> None:
    """Let the commands about points begin at that moment."""
    patch.setattr(importlib.import_module("onewriter.cli.points"), "now", lambda: moment)
    patch.setattr(Runtime.__init__, "__kwdefaults__", {"door": False, "clock": lambda: moment})
