"""The open-loop driver: requests made ahead, sent at a set rate, timed from when they were meant to leave."""
