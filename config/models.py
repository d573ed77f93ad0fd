"""No models; Django announces post_migrate, on which config.roles waits, only to apps that have this module."""
