"""Benchmarks: each prints its figures beside their limits (limits.toml) and ends with 1 when one does not hold."""
