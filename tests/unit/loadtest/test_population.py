import hashlib
import os
import re
import subprocess
import sys
import unicodedata
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eligibility.domain.codes import CardClass, Disease, LimitCategory, LimitClass, LossReason
from eligibility.domain.dates import ERAS, parse_date
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber, contains_my_number
from eligibility.domain.names import name_key
from loadtest.nation.draws import Draws
from loadtest.nation.insurers import SCHEMES, InsurerChoice, make_institutions, make_insurers
from loadtest.nation.names import Pool, given_names, half_width_kana, surnames
from loadtest.nation.people import make_people
from loadtest.nation.places import MUNICIPALITIES, PREFECTURES, municipality
from loadtest.population import Example, Nation, add_arguments, run
from payer_sync.contract import check
from payer_sync.layouts.eligibility_1 import LAYOUT
from payer_sync.reading import read_batches

TODAY = date(2026, 11, 21)
DATES = [column.name for column in LAYOUT.columns if column.name.endswith("日")]
PERSONS = 60_000


@pytest.fixture(scope="module")
def nation() -> Nation:
    return Nation.make(PERSONS, 11, TODAY)


@pytest.fixture(scope="module")
def files(nation: Nation, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    paths = {insurer.number: folder / f"{insurer.number}.csv" for insurer in nation.insurers}
    for insurer in nation.insurers:
        nation.write_eligibility_file(insurer, paths[insurer.number])
    return paths


@pytest.fixture(scope="module")
def rows(nation: Nation) -> pl.DataFrame:
    """All records, with the insurer's scheme and with every day read."""
    frames = [
        frame.with_columns(scheme=pl.lit(insurer.scheme.code), insurer=pl.lit(insurer.number))
        for insurer in nation.insurers
        for frame in nation.records(insurer)
    ]
    together = pl.concat(frames)
    days = {text: parse_date(text) for column in DATES for text in together[column].unique() if text}
    return together.with_columns(
        pl.col(column).replace_strict(days, default=None, return_dtype=pl.Date) for column in DATES
    )


def digest(nation: Nation, folder: Path) -> str:
    whole = hashlib.sha256()
    for insurer in nation.insurers:
        nation.write_eligibility_file(insurer, folder / "file.csv")
        whole.update((folder / "file.csv").read_bytes())
    return whole.hexdigest()


def test_one_seed_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    program = (
        "import sys; from datetime import date; from pathlib import Path; from loadtest.population import Nation\n"
        "n = Nation.make(1500, 3, date(2026, 11, 21), 4)\n"
        "[n.write_eligibility_file(i, Path(sys.argv[1]) / f'{i.number}.csv') for i in n.insurers]"
    )
    for hash_seed in ("1", "2"):
        (tmp_path / hash_seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / hash_seed],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path.cwd())},
        )
    first, second = (sorted(p.read_bytes() for p in (tmp_path / h).iterdir()) for h in ("1", "2"))
    assert len(first) == 4
    assert first == second


@pytest.mark.parametrize(
    ("seed", "persons", "today"), [(4, 1500, TODAY), (3, 1501, TODAY), (3, 1500, date(2026, 11, 22))]
)
def test_another_seed_size_or_day_gives_another_nation(seed: int, persons: int, today: date, tmp_path: Path) -> None:
    assert digest(Nation.make(persons, seed, today, 4), tmp_path) != digest(Nation.make(1500, 3, TODAY, 4), tmp_path)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_people_do_not_depend_on_how_many_are_made_at_once(at_once: int) -> None:
    draws = Draws(5)
    choice = InsurerChoice(make_insurers(20, draws))
    few, all_at_once = (make_people(700, TODAY, draws, choice, size) for size in (at_once, 10_000))
    for column in few.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(few, column), getattr(all_at_once, column))


def test_records_do_not_depend_on_how_many_are_written_at_once(nation: Nation) -> None:
    insurer = nation.insurers[3]
    assert pl.concat(nation.records(insurer, at_once=313)).equals(pl.concat(nation.records(insurer)))


@pytest.mark.parametrize("insurers", [0, -1, 3001])
def test_an_impossible_number_of_insurers_is_refused(insurers: int) -> None:
    with pytest.raises(ValueError, match="insurers"):
        Nation.make(100, 1, TODAY, insurers)


@pytest.mark.parametrize("persons", [0, -5])
def test_a_nation_of_nobody_is_refused(persons: int) -> None:
    with pytest.raises(ValueError, match="person"):
        Nation.make(persons, 1, TODAY, 3)


@pytest.mark.parametrize("index", [-1, PERSONS])
def test_a_person_who_is_not_there_is_an_index_error(nation: Nation, index: int) -> None:
    with pytest.raises(IndexError):
        nation.person(index)


def test_the_smallest_nations_are_written_whole(tmp_path: Path) -> None:
    for persons in (1, 2, 3):
        nation = Nation.make(persons, 1, TODAY, 2)
        written = sum(nation.write_eligibility_file(i, tmp_path / i.number) for i in nation.insurers)
        assert written >= persons


@pytest.mark.parametrize("count", [1, 2, 18, 100, 3000])
def test_insurer_numbers_hold_their_check_digit_and_are_unique(count: int) -> None:
    insurers = make_insurers(count, Draws(9))
    assert len({i.number for i in insurers}) == len({i.name for i in insurers}) == count
    for insurer in insurers:
        number = InsurerNumber.parse(insurer.number)
        assert number.check_digit_holds
        assert number.digits[2:4] == f"{insurer.prefecture + 1:02d}"


def test_every_scheme_has_an_insurer_and_records(nation: Nation, rows: pl.DataFrame) -> None:
    schemes = {scheme.code for scheme in SCHEMES}
    assert {insurer.scheme.code for insurer in nation.insurers} == schemes
    assert set(rows["scheme"]) == schemes


def test_every_prefecture_has_a_municipal_insurer_when_there_are_enough() -> None:
    municipal = {i.prefecture for i in make_insurers(400, Draws(1)) if i.number.startswith("00")}
    assert municipal == set(range(len(PREFECTURES)))


def test_the_first_two_insurers_write_in_every_way_differently() -> None:
    one, other = make_insurers(2, Draws(8))
    for habit in ("encoding", "line_end", "wareki", "symbols", "numbers", "spelling", "addresses"):
        assert getattr(one, habit) != getattr(other, habit), habit


def test_each_file_is_in_its_insurers_encoding_line_ends_and_columns(nation: Nation, files: Mapping[str, Path]) -> None:
    for insurer in nation.insurers:
        text = files[insurer.number].read_bytes().decode(insurer.encoding)
        assert text.endswith(insurer.line_end)
        assert text.count("\n") == text.count(insurer.line_end)
        assert ("\r" in text) == (insurer.line_end == "\r\n")
        header, *records = text.removesuffix(insurer.line_end).split(insurer.line_end)
        assert tuple(header.split(",")) == LAYOUT.column_names
        assert all(record.count(",") == len(LAYOUT.columns) - 1 for record in records)


def test_cp932_files_read_back_as_the_same_characters(nation: Nation, files: Mapping[str, Path]) -> None:
    for insurer in nation.insurers:
        if insurer.encoding == "cp932":
            written = files[insurer.number].read_bytes()
            assert written.decode("cp932").encode("cp932") == written


def test_the_contract_of_the_layout_finds_no_fault(nation: Nation, files: Mapping[str, Path]) -> None:
    for insurer in nation.insurers:
        for batch in read_batches(files[insurer.number], LAYOUT):
            checked = check(batch, LAYOUT, InsurerNumber.parse(insurer.number), TODAY)
            assert checked.faults.is_empty(), (insurer, checked.faults)
            assert checked.refused == 0


def test_no_file_holds_anything_like_a_my_number(files: Mapping[str, Path], nation: Nation) -> None:
    for insurer in nation.insurers:
        assert not contains_my_number(files[insurer.number].read_text(encoding=insurer.encoding))


@pytest.mark.parametrize("wareki", [True, False])
def test_days_are_written_in_the_insurers_calendar(nation: Nation, wareki: bool) -> None:
    for insurer in (i for i in nation.insurers if i.wareki is wareki):
        for frame in nation.records(insurer):
            texts = {text for column in DATES for text in frame[column].unique() if text}
            assert {len(text) for text in texts} <= {7 if wareki else 8}
            for text in texts:
                day = parse_date(text)  # refuses a day outside the era it names
                assert not wareki or ERAS[text[0]][1] <= day


def test_linkage_codes_name_a_person_at_every_insurer(nation: Nation, rows: pl.DataFrame) -> None:
    for code in rows["紐付番号"].head(50):
        assert re.fullmatch(r"[!-~]{1,64}", code)
        assert not contains_my_number(code)
    same = ["生年月日", "性別", "氏名カナ"]
    assert rows["紐付番号"].n_unique() == len(nation)
    assert rows.select("紐付番号", *same).n_unique() == len(nation)
    assert rows.group_by("紐付番号").agg(pl.col("insurer").n_unique() == pl.len())["insurer"].all()
    assert not rows["紐付番号"].str.contains(r"[0-9]").any()


def test_a_spelling_differs_between_insurers_only_by_variants_and_lost_glyphs(rows: pl.DataFrame) -> None:
    several = rows.group_by("紐付番号").agg(pl.col("氏名").unique()).filter(pl.col("氏名").list.len() > 1)
    assert several.height > 0
    for names in several["氏名"].to_list():
        keys = {name_key(name) for name in names if "●" not in name}
        assert len(keys) == 1, "variants of one name have one key"


def test_insured_numbers_are_unique_to_a_person_within_an_insurer(rows: pl.DataFrame) -> None:
    assert rows.select("insurer", "記号", "番号", "枝番").n_unique() == rows.height


def test_households_share_symbol_and_number_with_one_insured_person(rows: pl.DataFrame) -> None:
    units = rows.group_by("insurer", "記号", "番号").agg(
        (pl.col("本人家族区分") == "1").sum().alias("insured"),
        pl.len().alias("size"),
        pl.col("枝番"),
        pl.col("scheme").first(),
    )
    assert (units["insured"] <= 1).all()
    # A dependent whose insured person turned 75 or left may stand alone in the history, but never in the present.
    assert units["insured"].mean() == 1
    assert units["size"].max() <= 6
    assert set(range(1, 5)) <= set(units["size"])
    for unit in units.filter(pl.col("size") > 1).head(300).iter_rows(named=True):
        assert len(set(unit["枝番"])) == unit["size"]
        assert "01" in unit["枝番"]


def test_the_elderly_scheme_insures_each_alone_without_symbol_or_branch(rows: pl.DataFrame) -> None:
    elderly = rows.filter(pl.col("scheme") == "39")
    assert elderly.select("insurer", "番号").n_unique() == elderly.height
    assert set(elderly["枝番"]) == set(elderly["記号"]) == {""}
    assert set(elderly["本人家族区分"]) == {"1"}
    assert rows.filter(pl.col("scheme") != "39")["枝番"].str.contains(r"^0[1-6]$").all()


def age_on(birth: date, day: date) -> int:
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def share_by_age(birth: date, day: date) -> set[str]:
    """What the table of shares by age allows: written anew from its words, one person at a time."""
    if age_on(birth, day) >= 75:
        return {"010", "020", "030"}
    seventy = (
        date(birth.year + 70, birth.month, birth.day)
        if (birth.month, birth.day) != (2, 29)
        else date(birth.year + 70, 3, 1)
    )
    first = seventy if seventy.day == 1 else date(seventy.year + seventy.month // 12, seventy.month % 12 + 1, 1)
    if day >= first:
        return {"020", "030"}
    last_preschool_march = birth.year + 6 + ((birth.month, birth.day) > (4, 1))
    return {"020"} if day <= date(last_preschool_march, 3, 31) else {"030"}


def test_the_share_paid_follows_from_age(rows: pl.DataFrame) -> None:
    in_force = rows.filter(pl.col("資格喪失日").is_null() & (pl.col("資格取得日") <= TODAY))
    seen = set()
    for row in in_force.select(
        "生年月日", "負担割合", "scheme", "未就学区分", "高齢負担割合", "高齢有効開始日"
    ).iter_rows():
        birth, share, scheme, preschool, elderly, elderly_from = row
        allowed = share_by_age(birth, TODAY)
        assert share in allowed, (birth, scheme)
        assert (preschool == "1") == (allowed == {"020"})
        between = allowed == {"020", "030"}
        assert (elderly == share) is between
        assert (elderly_from is not None) is between
        seen.add((scheme == "39", share))
    assert seen == {(False, "020"), (False, "030"), (True, "010"), (True, "020"), (True, "030")}


def test_nobody_of_75_is_insured_elsewhere_than_with_the_elderly_scheme(rows: pl.DataFrame) -> None:
    held = rows.filter(pl.col("資格喪失日").is_null() & (pl.col("資格取得日") <= TODAY))
    overlapping = held.filter(pl.len().over("紐付番号") > 1)["紐付番号"]
    for birth, scheme in (
        held.filter(~pl.col("紐付番号").is_in(overlapping.implode())).select("生年月日", "scheme").iter_rows()
    ):
        assert (age_on(birth, TODAY) >= 75) is (scheme == "39")


def test_ages_and_sexes_are_those_of_an_ageing_nation(rows: pl.DataFrame) -> None:
    people = rows.unique("紐付番号")
    ages = [age_on(birth, TODAY) for birth in people["生年月日"]]
    assert 0.09 < sum(a < 15 for a in ages) / len(ages) < 0.16
    assert 0.24 < sum(a >= 65 for a in ages) / len(ages) < 0.33
    assert 0.12 < sum(a >= 75 for a in ages) / len(ages) < 0.19
    assert max(ages) < 111
    assert 0.5 < (people["性別"] == "2").mean() < 0.55


def test_insurers_of_a_kind_differ_in_size(rows: pl.DataFrame) -> None:
    sizes = sorted(rows.group_by("insurer").len()["len"], reverse=True)
    assert sizes[0] > 10 * sizes[len(sizes) // 2]


def test_codes_are_those_of_the_field(rows: pl.DataFrame) -> None:
    for column, codes in (
        ("被保険者証区分", set(CardClass)), ("喪失事由", {*LossReason, ""}), ("限度額証区分", {*LimitClass, ""}),
        ("限度額適用区分", {*LimitCategory, ""}), ("特定疾病区分", {*Disease, ""}), ("レコード種別", {"1"}),
    ):  # fmt: skip
        assert set(rows[column]) <= {str(code) for code in codes}, column


def test_limit_categories_suit_the_age(rows: pl.DataFrame) -> None:
    held = rows.filter(pl.col("限度額適用区分") != "")
    assert 0.01 < held.height / rows.height < 0.08
    for birth, category in held.select("生年月日", "限度額適用区分").iter_rows():
        assert category.startswith("A" if share_by_age(birth, TODAY) in ({"020"}, {"030"}) else "B")


def test_postal_codes_addresses_and_kana_have_the_fields_forms(rows: pl.DataFrame) -> None:
    assert rows["郵便番号"].str.contains(r"^[0-9]{3}-[0-9]{4}$").all()
    assert rows["氏名カナ"].str.contains(r"^[ｦ-ﾟ]+( [ｦ-ﾟ]+)+$").all()
    assert rows["氏名"].str.contains(r"^[^　]+(　[^　]+)+$").all()
    prefectures = "|".join(p.name for p in PREFECTURES)
    assert rows["住所"].str.contains(f"^({prefectures})").all()


def test_oddities_of_real_files_are_there_but_rare(rows: pl.DataFrame) -> None:
    for pattern, column in (
        ("髙|﨑|濵|德", "氏名"), ("邉", "氏名"), ("●", "氏名"), ("[Ａ-Ｚ]", "氏名"), ("𠮷", "氏名"), ("－", "住所"),
        ("～", "住所"), ("〜", "住所"), ("^１２|[０-９]+－[０-９]+$", "記号"), ("^0", "番号"), ("^０", "番号"),
    ):  # fmt: skip
        assert rows[column].str.contains(pattern).any(), pattern
    assert rows["氏名"].str.contains("●").mean() < 0.005
    assert rows["氏名"].str.len_chars().max() > 25
    assert not rows["氏名"].str.contains("[①-⑳Ⅰ-Ⅹ㍉-㏍№]").any()


def test_coverages_tell_of_job_changes_overlaps_and_leavers(rows: pl.DataFrame) -> None:
    lost = rows.filter(pl.col("資格喪失日").is_not_null())
    assert (lost["資格喪失日"] > lost["資格取得日"]).all()
    assert (lost["資格喪失日"] <= TODAY).all()
    assert (lost["喪失事由"] != "").all()
    several = rows.filter(pl.len().over("紐付番号") > 1)
    assert 0.05 < several["紐付番号"].n_unique() / rows["紐付番号"].n_unique() < 0.15
    changes = several.filter(pl.col("資格喪失日").is_not_null())
    assert set(changes["喪失事由"]) == {"03"}
    starts = several.filter(pl.col("資格喪失日").is_null()).select("紐付番号", pl.col("資格取得日").alias("new"))
    joined = changes.join(starts, on="紐付番号")
    assert (joined["資格喪失日"] == joined["new"]).all()
    overlaps = several.filter(pl.col("資格喪失日").is_null().all().over("紐付番号"))
    assert 0.004 < overlaps["紐付番号"].n_unique() / rows["紐付番号"].n_unique() < 0.03


@pytest.mark.parametrize(
    ("persons", "insurers", "missing"),
    [
        (2_000, None, set()),
        (1_000, None, set()),
        (10_000, 3, set()),
        (10_000, 2, {Example.LATER_STAGE_ELDERLY}),
        (10_000, 1, {Example.LATER_STAGE_ELDERLY, Example.OVERLAP, Example.LAPSED_NEWER_EXISTS}),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_there_is_an_example_of_everything(
    persons: int, insurers: int | None, missing: set[Example], seed: int
) -> None:
    nation = Nation.make(persons, seed, TODAY, insurers)
    examples = nation.examples()
    assert set(Example) - set(examples) == missing
    assert len(set(examples.values())) == len(examples)


def held_on(nation: Nation, example: Example, day: date) -> list[bool]:
    coverages = nation.person(nation.examples()[example]).coverages
    return [c.acquired_on <= day and (c.lost_on is None or day < c.lost_on) for c in coverages]


@pytest.mark.parametrize(
    ("example", "held"),
    [
        (Example.VALID, [True]),
        (Example.LAPSED, [False]),
        (Example.LAPSED_NEWER_EXISTS, [True, False]),
        (Example.NOT_YET, [False]),
        (Example.OVERLAP, [True, True]),
        (Example.SUSPENDED, [True]),
        (Example.ELDERLY_CERTIFICATE, [True]),
        (Example.LATER_STAGE_ELDERLY, [True]),
    ],
)
def test_examples_hold_the_coverages_they_stand_for(nation: Nation, example: Example, held: list[bool]) -> None:
    assert held_on(nation, example, TODAY) == held


@pytest.mark.parametrize(
    ("example", "column"),
    [
        (Example.SUSPENDED, "閲覧抑止"),
        (Example.PRESCHOOL, "未就学区分"),
        (Example.LIMIT_CERTIFICATE, "限度額適用区分"),
        (Example.SPECIFIC_DISEASE, "特定疾病区分"),
        (Example.ELDERLY_CERTIFICATE, "高齢負担割合"),
    ],
)
def test_examples_carry_what_they_stand_for(nation: Nation, rows: pl.DataFrame, example: Example, column: str) -> None:
    code = nation.person(nation.examples()[example]).linkage_code
    assert rows.filter(pl.col("紐付番号") == code)[column].to_list()[0] not in ("", "0")


def test_the_valid_example_is_the_only_one_of_that_name_and_birth_date(nation: Nation, rows: pl.DataFrame) -> None:
    person = nation.person(nation.examples()[Example.VALID])
    alike = rows.filter((pl.col("氏名") == person.name) & (pl.col("生年月日") == person.birth_date))
    assert alike["紐付番号"].to_list() == [person.linkage_code]


def test_a_person_shown_alone_is_the_one_in_the_files(nation: Nation, rows: pl.DataFrame) -> None:
    for index in (0, 1, 2, 17, PERSONS - 1, *nation.examples().values()):
        person = nation.person(index)
        stated = rows.filter(pl.col("紐付番号") == person.linkage_code)
        assert stated.height == len(person.coverages)
        for row in stated.iter_rows(named=True):
            assert (row["生年月日"], row["性別"], row["郵便番号"]) == (
                person.birth_date,
                person.sex,
                person.postal_code,
            )
            assert row["氏名カナ"] == person.name_kana
            assert "●" in row["氏名"] or name_key(row["氏名"]) == name_key(person.name)
        assert {
            (c.insurer_number, c.symbol, c.number, c.branch_number, c.acquired_on, c.lost_on) for c in person.coverages
        } == {
            (r["insurer"], r["記号"], r["番号"], r["枝番"], r["資格取得日"], r["資格喪失日"])
            for r in stated.iter_rows(named=True)
        }


def test_a_person_does_not_show_names_or_numbers(nation: Nation) -> None:
    person = nation.person(0)
    shown = repr(person)
    for secret in (person.name, person.name_kana, person.address, person.linkage_code, person.coverages[0].number):
        assert secret not in shown


def test_twins_share_insured_number_and_birth_date_but_not_the_branch(nation: Nation) -> None:
    index = nation.examples()[Example.TWIN]
    twin, other = nation.person(index), nation.person(index - 1)
    assert twin.birth_date == other.birth_date
    assert twin.coverages[0].number == other.coverages[0].number
    assert twin.coverages[0].branch_number != other.coverages[0].branch_number


def test_institution_codes_hold_their_check_digit_and_are_unique() -> None:
    institutions = make_institutions(3_000, Draws(2))
    assert len({i.code for i in institutions}) == len(institutions)
    table = {"hospital": "1", "clinic": "1", "dental": "3", "pharmacy": "4"}
    for institution in institutions:
        code = InstitutionCode.parse(institution.code)
        assert code.check_digit_holds
        assert code.code[2] == table[institution.kind]
    assert {i.kind for i in institutions} == set(table)
    assert institutions[:10] == make_institutions(10, Draws(2))


@pytest.mark.parametrize("count", [-1, 400_001])
def test_an_impossible_number_of_institutions_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="institutions"):
        make_institutions(count, Draws(2))


def test_there_are_enough_names_each_with_its_reading() -> None:
    families, given = surnames(0.02), given_names()
    assert sum(s.pool is None and s.registered == s.common for s in families) >= 150
    group = given.edges.astype(np.int64)
    for female in (0, 1):
        japanese = sum(((group == female * len(Pool) + pool) & (given.edges % 1 > 0)).sum() for pool in (0, 1, 2, 3))
        assert japanese >= 120
    for kana in (*(s.kana for s in families), *given.kana):
        assert unicodedata.normalize("NFKC", kana).replace(" ", "").isalpha()
        assert "?" not in kana


def test_every_spelling_can_be_written_where_it_is_used() -> None:
    given = given_names()
    for written in (*given.written, *(s.cp932 for s in surnames(0.02))):
        assert written.encode("cp932").decode("cp932") == written
    for surname in surnames(0.02):
        assert surname.plain.encode("shift_jis")
        assert name_key(surname.plain) == name_key(surname.registered), "one family, whatever the spelling"


@pytest.mark.parametrize(
    ("katakana", "half"),
    [("ワタナベ", "ﾜﾀﾅﾍﾞ"), ("パク", "ﾊﾟｸ"), ("ヴァン　アン", "ｳﾞｧﾝ ｱﾝ"), ("ジョンソン", "ｼﾞｮﾝｿﾝ"), ("ー", "ｰ")],
)
def test_kana_become_half_width(katakana: str, half: str) -> None:
    assert half_width_kana(katakana) == half


@pytest.mark.parametrize("text", ["渡辺", "ｶ", "abc", "\u3042"])
def test_what_is_not_katakana_has_no_half_width(text: str) -> None:
    with pytest.raises(KeyError):
        half_width_kana(text)


def test_municipalities_of_a_prefecture_have_different_names() -> None:
    assert len({municipality(n, 0) for n in range(MUNICIPALITIES)}) == MUNICIPALITIES


def run_with(*given: str) -> int:
    parser = ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(given))


def test_the_command_writes_a_file_for_each_insurer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new"
    assert run_with("--persons", "1200", "--insurers", "3", "--today", "20261121", "--out", str(out)) == 0
    assert len(list(out.iterdir())) == 3
    assert "records/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [["--persons", "0"], ["--insurers", "0"], ["--insurers", "99999"], ["--today", "20261301"], ["--today", "soon"]],
)
def test_the_command_refuses_what_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    assert run_with(*wrong, "--out", str(tmp_path)) == 2
    assert "cannot be made" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_so_when_its_folder_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run_with("--persons", "10", "--out", str(tmp_path / "file")) == 2
    assert "cannot be made" in capsys.readouterr().err
