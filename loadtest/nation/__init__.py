"""The synthetic nation, piece by piece: draws, days, places, insurers, households, people, names, rows."""
