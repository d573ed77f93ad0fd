"""The whole rollback, done on a copy beside the school: one command, a report, a certificate.

What others need of it. Imported when it is called: the child process begins before Django does.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollback.models import Rehearsal


def rehearse(
    *, backup: Path | None = None, say: Callable[[str], object], patience: float = 1.0
) -> "Rehearsal":
    """See `carrying.rehearse`."""
    from rollback.rehearsing import carrying

    return carrying.rehearse(backup=backup, say=say, patience=patience)


def migration_graph_hash() -> str:
    """See `schema.graph.migration_graph_hash`."""
    from rollback.schema import graph

    return graph.migration_graph_hash()


def certificate_warning(now: datetime) -> str:
    """See `certificate.certificate_warning`."""
    from rollback.rehearsing import certificate

    return certificate.certificate_warning(now)
