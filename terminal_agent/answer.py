"""How an answer of the centre looks to a person at the counter."""

from collections.abc import Iterator
from datetime import date, datetime

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from eligibility.domain.codes import FieldCode, Outcome
from eligibility.domain.dates import JAPAN
from eligibility.wire.problems import Sentence
from eligibility.wire.verifications import (
    CoverageAnswer,
    ElderlyCertificateAnswer,
    LimitCertificateAnswer,
    SpecificDiseaseCertificateAnswer,
    Verification,
)
from terminal_agent.language import Language, in_language

_GOOD, _BAD = "bold green", "bold red"
WHY_NOT = {
    "no_consent": Sentence(ja="同意なし", en="no consent"),
    "needs_card": Sentence(ja="カードでの本人確認が必要", en="needs the card"),
    "certificate_expired": Sentence(ja="電子証明書の期限切れ", en="certificate expired"),
    "not_covered": Sentence(ja="有効な資格なし", en="not covered"),
    "suspended": Sentence(ja="閲覧停止中", en="viewing suspended"),
    "withdrawn": Sentence(ja="同意の取り消し", en="withdrawn"),
}
Row = tuple[Sentence, Sentence | str]


def answer_panel(verification: Verification, language: Language) -> Panel:
    """Lay an answer out: the outcome first, then what it rests on, then what staff should tell the patient."""
    good = verification.outcome is Outcome.VALID
    outcome = Text(in_language(_words(verification.outcome), language), style=_GOOD if good else _BAD)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for label, value in _rows(verification):
        # Text, not markup: a name from a file may hold brackets.
        shown = value if isinstance(value, str) else in_language(value, language)
        table.add_row(Text(in_language(label, language)), Text(shown))
    notices = [
        Text(f"! {in_language(Sentence(ja=notice.ja, en=notice.en), language)}", style="yellow")
        for notice in verification.notices
    ]
    return Panel(
        Group(outcome, table, *notices),
        title=Text(in_language(Sentence(ja="資格確認", en="Eligibility"), language)),
        border_style="green" if good else "red",
        expand=False,
    )


def _rows(verification: Verification) -> Iterator[Row]:
    yield _label("確認日", "as of"), str(verification.asked_for)
    if verification.coverage is not None:
        yield from _coverage_rows(verification.coverage)
    if verification.conflicting_insurers:
        yield _label("ほかの保険者の届出", "also claimed by"), ", ".join(verification.conflicting_insurers)
    for consent in verification.consents:
        yield _label("同意", "consent"), _and_until(_words(consent.consent_class), consent.expires_at)
    for withheld in verification.withheld:
        yield _label("表示しない情報", "not shown"), _because(_words(withheld.consent_class), withheld.reason)
    yield _label("確認方法", "method"), _words(verification.method)
    if verification.data_as_of is not None:
        yield _label("保険者データの時点", "insurer's data as of"), _time(verification.data_as_of)
    yield _label("確認時刻", "verified at"), _time(verification.verified_at)
    yield _label("確認番号", "verification id"), str(verification.verification_id)


def _coverage_rows(coverage: CoverageAnswer) -> Iterator[Row]:
    yield _label("氏名", "name"), f"{coverage.name} ({coverage.name_kana})" if coverage.name_kana else coverage.name
    yield _label("生年月日", "birth date"), str(coverage.birth_date)
    yield _label("性別", "sex"), _words(coverage.sex)
    yield _label("保険者", "insurer"), f"{coverage.insurer_number} {coverage.insurer_name}"
    yield _label("記号・番号(枝番)", "symbol, number (branch)"), _insured_number(coverage)
    yield _label("本人・家族", "relation"), _words(coverage.relation)
    yield _label("被保険者証区分", "kind of insured"), _words(coverage.card_class)
    yield _label("資格取得日", "acquired on"), str(coverage.acquired_on)
    if coverage.lost_on is not None:
        yield _label("資格喪失日", "lost on"), str(coverage.lost_on)
    if coverage.loss_reason is not None:
        yield _label("喪失事由", "reason of loss"), _words(coverage.loss_reason)
    if coverage.valid_from is not None or coverage.valid_through is not None:
        yield _label("有効期間", "valid"), _period(coverage.valid_from, coverage.valid_through)
    if coverage.copayment_percent is not None:
        yield _label("負担割合", "copayment"), share(coverage.copayment_percent)
    if coverage.preschool:
        yield _label("未就学", "preschool child"), Sentence(ja="該当", en="yes")
    if coverage.elderly_certificate is not None:
        yield _label("高齢受給者証", "elderly certificate"), _elderly(coverage.elderly_certificate)
    for limit in coverage.limit_certificates:
        yield _words(limit.limit_class), _limit(limit)
    for disease in coverage.specific_disease_certificates:
        yield _label("特定疾病療養受療証", "specific disease certificate"), _disease(disease)


def _insured_number(coverage: CoverageAnswer) -> str:
    number = "・".join(part for part in (coverage.symbol, coverage.number) if part)
    return f"{number} ({coverage.branch_number})" if coverage.branch_number else number


def _elderly(certificate: ElderlyCertificateAnswer) -> Sentence:
    return _and(share(certificate.copayment_percent), _period(certificate.valid_from, certificate.valid_through))


def _limit(certificate: LimitCertificateAnswer) -> Sentence:
    return _and(_words(certificate.category), _period(certificate.valid_from, certificate.valid_through))


def _disease(certificate: SpecificDiseaseCertificateAnswer) -> Sentence:
    shown = _and(_words(certificate.disease), _period(certificate.valid_from, certificate.valid_through))
    if certificate.monthly_cap_yen is None:
        return shown
    return Sentence(
        ja=f"{shown.ja}、自己負担限度額 {certificate.monthly_cap_yen:,} 円/月",
        en=f"{shown.en}, at most {certificate.monthly_cap_yen:,} yen a month",
    )


def share(percent: int) -> Sentence:
    """Say what part of the cost the patient pays."""
    return Sentence(ja=f"{percent // 10}割" if percent % 10 == 0 else f"{percent}%", en=f"{percent}%")


def _period(first: date | None, last: date | None) -> str:
    return f"{first or ''}〜{last or ''}"


def _and(words: Sentence, more: str) -> Sentence:
    return Sentence(ja=f"{words.ja} {more}", en=f"{words.en} {more}")


def _because(words: Sentence, reason: str) -> Sentence:
    # A reason newer than this terminal is shown as it came.
    why = WHY_NOT.get(reason, Sentence(ja=reason, en=reason))
    return Sentence(ja=f"{words.ja}({why.ja})", en=f"{words.en} ({why.en})")


def _and_until(words: Sentence, moment: datetime) -> Sentence:
    return Sentence(ja=f"{words.ja} ({_time(moment)} まで)", en=f"{words.en} (until {_time(moment)})")


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}"


def _words(code: FieldCode) -> Sentence:
    return Sentence(ja=code.ja, en=code.en)


def _label(ja: str, en: str) -> Sentence:
    return Sentence(ja=ja, en=en)
