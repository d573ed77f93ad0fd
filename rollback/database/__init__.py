"""Django's backend for PostgreSQL, with an eye on it. The setting `ENGINE` names this package."""
