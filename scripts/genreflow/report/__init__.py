"""The page of a run: its figures, tables and clips, and what is said at its end."""
