"""Log files: read backwards, follow, rotate."""
