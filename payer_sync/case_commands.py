"""The operator's commands: what waits for a decision, and the decisions, each with who and why."""

import argparse
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eligibility.domain.dates import time_in_japan
from eligibility.domain.identifiers import InsurerNumber, MalformedInsurerNumber, contains_my_number
from eligibility.storage.statements import statements
from eligibility.wire.submissions import SubmissionState
from payer_sync.cases import CaseState, Decided, Reversal, Shown, list_shown, reject, release, reverse
from payer_sync.gates import Decision, DecisionRefused, decide
from payer_sync.operator_database import DONE, REFUSED, at_database

_SQL = statements("payer_sync.queries")
_SHOWN: Final = 100
_OUT_OF_DATE: Final = "\n(後の提出により無効 / out of date)"
_Work = Callable[[Any, argparse.Namespace, Console], Awaitable[None]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command that the parser is for."""
    command = parser.prog.rpartition(" ")[2]
    if command == "submissions":
        _add_listing(parser, SubmissionState)
        _runs(parser, _submissions)
    elif command == "cases":
        _add_case_commands(parser)
    else:
        parser.add_argument("submission", type=UUID)
        _add_decision(parser)
        decision = {"approve": Decision.APPROVED, "reject": Decision.REJECTED}[command]
        parser.set_defaults(decision=decision)
        _runs(parser, _decide)


def _add_case_commands(parser: argparse.ArgumentParser) -> None:
    _add_listing(parser, CaseState)
    _runs(parser, _cases)
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, work, said in (
        ("show", _show, "Show a case: its records, and what is known of their persons."),
        ("release", _release, "Merge the records that the case keeps."),
        ("reject", _reject, "Keep the records from the register for good."),
        ("reverse", _reverse, "Split a person again, list what had shown the wrong data, and take back what was kept."),
        ("shown", _shown, "List the same of coverages that have left their person since; change nothing."),
    ):
        command = commands.add_parser(name, help=said, description=said)
        command.add_argument("case", type=_number)
        if work is not _show:
            _add_decision(command)
        if work in (_reverse, _shown):
            command.add_argument(
                "--coverage",
                type=_number,
                action="append",
                default=[],
                help="whose mistake it is about; without it what was released",
            )
        _runs(command, work)


def _add_listing(parser: argparse.ArgumentParser, states: Iterable[StrEnum]) -> None:
    parser.add_argument("--state", choices=[state.value for state in states])
    parser.add_argument("--insurer", type=_insurer, metavar="NUMBER", help="only this insurer's")
    parser.add_argument("--limit", type=_number, default=_SHOWN, help=f"how many at most (default {_SHOWN})")


def _add_decision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", required=True, type=_said, metavar="NAME", help="who decides")
    parser.add_argument("--reason", required=True, type=_said, help="why; goes into the audit record")


def _number(text: str) -> int:
    number = int(text)
    if not 0 < number < 2**63:
        raise argparse.ArgumentTypeError("there is no such number")
    return number


def _insurer(text: str) -> str:
    try:
        return InsurerNumber.parse(text).digits
    except MalformedInsurerNumber as malformed:
        raise argparse.ArgumentTypeError(str(malformed)) from malformed


def _said(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    if contains_my_number(text):
        raise argparse.ArgumentTypeError("must not hold a My Number")
    return text.strip()


def _runs(parser: argparse.ArgumentParser, work: _Work) -> None:
    parser.set_defaults(run=lambda chosen: at_database(lambda connection: _run(work, connection, chosen)))


async def _run(work: _Work, connection: Any, chosen: argparse.Namespace) -> int:
    try:
        await work(connection, chosen, Console())
    except DecisionRefused as refused:
        Console(stderr=True).print(refused.ja, refused.en, sep="\n", markup=False, soft_wrap=True)
        return REFUSED
    return DONE


async def _submissions(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    rows = await connection.fetch(_SQL["list_submissions"], chosen.state, chosen.insurer, chosen.limit)
    table = _table("提出\nsubmission", "保険者\ninsurer", "種別\nkind", "状態\nstate", "件数\nrecords", "内容\ndetail")
    for row in rows:
        decided = f"{row['decision']}: {row['decided_by']}" if row["decision"] else ""
        detail = "\n".join(filter(None, (row["file_name"], decided, row["gates"])))
        kind = f"{row['layout']}\n{row['kind']}"
        cells = (str(row["submission_id"]), row["insurer_number"], kind, row["state"], str(row["stated_records"]))
        _add(table, *cells, detail)
    console.print(table)
    _tell_of_more(rows, console)


async def _decide(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    await decide(connection, chosen.submission, chosen.decision, chosen.by, chosen.reason, datetime.now(UTC))
    if chosen.decision is Decision.APPROVED:
        console.print("承認しました。取込を始めます。 / Approved; the intake merges it now.")
    else:
        console.print("却下しました。以前のデータのままです。 / Rejected; the earlier data stand.")


async def _cases(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    table = _table("事案\ncase", "保険者\ninsurer", "種別\nkind", "状態\nstate", "件数\nrecords", "相違\ndiffers in")
    rows = await connection.fetch(_SQL["list_cases"], chosen.state, chosen.insurer, chosen.limit)
    for row in rows:
        reasons = "・".join(row["reasons"] or ())
        cells = (row["insurer_number"], row["kind"], row["state"], str(row["records"]), reasons)
        _add(table, str(row["case_id"]), *cells)
    console.print(table)
    _tell_of_more(rows, console)


def _tell_of_more(rows: Sequence[Any], console: Console) -> None:
    if rows and (more := rows[0]["found"] - len(rows)):
        console.print(
            f"ほか {more:,} 件。--state・--insurer で絞るか、--limit を増やしてください。\n"
            f"{more:,} more: narrow with --state or --insurer, or raise --limit.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


async def _show(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    case = await connection.fetchrow(_SQL["find_case"], chosen.case)
    if case is None:
        raise DecisionRefused("この番号の事案はありません。", "There is no such case.")
    console.print(f"{case['kind']} · {case['state']} · {case['insurer_number']} · {case['submission_id']}")
    columns = ("氏名\nname", "カナ\nkana", "生年月日\nbirth", "性別\nsex", "番号\nnumber", "取得日\nacquired")
    stated = _table("記録\nrecord", "人\nperson", *columns, "相違\ndiffers in", title="この記録 / stated")
    for row in await connection.fetch(_SQL["records_of_case"], chosen.case):
        reasons = "・".join(row["reasons"]) + (_OUT_OF_DATE if row["superseded_at"] else "")
        _add(stated, str(row["record_number"]), str(row["person_id"]), *_holder(row), reasons)
    console.print(stated)
    known = _table(
        "資格\ncoverage", "人\nperson", *columns, "保険者\ninsurer", "離れた日時\nleft", title="登録済み / known"
    )
    for row in await connection.fetch(_SQL["coverages_of_case"], chosen.case):
        left = time_in_japan(row["left_at"]) if row["left_at"] else ""
        _add(known, str(row["coverage_id"]), str(row["person_id"]), *_holder(row), row["insurer_number"], left)
    console.print(known)


async def _release(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    merged = await release(connection, chosen.case, _decided(chosen))
    console.print(f"取り込みました({merged}件)。 / Released: {merged} records merged.")


async def _reject(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    await reject(connection, chosen.case, _decided(chosen))
    console.print("取り込みません。 / Rejected; the records stay out of the register.")


async def _reverse(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    for made in await reverse(connection, chosen.case, chosen.coverage, _decided(chosen)):
        _show_reversal(made, console)
    case = await connection.fetchrow(_SQL["find_case"], chosen.case)
    if case["state"] == CaseState.OPEN:
        console.print(
            "事案は未決のままです。cases release か cases reject で決めてください。\n"
            "The case is still open: decide it by cases release or cases reject.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


async def _shown(connection: Any, chosen: argparse.Namespace, console: Console) -> None:
    for one in await list_shown(connection, chosen.case, chosen.coverage, _decided(chosen)):
        console.print(
            f"人 {one.person_id} から離れた資格。 / Coverages that have left person {one.person_id}: "
            f"{', '.join(map(str, one.coverages))}."
        )
        _show_shown(one, console)


def _show_shown(made: Shown | Reversal, console: Console) -> None:
    shown = _table(
        "日時\nwhen", "医療機関\ninstitution", "照会\nverification", "内容\nwhat",
        title=f"誤った情報の表示 / shown by mistake: {len(made.verifications) + len(made.disclosures)}",
    )  # fmt: skip
    for row in made.verifications:
        what = f"verification ({row['method']}, {row['asked_for']})"
        shown.add_row(time_in_japan(row["occurred_at"]), row["institution_code"], str(row["verification_id"]), what)
    for row in made.disclosures:
        what = f"disclosure ({row['class']}, {row['staff_id']})"
        shown.add_row(time_in_japan(row["occurred_at"]), row["institution_code"], str(row["verification_id"]), what)
    console.print(shown)


def _show_reversal(made: Reversal, console: Console) -> None:
    console.print(
        f"人 {made.person_id} から人 {made.split_off} を分離。 / Split person {made.split_off} from person "
        f"{made.person_id}: coverages {', '.join(map(str, made.coverages))}."
    )
    _show_shown(made, console)
    numbers = made.reference_numbers
    taken_back = [
        *((row["given_at"], row, f"consent ({row['class']})") for row in made.consents),
        *((row["registered_at"], row, "card") for row in made.cards),
        *((row["registered_at"], row, f"reference number ({row['reference_number']})") for row in numbers),
    ]
    taken = _table(
        "日時\nwhen", "医療機関\ninstitution", "照会\nverification", "内容\nwhat",
        title=f"取り消した同意・登録 / taken back: {len(taken_back)}",
    )  # fmt: skip
    for when, row, what in taken_back:
        _add(taken, time_in_japan(when), row["institution_code"], str(row.get("verification_id", "")), what)
    console.print(taken)


def _holder(row: Any) -> tuple[str, ...]:
    number = f"{row['symbol']}・{row['number']}({row['branch_number']})"
    cells = (row["name"], row["name_kana"], row["birth_date"], row["sex"], number, row["acquired_on"])
    return tuple(str(cell) for cell in cells)


def _decided(chosen: argparse.Namespace) -> Decided:
    return Decided(chosen.by, chosen.reason, datetime.now(UTC))


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # what insurers wrote is shown as it is: brackets in it are no markup


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
