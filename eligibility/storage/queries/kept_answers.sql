-- name: kept_answer
-- Finds the answer that was given under a key, with the person and the coverage of a verification.
-- $1 terminal, $2 route, $3 key
select k.request_digest, k.answer, v.person_id, v.coverage_id
from kept_answer k
left join verification v on v.verification_id = k.made_id
where k.terminal_id = $1 and k.route = $2 and k.idempotency_key = $3;

-- name: keep_answer
-- Keeps an answer; no row means that one is kept under this key already.
-- $1 terminal, $2 route, $3 key, $4 what the request made, $5 digest of the request, $6 answer, $7 time
insert into kept_answer (terminal_id, route, idempotency_key, made_id, request_digest, answer, answered_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
returning made_id;
