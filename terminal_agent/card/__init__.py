"""The My Number card: its commands, the sessions over them, the reader, and a virtual card that answers alike."""
