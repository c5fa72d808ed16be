"""How a terminal gets its certificate: it makes its key itself, and the key never leaves it."""
