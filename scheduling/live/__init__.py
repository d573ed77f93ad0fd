"""Open calendars learn of changes: one listener for each process, and a websocket for each page."""
