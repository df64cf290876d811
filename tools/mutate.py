"""Mutation testing: break one thing of a module at a time, and see whether its tests notice.

    python tools/mutate.py onewriter.rules.ordering tests/rules/test_ordering.py --least 90

A mutant lives in memory only: a test process is started with its number in the environment, and `tools/mutant.py`,
loaded there as a pytest plugin, puts the broken module in the place of the true one. The working tree is never written
to. What no test noticed is listed, with its line; exits with 1 when fewer than `--least` per cent were noticed.
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutant import Mutant, mutants, source_of

ROOT = Path(__file__).parent.parent
SECONDS_MAX = 120


def main() -> int:
    """Play all mutants of the modules that are named; the exit code."""
    wanted = _arguments()
    if _run(wanted.tests, None) != 0:
        print("The tests fail without any mutant; mend them first.", file=sys.stderr)
        return 2
    survivors, played = _play(wanted.module, wanted.tests, wanted.jobs)
    killed = played - len(survivors)
    share = 100 * killed / played
    print(f"{wanted.module}: {killed} of {played} mutants killed ({share:.1f} %).")
    for mutant in survivors:
        print(f"  survived, line {mutant.line}: {mutant.what}")
    return 0 if share >= wanted.least else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--least", type=float, default=90.0, help="per cent that must be killed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _play(module: str, tests: list[str], jobs: int) -> tuple[list[Mutant], int]:
    all_of_them = list(mutants(source_of(module)))
    with ThreadPoolExecutor(jobs) as pool:
        codes = list(pool.map(lambda mutant: _run(tests, f"{module}:{mutant.number}"), all_of_them))
    return [mutant for mutant, code in zip(all_of_them, codes, strict=True) if code == 0], len(all_of_them)


def _run(tests: list[str], mutant: str | None) -> int:
    """Run the tests in a process of their own; 0 when all of them pass. A mutant that never ends is noticed too."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "mutant", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tools")}
    environment |= {"ONEWRITER_TEST_MUTANT": mutant} if mutant else {}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        return 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
