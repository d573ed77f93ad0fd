"""No models. Django announces post_migrate, for which config.roles waits, only where this is."""
