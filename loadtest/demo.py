"""The demo: two insurers push their files, a card is put into a reader, and the counter gets its answer."""

import asyncio
import json
import os
import secrets
import shlex
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
from rich.console import Console

from eligibility.domain.dates import day_in_japan
from eligibility.domain.identifiers import InstitutionCode, InsurerNumber
from eligibility.domain.ids import uuid7
from eligibility.storage.database import connect
from eligibility.storage.enrolment import enrol_institution, enrol_insurer, enrol_terminal
from eligibility.storage.migrate import migrate
from loadtest.cards import issue_card
from loadtest.embedded import Stores, create_database, database_url, stores
from loadtest.installation import api_settings, intake_settings, make_keys, publish_revocation
from loadtest.pki import Enrolment, Jpki
from loadtest.population import Example, Institution, Nation, Person
from loadtest.processes import ServerDidNotStart, end_when_told, server
from terminal_agent.card.errors import CardError
from terminal_agent.card.pcscd import PcscdUnavailable, own_pcscd
from terminal_agent.card.virtual_content import CardContent, CardHolder, CardPins
from terminal_agent.card.virtual_files import card_in_folder, save_card
from terminal_agent.card.vpcd import CardInVpcd

PERSONS: Final = 10_000
SEED: Final = 20261121
PIN: Final = "1234"  # of a card that was made for this demo and opens nothing else
_BUILD: Final = Path(__file__).parents[1] / "build"
_CRL_EVERY_S: Final = 600
_DATABASE: Final = "eligibility_demo"
_SERVER_START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class _Scene:
    """Where everything of this demo is."""

    folder: Path
    stores: Stores
    jpki: Jpki
    enrolment: Enrolment
    nation: Nation
    institution: Institution
    terminal_id: UUID

    @property
    def database(self) -> str:
        """The address of the demo's database, as its owner."""
        return database_url(self.stores.database_url, f"{_DATABASE}_{os.getpid()}")


def run(*, once: bool) -> int:
    """Show the main job end to end; return 0 when all of it was seen. Without `once`, stay up until Ctrl-C."""
    _BUILD.mkdir(exist_ok=True)
    screen = Console(highlight=False, soft_wrap=True)
    end_when_told()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-", dir=_BUILD)))
        try:
            return _show(screen, stack, folder, once=once)
        except (_StepFailed, ServerDidNotStart) as failed:
            screen.print(f"\n[bold red]✗[/] {failed}")
            return 1
        except KeyboardInterrupt:
            screen.print("\nStopped.")
            return 130


class _StepFailed(Exception):
    """A step of the demo did not end as it should."""


def _show(screen: Console, stack: ExitStack, folder: Path, *, once: bool) -> int:
    _heading(screen, 1, "PostgreSQL と Redis", "PostgreSQL and Redis start")
    with _timed(screen, "both are up"):
        # Not under the project: PostgreSQL's own start script cannot do with a path that has a space in it.
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="eligibility-stores-"))
        running = stack.enter_context(stores(Path(data)))
    screen.print(f"  {asyncio.run(_version(running))}", style="dim")

    _heading(screen, 2, "公開鍵基盤と参加者", "A test PKI, two insurers, a clinic and its terminal")
    with _timed(screen, "certificates made, database migrated, participants enrolled"):
        scene = _make_scene(folder, running)
        stack.callback(lambda: asyncio.run(_drop_database(scene)))
        asyncio.run(_enrol(scene))
    for insurer in scene.nation.insurers:
        screen.print(f"  保険者 insurer       {insurer.number}    {insurer.name}")
    screen.print(f"  医療機関 institution  {scene.institution.code}  {scene.institution.name}")

    _heading(screen, 3, "センター", "The centre starts: API for terminals, intake for insurers")
    api_environment = api_settings(folder, scene.database, running)
    api = stack.enter_context(server("eligibility", ["api"], api_environment, folder / "api.log")).url
    screen.print(f"  {api}  (mTLS)")
    intake_environment = intake_settings(folder, scene.database)
    intake = stack.enter_context(server("payer_sync", ["intake"], intake_environment, folder / "intake.log")).url
    screen.print(f"  {intake}  (mTLS)")

    _heading(screen, 4, "保険者がファイルを送る", f"Two insurers push {PERSONS:,} insured persons")
    _push_files(screen, scene, intake)

    _heading(screen, 5, "カード", "A My Number card is put into the reader")
    person = scene.nation.person(scene.nation.examples()[Example.LIMIT_CERTIFICATE])
    card = folder / "card"
    save_card(card, _card_content(scene, person))
    environment, options = _terminal(scene, api), ["--language", "ja"]
    slot = _insert(screen, stack, card)
    if slot is None:
        options += ["--virtual", str(card)]
    else:
        environment |= slot.environment

    _heading(screen, 6, "窓口で確認する", "The counter asks: first use registers the card, then the answer")
    answer = _check(screen, environment, options)

    _heading(screen, 7, "受領証をオフラインで確かめる", "The receipt is checked offline, with the published keys")
    keys = folder / "jwks.json"
    published = httpx.get(f"{api}/.well-known/jwks.json", verify=_trust(scene), timeout=60)
    keys.write_bytes(published.raise_for_status().content)
    _run(["-m", "eligibility", "verify-receipt", "-", "--keys", str(keys)], environment, answer["receipt"])

    _heading(screen, 8, "監査記録", "What the audit log holds of this visit")
    owner = {"ELIGIBILITY_DATABASE_URL": scene.database}
    _run(["-m", "eligibility", "audit", "--institution", scene.institution.code], owner)

    screen.print("\n[bold green]✓[/] 保険者のファイルが窓口の答えになりました。 An insurer's file became an answer.")
    if not once:
        _open_counter(screen, stack, scene, environment, slot, card)
        _stay_up(screen, scene, folder, environment | owner, options, keys)
    return 0


# ── What there is before anybody asks ───────────────────────────────────────────────────────────────────────────


def _make_scene(folder: Path, running: Stores) -> _Scene:
    now = datetime.now(UTC)
    nation = Nation.make(PERSONS, SEED, day_in_japan(now), insurers=2)
    jpki, enrolment = make_keys(folder, now)
    scene = _Scene(folder, running, jpki, enrolment, nation, nation.institutions(1)[0], uuid7(now))
    enrolment.terminal(scene.institution.code, scene.terminal_id, now).write(folder / "pki", "terminal")
    for insurer in nation.insurers:
        enrolment.insurer(insurer.number, now).write(folder / "pki", f"insurer-{insurer.number}")
    (folder / "files").mkdir()
    publish_revocation(folder, jpki)
    return scene


async def _enrol(scene: _Scene) -> None:
    administrator = await asyncpg.connect(scene.stores.database_url)
    await create_database(administrator, f"{_DATABASE}_{os.getpid()}")
    await administrator.close()
    owner, now = await connect(scene.database), datetime.now(UTC)
    await migrate(owner)
    for insurer in scene.nation.insurers:
        await enrol_insurer(owner, InsurerNumber.parse(insurer.number), insurer.name, now)
    institution = InstitutionCode.parse(scene.institution.code)
    await enrol_institution(owner, institution, scene.institution.name, now)
    await enrol_terminal(owner, scene.terminal_id, institution, "受付1", now)
    await owner.close()


async def _drop_database(scene: _Scene) -> None:
    # An external server keeps no trace of the demo either.
    administrator = await asyncpg.connect(scene.stores.database_url)
    await administrator.execute(f"drop database if exists {_DATABASE}_{os.getpid()} with (force)")
    await administrator.close()


async def _version(running: Stores) -> str:
    connection = await asyncpg.connect(running.database_url)
    version = str(await connection.fetchval("select 'PostgreSQL ' || current_setting('server_version')"))
    commit = await connection.fetchval("select current_setting('synchronous_commit')")
    await connection.close()
    return f"{version}, {'embedded' if running.embedded else 'external'}, synchronous_commit={commit}"


def _terminal(scene: _Scene, api: str) -> dict[str, str]:
    pki = scene.folder / "pki"
    return {
        "TERMINAL_CENTRE_URL": api,
        "TERMINAL_CENTRE_AUTHORITY": str(pki / "server_authority.crt"),
        "TERMINAL_CERTIFICATE": str(pki / "terminal.crt"),
        "TERMINAL_KEY": str(pki / "terminal.key"),
    }


def _card_content(scene: _Scene, person: Person) -> CardContent:
    holder = CardHolder(person.name, person.address, person.birth_date, person.sex, date(2034, 3, 31), "4321")
    pins = CardPins(auth=PIN, sign="DEMO1234", text=PIN)
    return issue_card(scene.jpki, secrets.token_hex(12).upper(), holder, pins, datetime.now(UTC))


# ── What is seen ────────────────────────────────────────────────────────────────────────────────────────────────


def _push_files(screen: Console, scene: _Scene, intake: str) -> None:
    pki, began, records = scene.folder / "pki", time.perf_counter(), 0
    for insurer in scene.nation.insurers:
        file = scene.folder / "files" / f"{insurer.number}.csv"
        count = scene.nation.write_eligibility_file(insurer, file)
        records += count
        screen.print(
            f"  {insurer.number}  {count:,} records, {file.stat().st_size / 1e6:.1f} MB, {insurer.encoding}",
            style="dim",
        )
        certificate = pki / f"insurer-{insurer.number}.crt"
        options = ["--certificate", str(certificate), "--key", str(certificate.with_suffix(".key"))]
        options += ["--authority", str(pki / "server_authority.crt"), "--to", intake]
        _run(["-m", "payer_sync", "push", str(file), *options], {}, accepted=(0, 1))
    elapsed = time.perf_counter() - began
    screen.print(f"  {records:,} records in {elapsed:.1f} s, both files, from writing them to their feedback")


@dataclass(frozen=True, slots=True)
class _Slot:
    """The card in its reader, and what a program needs to find the reader."""

    card: CardInVpcd
    environment: Mapping[str, str]


def _insert(screen: Console, stack: ExitStack, folder: Path) -> _Slot | None:
    """Put the card into a PC/SC reader; return it, or None without a reader."""
    try:
        if find_spec("smartcard") is None:
            raise PcscdUnavailable("pyscard is not installed (make setup says why)")
        pcscd = stack.enter_context(own_pcscd())
        inserted = stack.enter_context(CardInVpcd(stack.enter_context(card_in_folder(folder)), pcscd.vpcd_port))
    except (PcscdUnavailable, CardError) as missing:
        screen.print(f"  [yellow]! 読取装置を使えません / No PC/SC reader here: {missing}[/]")
        screen.print("  [yellow]  カードは端末のプロセス内で動かします / the card runs in the terminal's process.[/]")
        return None
    screen.print(
        f"  pcscd と vpcd の読取装置にカードが入りました / The card is in vpcd's reader, port {pcscd.vpcd_port}"
    )
    return _Slot(inserted, pcscd.environment)


def _check(screen: Console, environment: Mapping[str, str], options: list[str]) -> dict[str, Any]:
    consents = ["--consent", "limit_certificate", "specific_disease", "medication"]
    screen.print("  暗証番号 PIN: ****")
    command = ["-m", "terminal_agent", "check", *options, *consents]
    _run([*command, "--register"], environment, PIN)
    said = _run([*command, "--json"], environment, PIN, quiet=True)
    answer: dict[str, Any] = json.loads(said)["verification"]
    return answer


def _open_counter(
    screen: Console,
    stack: ExitStack,
    scene: _Scene,
    environment: Mapping[str, str],
    slot: _Slot | None,
    card: Path,
) -> None:
    """Open the counter's screens in front of the reader, and let Enter put the card in and take it out."""
    run = scene.folder / "run"
    own = {"TERMINAL_RUN_FOLDER": str(run), "TERMINAL_SCREENS_PORT": "0"}
    own |= {"TERMINAL_OUTBOX_FILE": str(scene.folder / "outbox"), "TERMINAL_OUTBOX_KEY_FILE": str(run / "outbox.key")}
    run.mkdir()
    options = [] if slot is not None else ["--virtual", str(card)]
    stack.enter_context(
        server("terminal_agent", ["run", *options], {**environment, **own}, scene.folder / "counter.log")
    )
    screen.print("\n[bold]キオスクと職員画面  The counter's two screens:[/]\n")
    for name, file in (("患者 patient", "patient-url"), ("職員 staff  ", "staff-url")):
        screen.print(f"  {name}  {(run / file).read_text(encoding='utf-8').strip()}", markup=False)
    screen.print(
        f"\n  暗証番号 / the PIN is {PIN}.  Enter: カードを取る・置く / take the card out, put it in", markup=False
    )
    if sys.stdin.isatty():
        threading.Thread(target=_move_card, args=(slot, card), name="the patient's hand", daemon=True).start()


def _move_card(slot: _Slot | None, folder: Path) -> None:
    there = True
    for _ in sys.stdin:
        there = not there
        if slot is not None:
            (slot.card.insert if there else slot.card.remove)()
        else:
            lying, taken = folder / "card.json", folder / "card.taken"
            (taken if there else lying).rename(lying if there else taken)


def _stay_up(
    screen: Console, scene: _Scene, folder: Path, environment: Mapping[str, str], options: list[str], keys: Path
) -> None:
    exports = folder / "environment"
    exports.write_text("".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment.items()), encoding="utf-8")
    person = scene.nation.person(scene.nation.examples()[Example.VALID])
    held = person.coverages[0]
    number = shlex.join([held.insurer_number, held.symbol, held.number, held.branch_number])
    python = ".venv/bin/python"
    screen.print("\n[bold]The servers stay up.[/] In another terminal, in this folder:\n")
    for command in (
        f". {exports.relative_to(Path.cwd()) if exports.is_relative_to(Path.cwd()) else exports}",
        f"{python} -m terminal_agent check {shlex.join(options)}    # the PIN is {PIN}",
        f"{python} -m terminal_agent check --number {number} --birth-date {person.birth_date}",
        f"{python} -m terminal_agent check {shlex.join(options)} --json",
        f"{python} -m eligibility audit",
        f"curl --cacert {scene.folder / 'pki' / 'server_authority.crt'} {environment['TERMINAL_CENTRE_URL']}/health",
    ):
        screen.print(f"  {command}", soft_wrap=True, markup=False)
    screen.print(f"\nLogs: {folder}/*.log    Published keys: {keys}\nCtrl-C ends everything and removes the folder.")
    while True:
        time.sleep(_CRL_EVERY_S)
        publish_revocation(scene.folder, scene.jpki)


def _run(
    command: list[str],
    environment: Mapping[str, str],
    said: str = "",
    *,
    quiet: bool = False,
    accepted: tuple[int, ...] = (0,),
) -> str:
    sys.stdout.flush()
    done = subprocess.run(  # noqa: S603 (our own modules)
        [sys.executable, *command],
        env=os.environ | environment,
        input=said,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode not in accepted:
        raise _StepFailed(f"{shlex.join(command[:3])} ended with {done.returncode}")
    return done.stdout or ""


def _trust(scene: _Scene) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=scene.folder / "pki" / "server_authority.crt")


def _heading(screen: Console, number: int, ja: str, en: str) -> None:
    screen.print(f"\n[bold cyan]{number}  {ja}[/]  [bold]{en}[/]")


@contextmanager
def _timed(screen: Console, what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    screen.print(f"  {what}  [dim]{time.perf_counter() - began:.1f} s[/]")
