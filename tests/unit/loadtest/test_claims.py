"""Claims of the synthetic nation are such as the check takes without a refusal."""

from datetime import date
from pathlib import Path

import pytest

from eligibility.domain.identifiers import InsurerNumber
from loadtest.nation.claims import ClaimWriter, Kind
from loadtest.population import Nation
from payer_sync.claims.checking import ClaimCheck
from payer_sync.claims.records import DISPENSING, MEDICAL

TODAY = date(2026, 11, 21)
UKES = {"medical": MEDICAL, "dispensing": DISPENSING}


@pytest.mark.parametrize("wareki", [False, True])
@pytest.mark.parametrize("kind", ["medical", "dispensing"])
def test_a_written_file_has_no_fault_and_holds_what_was_said(tmp_path: Path, kind: Kind, wareki: bool) -> None:
    nation = Nation.make(120, seed=3, today=TODAY, insurers=3)
    wanted = "pharmacy" if kind == "dispensing" else "clinic"
    institution = next(i for i in nation.institutions(50) if i.kind == wanted)
    path = tmp_path / "claims.UKE"
    receipts = 0
    for insurer in nation.insurers:
        writer = ClaimWriter(nation, seed=3, wareki=wareki)
        written = writer.write(path, kind, institution, date(2026, 9, 1), 12, insurer.number)

        check = ClaimCheck(path, UKES[kind], InsurerNumber(insurer.number), TODAY)
        (batch,) = check.batches()

        assert batch.faults.to_dicts() == []
        assert (check.read, check.refused, len(batch.receipts)) == (written.lines, 0, written.receipts)
        assert sum(len(e.medicines) for e in batch.receipts) == written.medicines
        receipts += written.receipts
    assert receipts > 20
