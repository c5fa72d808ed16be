"""What happened, said once and never changed: the events every other part leaves behind."""
