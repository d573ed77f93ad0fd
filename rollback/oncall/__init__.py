"""Who is called, until somebody says that they are at it."""
