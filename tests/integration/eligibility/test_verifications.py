"""Every outcome of a verification, by card and by number, as of a day and as of a known time."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eligibility.__main__ import main as centre_command
from eligibility.receipt import verify_receipt
from eligibility.storage.database import open_pool
from eligibility.storage.lookups import MOST_ENTRIES_READ
from eligibility.storage.statements import statements
from tests.integration.eligibility.world import INSTITUTION, INSURER, OTHER_INSURER, Counter, World

BEFORE, AFTER = date(2020, 3, 31), date(2026, 10, 1)


async def _outcome(counter: Counter, card: Any, **more: Any) -> str:
    answer = await counter.verify(card, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["outcome"])


async def test_a_registered_card_gets_the_coverage_its_insurer_states(world: World, counter: Counter) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person)
    answer = (await counter.verify(card)).json()
    assert answer["outcome"] == "valid"
    shown = answer["coverage"]
    assert {k: shown[k] for k in ("insurer_number", "symbol", "number", "branch_number", "copayment_percent")} == {
        "insurer_number": "06130512", "symbol": "12", "number": "345", "branch_number": "01", "copayment_percent": 30,
    }  # fmt: skip
    assert shown["name"] == "山田　太郎"
    assert answer["conflicting_insurers"] == []
    assert await world.events() == [("verification", "valid")]


@pytest.mark.parametrize(
    ("facts", "asked_for", "outcome"),
    [
        ({}, AFTER, "valid"),
        ({}, BEFORE, "none"),
        ({"lost_on": AFTER, "loss_reason": "03"}, AFTER, "lapsed"),
        ({"lost_on": AFTER, "loss_reason": "03"}, AFTER - timedelta(days=1), "valid"),
        ({"viewing_suspended": True}, AFTER, "suspended"),
    ],
)
async def test_each_outcome_of_a_card(
    world: World, counter: Counter, facts: dict[str, Any], asked_for: date, outcome: str
) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person, **facts)
    answer = (await counter.verify(card, asked_for=asked_for.isoformat())).json()
    assert answer["outcome"] == outcome
    assert (answer["coverage"] is None) == (outcome in ("none", "suspended"))
    assert await world.events() == [("verification", outcome)]


async def test_a_person_between_two_insurers_has_the_later_and_both_are_named(world: World, counter: Counter) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person)
    await world.coverage(person, insurer_number=OTHER_INSURER, number="9", acquired_on=date(2025, 4, 1))
    answer = (await counter.verify(card)).json()
    assert answer["coverage"]["insurer_number"] == OTHER_INSURER
    assert answer["conflicting_insurers"] == ["保険者06130512"]


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        ({}, "valid"),
        ({"branch_number": ""}, "valid"),
        ({"symbol": ""}, "valid"),
        ({"symbol": "１２", "number": "３４５"}, "valid"),
        ({"insurer_number": "06130512", "asked_for": "2020-03-31"}, "none"),
        ({"birth_date": "1980-01-02"}, "none"),
        ({"number": "346"}, "none"),
        ({"branch_number": "02"}, "none"),
        ({"symbol": "13"}, "none"),
        ({"insurer_number": OTHER_INSURER}, "none"),
    ],
)
async def test_a_number_names_its_holder_only_with_the_birth_date(
    world: World, counter: Counter, asked: dict[str, str], outcome: str
) -> None:
    await world.coverage(await world.person())
    answer = await counter.number(**asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == outcome
    assert await world.events() == [("number_verification", outcome)]


async def test_twins_without_branch_number_are_several(world: World, counter: Counter) -> None:
    for branch in ("02", "03"):
        await world.coverage(await world.person(), branch_number=branch)
    answer = (await counter.number(branch_number="")).json()
    assert (answer["outcome"], answer["coverage"]) == ("several", None)
    assert (await counter.number(branch_number="03")).json()["outcome"] == "valid"


@pytest.mark.parametrize("birth_date", ["1980-01-01", "1980-01-02"])
async def test_a_number_that_stands_for_too_many_without_its_symbol_is_several(
    world: World, counter: Counter, birth_date: str
) -> None:
    await world.crowd(MOST_ENTRIES_READ, number="1", birth_date=date(1970, 1, 1))
    holder = await world.coverage(await world.person(), number="1", known_to=datetime(2026, 2, 1, tzinfo=UTC))
    answer = (await counter.number(number="1", symbol="", birth_date=birth_date)).json()
    assert (answer["outcome"], answer["coverage"]) == ("several", None)
    with_it = [(await counter.number(number="1", symbol=symbol, birth_date="1970-01-01")) for symbol in ("S1", "S0")]
    assert [a.json()["outcome"] for a in with_it] == ["valid", "none"]
    # As many as are read are read.
    await world.owner.execute("delete from coverage where coverage_id = $1", holder)
    assert (await counter.number(number="1", symbol="", birth_date=birth_date)).json()["outcome"] == "none"
    await world.owner.execute("update coverage set birth_date = '1980-01-02' where symbol = 'S7'")
    found = (await counter.number(number="1", symbol="", birth_date="1980-01-02")).json()
    assert (found["outcome"], found["coverage"]["symbol"]) == ("valid", "S7")


async def test_a_suspension_is_found_under_a_number_without_symbol_that_others_carry_too(
    world: World, counter: Counter
) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    corrected = datetime(2026, 3, 1, tzinfo=UTC)
    coverage = await world.coverage(person, number="1", symbol="", known_to=corrected)
    await world.coverage(
        person, coverage_id=coverage, number="1", symbol="", known_from=corrected, viewing_suspended=True
    )
    await world.crowd(MOST_ENTRIES_READ, number="1")
    answer = (await counter.verify(card, known_at="2026-02-01T00:00:00Z")).json()
    assert (answer["outcome"], answer["coverage"]) == ("suspended", None)


@pytest.mark.parametrize(("symbol", "most"), [("S1", 1), ("", MOST_ENTRIES_READ + 1)])
async def test_a_look_up_reads_no_more_of_a_common_number_than_it_may(
    world: World, database: str, symbol: str, most: int
) -> None:
    await world.crowd(3 * MOST_ENTRIES_READ, number="1")
    await world.owner.execute("analyze coverage")
    asked: list[Any] = [INSURER, "1", symbol, "", date(1980, 1, 1), None, datetime.now(UTC), INSTITUTION]
    pool = await open_pool(database, role="eligibility_counter", size=1)
    explained = await pool.fetchval(
        "explain (analyze, format json) " + statements("eligibility.storage.queries")["coverages_of_numbers"],
        *([value] for value in asked), MOST_ENTRIES_READ, [True],
    )  # fmt: skip
    await pool.close()
    nodes = _nodes(json.loads(explained)[0]["Plan"])
    by_number = [node for node in nodes if node.get("Index Name") == "coverage_by_number"]
    read = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in by_number
    )
    assert read == most


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


async def test_an_old_number_of_one_insured_elsewhere_tells_only_that_a_newer_exists(
    world: World, counter: Counter
) -> None:
    person = await world.person()
    await world.coverage(person, lost_on=AFTER, loss_reason="03")
    await world.coverage(person, insurer_number=OTHER_INSURER, number="9", acquired_on=AFTER)
    answer = await counter.number()
    assert answer.json()["outcome"] == "lapsed_newer_exists"
    assert answer.json()["coverage"]["insurer_number"] == "06130512"
    assert OTHER_INSURER not in answer.text


async def test_a_correction_and_a_cancellation_are_asked_again_as_they_were_known(
    world: World, counter: Counter
) -> None:
    stated, corrected, cancelled = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 5))
    person, card = await world.person(), world.card()
    await world.register(card, person)
    coverage = await world.coverage(person, known_from=stated, known_to=corrected, copayment_percent=30)
    await world.coverage(person, coverage_id=coverage, known_from=corrected, known_to=cancelled, copayment_percent=20)

    async def asked(known_at: datetime | None) -> tuple[str, int | None]:
        more = {} if known_at is None else {"known_at": known_at.isoformat()}
        answer = (await counter.verify(card, asked_for="2026-01-15", **more)).json()
        return answer["outcome"], (answer["coverage"] or {}).get("copayment_percent")

    assert await asked(stated - timedelta(seconds=1)) == ("none", None)
    assert await asked(stated) == ("valid", 30)
    assert await asked(corrected - timedelta(microseconds=1)) == ("valid", 30)
    assert await asked(corrected) == ("valid", 20)
    assert await asked(cancelled) == ("none", None)
    assert await asked(None) == ("none", None)


@pytest.mark.parametrize("lost_on", [None, date(2026, 4, 1)])
async def test_a_suspension_holds_for_what_was_known_before_it_too(
    world: World, counter: Counter, lost_on: date | None
) -> None:
    stated, suspended = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    person, card = await world.person(), world.card()
    await world.register(card, person)
    known = await world.coverage(person, known_from=stated, known_to=suspended)
    await world.coverage(
        person, coverage_id=known, known_from=suspended, viewing_suspended=True, lost_on=lost_on,
        loss_reason=lost_on and "03",
    )  # fmt: skip
    for asked_for in ("2026-02-01", "2026-04-15"):
        more = {"known_at": "2026-04-30T00:00:00Z", "asked_for": asked_for}
        for answer in (await counter.verify(card, **more), await counter.number(**more)):
            assert (answer.json()["outcome"], answer.json()["coverage"]) == ("suspended", None)
            assert "山田" not in answer.text


async def test_what_is_known_by_now_is_seen_where_a_clock_is_behind(world: World, counter: Counter) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    suspended = datetime.now(UTC) - timedelta(seconds=20)
    known = await world.coverage(person, known_to=suspended)
    await world.coverage(person, coverage_id=known, known_from=suspended, viewing_suspended=True)
    world.clock.offset = timedelta(seconds=-30)
    for answer in (await counter.verify(card), await counter.number()):
        assert (answer.json()["outcome"], answer.json()["coverage"]) == ("suspended", None)


@pytest.mark.parametrize(
    "correction",
    [
        {"number": "4568"},
        {"symbol": "13"},
        {"branch_number": "02"},
        {"birth_date": date(1985, 4, 21)},
        {"insurer_number": OTHER_INSURER},
    ],
)
@pytest.mark.parametrize("suspended", [True, False])
async def test_a_suspension_is_found_under_a_number_that_was_corrected_since(
    world: World, counter: Counter, correction: dict[str, Any], suspended: bool
) -> None:
    stated, corrected = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    person = await world.person()
    known = await world.coverage(person, known_from=stated, known_to=corrected)
    again = {"coverage_id": known} if "insurer_number" not in correction else {}
    await world.coverage(person, known_from=corrected, viewing_suspended=suspended, **again, **correction)
    more = {"known_at": "2026-04-30T00:00:00Z", "asked_for": "2026-04-15"}
    answer = await counter.number(**more)
    assert answer.json()["outcome"] == ("suspended" if suspended else "valid")
    assert ("山田" in answer.text) is not suspended


@pytest.mark.parametrize(
    ("since", "outcome"),
    [
        ([], "valid"),
        ([{"viewing_suspended": True}], "suspended"),
        # The coverage itself, later lost: no other is in force on the day either.
        ([{"viewing_suspended": True, "lost_on": date(2025, 4, 1), "loss_reason": "03"}], "suspended"),
        # Another coverage of the person whose it is now.
        ([{}, {"insurer_number": OTHER_INSURER, "number": "9", "viewing_suspended": True}], "suspended"),
        # The same after the moved coverage was cancelled, its number being wrong.
        ([{"known_to": datetime(2026, 5, 2, tzinfo=UTC)}, {"number": "9", "viewing_suspended": True}], "suspended"),
    ],
)
async def test_a_suspension_is_found_with_the_person_to_whom_the_coverage_was_put_since(
    world: World, counter: Counter, since: list[dict[str, Any]], outcome: str
) -> None:
    stated, moved = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    wrong, right, card = await world.person(), await world.person(), world.card()
    await world.register(card, wrong)
    known = await world.coverage(wrong, known_from=stated, known_to=moved)
    for again, facts in enumerate(since):
        same = {} if again else {"coverage_id": known}
        # The birth date was the wrong person's.
        await world.coverage(right, known_from=moved, birth_date=date(1985, 4, 21), **same, **facts)

    more = {"known_at": "2026-04-30T00:00:00Z", "asked_for": "2026-04-15"}
    for answer in (await counter.number(**more), await counter.verify(card, **more)):
        assert answer.json()["outcome"] == outcome
        assert ("山田" in answer.text) is (outcome == "valid")


async def test_a_suspension_of_another_who_had_the_same_number_does_not_count(world: World, counter: Counter) -> None:
    stated, suspended = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    await world.coverage(await world.person(), known_from=stated, acquired_on=date(2025, 4, 1))
    another = await world.person()
    earlier: dict[str, Any] = {"acquired_on": date(2020, 4, 1), "lost_on": date(2021, 4, 1), "loss_reason": "03"}
    known = await world.coverage(another, known_from=stated, known_to=suspended, **earlier)
    await world.coverage(another, coverage_id=known, known_from=suspended, viewing_suspended=True, **earlier)

    answer = await counter.number(known_at="2026-04-30T00:00:00Z", asked_for="2026-04-15")

    assert answer.json()["outcome"] == "valid"


async def test_what_will_be_known_cannot_be_asked(world: World, counter: Counter) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = await counter.number(known_at=ahead)
    assert (answer.status_code, answer.json()["code"]) == (422, "known_in_future")


async def test_certificates_show_with_consent_and_on_their_days(world: World, counter: Counter) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    coverage = await world.coverage(person, birth_date=date(1953, 1, 1), copayment_percent=30)
    day = date(2026, 1, 1)
    await world.certificate(
        "limit_certificate", person, coverage, limit_class="01", category="B04", valid_from=day, valid_through=None
    )
    await world.certificate(
        "specific_disease_certificate", person, coverage, disease="1", monthly_cap_yen=10000, valid_from=day
    )
    await world.certificate(
        "elderly_certificate", person, coverage, copayment_percent=20, valid_from=day, valid_through=date(2026, 7, 31)
    )
    consents = ["limit_certificate", "specific_disease", "medication"]
    full = (await counter.verify(card, consents=consents, asked_for="2026-07-31")).json()
    assert [c["category"] for c in full["coverage"]["limit_certificates"]] == ["B04"]
    assert [c["monthly_cap_yen"] for c in full["coverage"]["specific_disease_certificates"]] == [10000]
    assert full["coverage"]["copayment_percent"] == 20
    assert {c["consent_class"] for c in full["consents"]} == set(consents)

    day_after = (await counter.verify(card, asked_for="2026-08-01")).json()
    assert day_after["coverage"]["copayment_percent"] == 30
    assert day_after["coverage"]["limit_certificates"] == []
    assert {w["consent_class"]: w["reason"] for w in day_after["withheld"]}["limit_certificate"] == "no_consent"
    rows = await world.owner.fetch("select class, institution_code, expires_at - given_at as life from consent")
    assert {(r["class"], r["institution_code"], r["life"]) for r in rows} == {
        (wanted, INSTITUTION, timedelta(hours=24)) for wanted in consents
    }


async def test_a_number_gives_no_certificate_that_needs_the_card(world: World, counter: Counter) -> None:
    person = await world.person()
    coverage = await world.coverage(person)
    await world.certificate(
        "limit_certificate", person, coverage, limit_class="01", category="A03", valid_from=date(2026, 1, 1)
    )
    answer = (await counter.number()).json()
    assert answer["coverage"]["limit_certificates"] == []
    assert {w["reason"] for w in answer["withheld"]} == {"needs_card"}


async def test_the_receipt_is_checked_offline_with_the_published_keys(
    world: World, counter: Counter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.coverage(await world.person())
    answer = (await counter.number()).json()
    keys = (await world.client(None).get("/.well-known/jwks.json")).json()
    claims = verify_receipt(answer["receipt"], keys)
    assert (claims["jti"], claims["institution"], claims["outcome"]) == (
        answer["verification_id"],
        INSTITUTION,
        "valid",
    )
    assert claims["insured"] == "06130512:12:345:01"

    saved = tmp_path / "jwks.json"
    saved.write_text(json.dumps(keys), encoding="utf-8")
    capsys.readouterr()
    assert centre_command(["verify-receipt", answer["receipt"], "--keys", str(saved)]) == 0
    assert json.loads(capsys.readouterr().out)["jti"] == answer["verification_id"]
    head, body, signature = answer["receipt"].split(".")
    changed = ".".join([head, body[:-2] + ("AA" if body[-2:] != "AA" else "BB"), signature])
    for forged in (changed, head + "." + body + ".", "rubbish", ""):
        assert centre_command(["verify-receipt", forged, "--keys", str(saved)]) == 1
    assert "Traceback" not in capsys.readouterr().err


async def test_every_answer_says_how_fresh_its_data_are(world: World, counter: Counter) -> None:
    first, second = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    for finished in (first, second):
        await world.owner.execute(
            """insert into submission (submission_id, insurer_number, layout, edition, kind, file_name, content_length,
               content_digest, stated_records, state, created_at, finished_at)
               values (gen_random_uuid(), '06130512', 'eligibility', 1, 'delta', 'f', 0, $2, 0, 'merged', $1, $1)""",
            finished, bytes(32),
        )  # fmt: skip
    await world.owner.execute("update insurer set data_as_of = $1 where insurer_number = '06130512'", second)
    await world.coverage(await world.person(), known_from=first)

    async def as_of(**asked: str) -> str | None:
        return (await counter.number(**asked)).json()["data_as_of"]

    assert await as_of() == "2026-06-01T00:00:00Z"
    assert await as_of(number="999") == "2026-06-01T00:00:00Z"
    assert await as_of(known_at="2026-03-01T00:00:00Z") == "2026-02-01T00:00:00Z"
    assert await as_of(known_at="2026-01-15T00:00:00Z") is None


async def test_a_past_day_gives_no_consent_to_one_who_has_lapsed(world: World, counter: Counter) -> None:
    person, card = await world.person(), world.card()
    await world.register(card, person)
    await world.coverage(person, lost_on=date(2026, 6, 1), loss_reason="99")
    answer = (await counter.verify(card, consents=["medication"], asked_for="2026-05-01")).json()
    assert (answer["outcome"], answer["consents"]) == ("valid", [])
