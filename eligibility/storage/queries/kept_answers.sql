-- name: kept_answer
-- Finds the answer that was given under a key.
-- $1 terminal, $2 route, $3 key
select request_digest, answer from kept_answer where terminal_id = $1 and route = $2 and idempotency_key = $3;

-- name: keep_answer
-- Keeps an answer; no row means that one is kept under this key already.
-- $1 terminal, $2 route, $3 key, $4 what the request made, $5 digest of the request, $6 answer, $7 time
insert into kept_answer (terminal_id, route, idempotency_key, made_id, request_digest, answer, answered_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
returning made_id;
