"""Named statements of the centre, one file for each subject."""
