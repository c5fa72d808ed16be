"""The running centre, for the rules that only a running one can break."""

from tests.integration.eligibility.conftest import authorities, counter, world

__all__ = ["authorities", "counter", "world"]
