"""What the school keeps about its people, into a folder of tables and out of one (docs/preservation.md)."""

from rollback.preserving.exporting import ExportRefused, export
from rollback.preserving.importing import Report, bring_in

__all__ = ["ExportRefused", "Report", "bring_in", "export"]
