"""Bringing a school in from an office's files: `import_school` takes a folder, `import_table` one file."""

from enrollment.operations.import_school.known import table_of
from enrollment.operations.import_school.one_table import (
    MOST_LINES,
    Preview,
    import_table,
    preview_table,
)
from enrollment.operations.import_school.run import ImportRefused, Progress, Report, import_school

__all__ = [
    "MOST_LINES",
    "ImportRefused",
    "Preview",
    "Progress",
    "Report",
    "import_school",
    "import_table",
    "preview_table",
    "table_of",
]
