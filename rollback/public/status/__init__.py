"""The public status page: what is told there, and that it answers when nothing else does."""
