"""A centre that runs, a card that is in a reader, and a terminal that is run as staff run it."""

import pytest

from loadtest.pki import Jpki
from tests.cards import card, content
from tests.integration.eligibility.conftest import authorities, world
from tests.integration.eligibility.world import Authorities
from tests.integration.terminal_agent.conftest import inserted, slot

__all__ = ["authorities", "card", "content", "inserted", "slot", "world"]


@pytest.fixture(scope="session")
def jpki(authorities: Authorities) -> Jpki:
    """The hierarchy whose user-authentication generations the centre trusts."""
    return authorities.jpki
