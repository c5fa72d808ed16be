"""Benchmarks: each prints its figures beside their targets and ends with 1 when one is missed."""
