"""Named statements of the bulk path."""
