"""The receiving half: takes files from insurers over mutual TLS and sees each through to its feedback."""
