"""Layout editions, one module each: columns, codes and the dates from which they are accepted."""
