"""Bulk checks from a file: tomorrow's appointments in, their standing out."""
