"""A patient's medication and check-ups as people read them: tables, charts, printed pages, and clinics' XML."""
