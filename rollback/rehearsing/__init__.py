"""The whole rollback, done on a copy beside the school: one command, a report, a certificate."""
