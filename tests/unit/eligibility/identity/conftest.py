"""The fixed hierarchy of the vectors, which every test of this folder bends in its own way."""

import pytest

from eligibility.identity.trust import TrustStore
from tests.vectors.generate import Forge


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="session")
def trust(forge: Forge) -> TrustStore:
    return TrustStore.from_pem(*(authority.pem for authority in forge.jpki.auth))
