"""Before `make clean` removes the files: nobody may be using them any more."""

import fcntl
import sys

from config.local import database, place


def main() -> None:
    """Only the project's own var/ goes, so only what lives there is stopped."""
    folder = place.BASE_DIR / "var"
    lock = folder / "run.lock"
    if lock.exists():
        with lock.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                sys.exit(f"The school is running at {file.read()}; stop it first.")
    database.stop(folder / "postgres")


if __name__ == "__main__":
    main()
