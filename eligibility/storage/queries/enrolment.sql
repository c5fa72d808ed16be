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
-- Takes a terminal in, or renames it; no row means that it was revoked, or stands at another institution.
-- $1 terminal id, $2 institution code, $3 name
insert into terminal (terminal_id, institution_code, name) values ($1, $2, $3)
on conflict (terminal_id) do update set name = excluded.name
where terminal.institution_code = excluded.institution_code and terminal.revoked_at is null
returning terminal_id;

-- name: revoke_terminal
-- Shuts a terminal out for good; no row means there is none, or it was revoked before.
-- $1 terminal id
update terminal set revoked_at = now() where terminal_id = $1 and revoked_at is null returning terminal_id;

-- name: close_institution
-- Closes an institution from a day on; no row means there is none.
-- $1 institution code, $2 day
update institution set closed_on = $2 where institution_code = $1 returning institution_code;

-- name: issue_enrolment_code
-- Keeps the hash of a new code; no row means there is no such institution, or it has closed.
-- $1 hash, $2 institution, $3 the terminal's name, $4 time, $5 expiry, $6 today
insert into enrolment_code (code_hash, institution_code, name, issued_at, expires_at)
select $1, institution_code, $3, $4, $5
from institution
where institution_code = $2 and (closed_on is null or $6 < closed_on)
returning code_hash;

-- name: enrol_by_code
-- Uses a code up for a new terminal, or finds the one that it enrolled for the same key.
-- $1 hash of the code, $2 hash of the key, $3 the new terminal's id, $4 today, $5 time
select enrolled_id, enrolled_at_institution, institution_name, terminal_name, is_new
from enrol_by_code($1, $2, $3, $4, $5);

-- name: enrolled_terminal
-- Finds a terminal's name and its institution's.
-- $1 terminal id
select t.terminal_id, t.institution_code, i.name as institution_name, t.name
from terminal t
join institution i using (institution_code)
where t.terminal_id = $1;
