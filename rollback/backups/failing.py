class BackupFailed(Exception):
    """There is no new backup, and every old one is as it was. The message says why."""


class BackupRuns(BackupFailed):
    """Another process is at it."""
