"""The open-loop driver: requests made ahead, sent at a set rate over mutual TLS, timed from when they were meant to leave."""
