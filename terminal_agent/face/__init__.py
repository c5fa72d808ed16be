"""Compares the face before the camera with the photo on the card: a convenience beside the PIN, in sight of staff."""
