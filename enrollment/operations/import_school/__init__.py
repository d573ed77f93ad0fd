"""Bringing a school in from an office's files: `import_school` is the one way in."""

from enrollment.operations.import_school.run import ImportRefused, Progress, Report, import_school

__all__ = ["ImportRefused", "Progress", "Report", "import_school"]
