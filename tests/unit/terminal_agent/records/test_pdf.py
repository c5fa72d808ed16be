import io
from datetime import date

import pypdf
import pytest

from eligibility.domain.codes import Sex
from terminal_agent.language import Language
from terminal_agent.records.patient import Patient
from terminal_agent.records.pdf import checkup_pdf, medication_pdf
from tests.unit.terminal_agent.records.histories import (
    AS_OF,
    checkup_history,
    long_checkups,
    long_medication,
    medication_history,
    medicine,
)

PATIENT = Patient("髙橋　𠮷子", "ﾀｶﾊｼ ﾖｼｺ", date(1985, 4, 12), Sex.FEMALE)


def _pages(pdf: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def test_every_page_names_patient_period_and_its_number() -> None:
    many = (medicine(date(2025, 1 + n % 12, 1 + n % 28), f"薬{n}", drug_code=f"62{n:07}") for n in range(200))
    pages = _pages(medication_pdf(medication_history(*many), PATIENT, AS_OF, Language.JA))
    assert len(pages) > 3
    for number, text in enumerate(pages, start=1):
        assert "髙橋　𠮷子" in text
        assert "1985-04-12" in text
        assert "2023-12 – 2026-11" in text
        assert f"{number} / {len(pages)}" in text
    together = "".join(pages)
    assert all(f"薬{n} " in together for n in range(200))


def test_duplicates_stand_first_and_markup_in_a_name_is_text() -> None:
    (page,) = _pages(medication_pdf(long_medication(), PATIENT, AS_OF, Language.JA))
    assert page.index("複数の医療機関から同じ成分") < page.index("2026-10")
    assert "アレルゲンエキス <b>&$x$" in page
    assert "699999999" in page


def test_checkups_mark_what_is_out_of_range() -> None:
    (page,) = _pages(checkup_pdf(long_checkups(), PATIENT, AS_OF, Language.EN))
    assert "142 ▲" in page
    assert "36 ▼" in page
    assert "128 ▲" not in page
    assert "≤ 129" in page
    assert page.index("2026-06-10") < page.index("2022-06-10")


@pytest.mark.parametrize("language", [Language.JA, Language.EN])
def test_nothing_known_is_a_page_that_says_so(language: Language) -> None:
    (medicines,) = _pages(medication_pdf(medication_history(), PATIENT, AS_OF, language))
    (checkups,) = _pages(checkup_pdf(checkup_history(), PATIENT, AS_OF, language))
    assert ("ありません" in medicines) == ("ありません" in checkups) == (language is Language.JA)


def test_the_document_s_properties_do_not_name_the_patient() -> None:
    reader = pypdf.PdfReader(io.BytesIO(medication_pdf(long_medication(), PATIENT, AS_OF, Language.JA)))
    assert "髙橋" not in str(reader.metadata)
    assert repr(PATIENT) == "Patient(*)"


def test_the_same_record_gives_the_same_pages() -> None:
    assert len({medication_pdf(long_medication(), PATIENT, AS_OF, Language.JA) for _ in range(2)}) == 1
