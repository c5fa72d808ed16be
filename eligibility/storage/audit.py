"""Writes audit events and lists them; nothing here or elsewhere changes one."""

from typing import Any

from eligibility.audit.events import ActorKind, AuditEvent, EventKind
from eligibility.storage.statements import statements

_SQL = statements("eligibility.storage.queries")


async def insert_event(connection: Any, event: AuditEvent) -> None:
    """Add one event in the connection's transaction."""
    await connection.execute(_SQL["insert_event"], *event_row(event))


async def events_of_institution(connection: Any, institution_code: str, limit: int) -> list[AuditEvent]:
    """Return an institution's latest events, newest last."""
    return [_event(row) for row in await connection.fetch(_SQL["events_of_institution"], institution_code, limit)]


async def latest_events(connection: Any, limit: int) -> list[AuditEvent]:
    """Return the latest events of all, newest last."""
    return [_event(row) for row in await connection.fetch(_SQL["latest_events"], limit)]


def event_row(event: AuditEvent) -> tuple[object, ...]:
    """Return the event's columns in the order of the table."""
    return (
        event.event_id, event.occurred_at, event.kind.value, event.code, event.actor_kind.value, event.actor,
        event.institution_code, event.insurer_number, event.person_id, event.verification_id, event.submission_id,
        dict(event.detail),
    )  # fmt: skip


def _event(row: Any) -> AuditEvent:
    values = dict(row)
    return AuditEvent(**values | {"kind": EventKind(row["kind"]), "actor_kind": ActorKind(row["actor_kind"])})
