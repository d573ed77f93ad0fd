"""The browser of the tests: found, or installed by the project's own hand, or missed aloud."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# The first is the same Chromium without its window: a page takes it a sixth less time.
NAMES = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "google-chrome-stable"),
)
# Playwright's driver is a Node.js that a bare Debian lacks one library for.
BESIDES = ("fonts-dejavu-core", "libatomic1")
MISSING = (
    "No Chromium was found and none could be installed, so THE BROWSER TESTS WILL BE SKIPPED. "
    "Install it (Debian: apt-get install chromium) and run the tests again."
)


def find() -> str | None:
    """The one decision: `make test` and the tests ask the same question."""
    if not _driver_runs():
        return None
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path), None) or _playwrights_own()


def flags() -> list[str]:
    """Chromium's sandbox cannot be set up by root, and /dev/shm is small in a container."""
    return ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []


def prepare() -> int:
    """An exit code: on a desk a missing browser is a loud notice, in CI it is a failure."""
    if find() or (_install() and find()):
        return 0
    print(f"\n{'!' * 78}\n{MISSING}\n{'!' * 78}\n", file=sys.stderr)  # noqa: T201
    return 1 if os.environ.get("CI") == "true" else 0


def _driver_runs() -> bool:
    try:
        from playwright._impl._driver import compute_driver_executable
    except ImportError:  # only the tests bring it
        return False
    command = [*compute_driver_executable(), "--version"]
    # Playwright's own program, from its own package.
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603


def _playwrights_own() -> str | None:
    default = Path.home() / ".cache" / "ms-playwright"
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or default)
    builds = sorted(folder.glob("chromium-*/chrome-linux*/chrome"))
    return str(builds[-1]) if builds else None


def _install() -> bool:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install = ("apt-get", "-qq", "install", "-y", "--no-install-recommends", *BESIDES)
        return _runs("apt-get", "-qq", "update") and any(
            _runs(*install, name) for name in NAMES[:2]
        )
    return _runs(sys.executable, "-m", "playwright", "install", "chromium")


def _runs(*command: str) -> bool:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        # Our own words, no input of anybody's.
        done = subprocess.run(  # noqa: S603
            command, env=quiet, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(prepare())
