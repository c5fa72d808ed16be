-- name: clear_used_challenges
-- Forgets challenges that nobody would accept any more, used or not.
-- $1 expired before
with gone as (delete from used_challenge where expires_at < $1 returning 1) select count(*) from gone;

-- name: clear_kept_answers
-- Forgets answers whose keys are no longer honoured.
-- $1 answered before
with gone as (delete from kept_answer where answered_at < $1 returning 1) select count(*) from gone;
