"""Which classes of information each role of an institution's staff may see: the table that docs/disclosure.md shows."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eligibility.domain.codes import ConsentClass, Role

_ELIGIBILITY: Final = frozenset({ConsentClass.LIMIT_CERTIFICATE, ConsentClass.SPECIFIC_DISEASE})
_MEDICINES_AND_CHECKUPS: Final = _ELIGIBILITY | {ConsentClass.MEDICATION, ConsentClass.CHECKUP}

MAY_SEE: Final[Mapping[Role, frozenset[ConsentClass]]] = MappingProxyType(
    {
        Role.CLERK: _ELIGIBILITY,
        Role.NURSE: _MEDICINES_AND_CHECKUPS,
        Role.PHARMACIST: _MEDICINES_AND_CHECKUPS,
        Role.DOCTOR: _MEDICINES_AND_CHECKUPS | {ConsentClass.TREATMENT},
    }
)
