"""A school that never was, for trying things out: the same every time for the same day.

Pure: no Django, no database. `school.build` makes it, `files.texts` writes it as an office would.
"""
