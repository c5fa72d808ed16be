-- name: prepare_partitions
-- Makes the partitions that will be written to next; tells how many were missing.
-- $1 now
select prepare_partitions($1);

-- name: drop_used_challenges
-- Forgets, by whole days, challenges that nobody would accept any more; tells how many days.
-- $1 expired before
select drop_used_challenges($1);

-- name: drop_records_of_month
-- Retires a month of verifications and audit events, as the schema's owner; tells in how many partitions they were.
-- $1 the month
select drop_records_of_month($1);

-- name: clear_kept_answers
-- Forgets answers whose keys are no longer honoured.
-- $1 answered before
with gone as (delete from kept_answer where answered_at < $1 returning 1) select count(*) from gone;

-- name: clear_staff_sessions
-- Forgets sessions of staff that ended by themselves long ago, whether or not they were ended before.
-- $1 expired before
with gone as (delete from staff_session where expires_at < $1 returning 1) select count(*) from gone;

-- name: clear_sign_in_budgets
-- Forgets how often somebody tried to sign in, where nothing would be counted on to it any more.
-- $1 window began before
with gone as (delete from sign_in_budget where began_at < $1 returning 1) select count(*) from gone;

-- name: purge_checkups
-- Deletes the check-ups performed before a day with their results, both of one moment; tells how many check-ups there
-- were, versions of one counted once.
-- $1 day
with gone as (
    delete from checkup where performed_on < $1 returning person_id, checkup_id
), results as (
    delete from checkup_result r
    using (select distinct person_id, checkup_id from gone) g
    where r.person_id = g.person_id and r.checkup_id = g.checkup_id
)
select count(distinct checkup_id) from gone;
