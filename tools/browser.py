"""Have Chromium for the tests of the pages: `make browser`.

The one on the path is taken; else Debian's package is installed, where that may be done. Where there is none, the tests
that need it are skipped and say so, but on a continuous-integration machine there has to be one.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-dejavu-core")
WANTED = (
    "The tests of the pages need Chromium on the path: install it (on Debian, the package chromium), or go on without."
)


def chromium() -> str | None:
    """Its program; None where there is none."""
    return next((place for place in map(shutil.which, NAMES) if place), None)


def install() -> bool:
    """Install Debian's package; False where that cannot be done."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    commands = (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES])
    return all(not subprocess.run(["apt-get", "-qq", *words], env=quiet, check=False).returncode for words in commands)


def main() -> int:
    """Say which browser there is; 1 only where tests may not go without."""
    place = chromium()
    if place is None and install():
        place = chromium()
    if place is None:
        print(WANTED, file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    told = subprocess.run([place, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    print(f"The browser of the tests is {told or place}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
