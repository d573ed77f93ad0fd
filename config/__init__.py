"""The site plan."""

import sys
from pathlib import Path

# The library of public holidays has the name of our app. Ours must be found first, however the
# process was started; the library runs in an interpreter of its own.
_OURS = str(Path(__file__).resolve().parent.parent)
if sys.path[0] != _OURS:
    sys.path.insert(0, _OURS)
