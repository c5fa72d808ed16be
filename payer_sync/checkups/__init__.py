"""Specific health check-ups: their items, the two forms of their files, and their merge."""
