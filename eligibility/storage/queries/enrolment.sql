-- name: enrol_insurer
-- Takes an insurer in, or renames it.
-- $1 insurer number, $2 name
insert into insurer (insurer_number, name) values ($1, $2)
on conflict (insurer_number) do update set name = excluded.name;

-- name: enrol_institution
-- Takes an institution in, renames it, or opens it again.
-- $1 institution code, $2 name
insert into institution (institution_code, name) values ($1, $2)
on conflict (institution_code) do update set name = excluded.name, closed_on = null;

-- name: enrol_terminal
-- Takes a terminal in; one that was revoked stays revoked.
-- $1 terminal id, $2 institution code, $3 name
insert into terminal (terminal_id, institution_code, name) values ($1, $2, $3)
on conflict (terminal_id) do nothing;

-- name: revoke_terminal
-- Shuts a terminal out for good; no row means there is none, or it was revoked before.
-- $1 terminal id
update terminal set revoked_at = now() where terminal_id = $1 and revoked_at is null returning terminal_id;

-- name: close_institution
-- Closes an institution from a day on; no row means there is none.
-- $1 institution code, $2 day
update institution set closed_on = $2 where institution_code = $1 returning institution_code;
