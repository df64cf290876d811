"""The demo's story, told once as a new user would see it: every claim that it makes must hold."""

import json
import subprocess
import sys

import pytest


@pytest.mark.time_limit(240)
@pytest.mark.req("K1", "K6", "K10")
def test_every_claim_of_the_demo_holds() -> None:
    """The service imports in the background: no command of the story carries a run out itself."""
    told = subprocess.run(
        [sys.executable, "-m", "onewriter", "demo", "--json"], capture_output=True, timeout=220, check=False
    )
    assert told.stdout, told.stderr.decode()[-2000:]
    checks = json.loads(told.stdout.splitlines()[-1])
    assert len(checks) >= 12
    assert [check["claim"] for check in checks if not check["held"]] == []
    assert told.returncode == 0
