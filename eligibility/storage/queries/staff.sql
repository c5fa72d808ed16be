-- name: find_staff
-- Finds a member of an institution's staff by the normal form of the sign-in name.
-- $1 institution code, $2 name key
select staff_id, name, role, password_hash, passcode_secret, disabled_at
from staff
where institution_code = $1 and name_key = $2;

-- name: enrol_staff
-- Takes a member of staff in, or gives one new factors and lets them in again.
-- $1 id, $2 institution code, $3 name, $4 name key, $5 role, $6 password hash, $7 sealed passcode secret, $8 time
insert into staff (staff_id, institution_code, name, name_key, role, password_hash, passcode_secret, enrolled_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (institution_code, name_key) do update
set name = excluded.name, role = excluded.role, password_hash = excluded.password_hash,
    passcode_secret = excluded.passcode_secret, last_time_step = 0, disabled_at = null;

-- name: disable_staff
-- Shuts a member of staff out; no row means there is none who could sign in.
-- $1 institution code, $2 name key, $3 time
update staff set disabled_at = $3
where institution_code = $1 and name_key = $2 and disabled_at is null
returning staff_id;

-- name: change_staff_role
-- Gives a member of staff another role, which their next request already has; no row means there is none.
-- $1 institution code, $2 name key, $3 role
update staff set role = $3 where institution_code = $1 and name_key = $2 returning staff_id;

-- name: end_sessions_of_staff
-- Ends every session of a member of staff.
-- $1 staff id, $2 time
update staff_session set ended_at = $2 where staff_id = $1 and ended_at is null;

-- name: count_sign_in
-- Counts an attempt to sign in against each budget, and tells how many there were in its window.
-- $1 budget keys, in order, $2 time, $3 length of a window
insert into sign_in_budget (budget_key, attempts, began_at)
select budget_key, 1, $2::timestamptz from unnest($1::bytea[]) as budget_key
on conflict (budget_key) do update
set attempts = case when sign_in_budget.began_at + $3::interval <= $2 then 1 else sign_in_budget.attempts + 1 end,
    began_at = case when sign_in_budget.began_at + $3::interval <= $2 then $2 else sign_in_budget.began_at end
returning budget_key, attempts, began_at;

-- name: begin_staff_session
-- Uses the passcode's time step up, begins a session, and tells the member's role and name; no row means the step, or a
-- later one, was used before, or the member was shut out or given new factors while the old ones were judged.
-- The name's budget begins anew, and the terminal gets back what this attempt cost it.
-- $1 staff id, $2 time step, $3 token's digest, $4 institution code, $5 terminal id, $6 time, $7 end,
-- $8 the name's budget key, $9 the terminal's, $10 the password hash that was judged
with fresh as (
    update staff set last_time_step = $2
    where staff_id = $1 and last_time_step < $2 and disabled_at is null and password_hash = $10
    returning staff_id, role, name
), cleared as (
    delete from sign_in_budget where budget_key = $8 and exists (select from fresh)
), returned as (
    update sign_in_budget set attempts = attempts - 1
    where budget_key = $9 and attempts > 0 and exists (select from fresh)
), begun as (
    insert into staff_session
        (token_digest, staff_id, institution_code, terminal_id, began_at, last_used_at, expires_at)
    select $3, staff_id, $4, $5, $6, $6, $7 from fresh
)
select role, name from fresh;

-- name: use_staff_session
-- Finds whose session a token is, with the role they have now; no row means it is not in force on this terminal:
-- unknown, ended, idle for too long, over, or of one who has been shut out. The later of both clocks judges, so that none
-- that is over comes back where a process's clock is behind. That it was used is noted once a minute, so that a reading
-- does not wait for a disk on its own account.
-- $1 token's digest, $2 institution code, $3 terminal id, $4 time, $5 longest idle time
with found as (
    select s.token_digest, s.last_used_at, p.staff_id, p.role, present.time
    from (select greatest($4, now()) as time) present
    cross join staff_session s
    join staff p on p.staff_id = s.staff_id and p.institution_code = s.institution_code
    where s.token_digest = $1 and s.institution_code = $2 and s.terminal_id = $3 and s.ended_at is null
        and present.time < s.expires_at and present.time < s.last_used_at + $5::interval and p.disabled_at is null
), used as (
    update staff_session s
    set last_used_at = greatest(s.last_used_at, found.time)
    from found
    where s.token_digest = found.token_digest and found.last_used_at <= found.time - interval '1 minute'
)
select staff_id, role from found;

-- name: end_staff_session
-- Ends one session.
-- $1 token's digest, $2 time
update staff_session set ended_at = $2 where token_digest = $1 and ended_at is null;
