#!/usr/bin/env python
"""Django's command line, with the embedded database started where none is named."""

import os
import sys

# Read by older Pythons too: nothing above or in these lines may be newer than Python 3.0.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ".")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config.local.command import run

    run(sys.argv)


if __name__ == "__main__":
    main()
