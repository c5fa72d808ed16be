-- name: insert_event
-- Adds one audit event.
-- $1 id, $2 time, $3 kind, $4 code, $5 actor kind, $6 actor, $7 institution, $8 insurer, $9 person, $10 verification,
-- $11 submission, $12 detail
insert into audit_event (event_id, occurred_at, kind, code, actor_kind, actor, institution_code, insurer_number,
                         person_id, verification_id, submission_id, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: events_of_institution
-- Lists the latest events of an institution, newest last.
-- $1 institution code, $2 how many
select event_id, occurred_at, kind, code, actor_kind, actor, institution_code, insurer_number, person_id,
       verification_id, submission_id, detail
from (select event_id, occurred_at, kind, code, actor_kind, actor, institution_code, insurer_number, person_id,
             verification_id, submission_id, detail
      from audit_event
      where institution_code = $1
      order by event_id desc
      limit $2) as latest
order by event_id;

-- name: latest_events
-- Lists the latest events of all, newest last.
-- $1 how many
select event_id, occurred_at, kind, code, actor_kind, actor, institution_code, insurer_number, person_id,
       verification_id, submission_id, detail
from (select event_id, occurred_at, kind, code, actor_kind, actor, institution_code, insurer_number, person_id,
             verification_id, submission_id, detail
      from audit_event
      order by event_id desc
      limit $1) as latest
order by event_id;
