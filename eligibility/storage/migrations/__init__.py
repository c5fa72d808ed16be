"""Migrations, in the order of their numbers: `pre` before the new code runs, `post` after the old is gone."""
