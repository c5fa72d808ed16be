-- name: record_entries
-- Makes the records and audit events of many requests durable together: burns their challenges, keeps the
-- verifications and consents of those whose challenge was unused, keeps the answers of those that carry a key unless
-- one is kept under it already, and tells which came second. A repeat of a key leaves no event.
-- $1 nonces (or null), $2 nonces' expiry, $3 verification ids (or null: nothing but an event), $4 times,
-- $5 institutions, $6 terminals, $7 methods, $8 days asked for, $9 known at, $10 outcomes, $11 persons, $12 coverages,
-- $13 card keys, $14 event ids, $15 event kinds, $16 event codes, $17 actor kinds, $18 actors, $19 details,
-- $20 consents: numbers of their entries, $21 ids, $22 classes, $23 expiry,
-- $24 kept answers: numbers of their entries, $25 routes, $26 keys, $27 digests of the requests, $28 answers,
-- $29 whether the card's certificate was in its grace, $30 the verifications that the events are about
with entry as (
    select *
    from unnest($1::bytea[], $2::timestamptz[], $3::uuid[], $4::timestamptz[], $5::text[], $6::uuid[], $7::text[],
                $8::date[], $9::timestamptz[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[], $14::uuid[],
                $15::text[], $16::text[], $17::text[], $18::text[], $19::jsonb[], $29::boolean[], $30::uuid[])
         with ordinality
         as e (nonce, expires_at, verification_id, occurred_at, institution_code, terminal_id, method, asked_for,
               known_at, outcome, person_id, coverage_id, card_key, event_id, kind, code, actor_kind, actor, detail,
               certificate_in_grace, about, entry_number)
), burnt as (
    -- In the order of their nonces, and below of their keys: two groups that meet each other's wait, and never for each
    -- other.
    insert into used_challenge (nonce, expires_at)
    select nonce, expires_at from entry where nonce is not null order by nonce
    on conflict do nothing
    returning nonce
), kept as (
    insert into kept_answer (terminal_id, route, idempotency_key, made_id, request_digest, answer, answered_at)
    select entry.terminal_id, k.route, k.idempotency_key, entry.verification_id, k.request_digest, k.answer,
           entry.occurred_at
    from unnest($24::bigint[], $25::text[], $26::uuid[], $27::bytea[], $28::text[])
         as k (entry_number, route, idempotency_key, request_digest, answer)
    join entry using (entry_number)
    order by entry.terminal_id, k.route, k.idempotency_key
    on conflict do nothing
    returning made_id
), judged as (
    select entry.*, (entry.nonce is null or burnt.nonce is not null)
                    and (entry.entry_number <> all ($24::bigint[]) or kept.made_id is not null) as accepted
    from entry
    left join burnt using (nonce)
    left join kept on kept.made_id = entry.verification_id
), verified as (
    insert into verification (verification_id, occurred_at, institution_code, terminal_id, method, asked_for, known_at,
                              outcome, person_id, coverage_id, card_key, certificate_in_grace)
    select verification_id, occurred_at, institution_code, terminal_id, method, asked_for, known_at, outcome,
           person_id, coverage_id, card_key, certificate_in_grace
    from judged
    where accepted and verification_id is not null
), consented as (
    insert into consent (person_id, consent_id, class, institution_code, verification_id, given_at, expires_at)
    select judged.person_id, c.consent_id, c.class, judged.institution_code, judged.verification_id,
           judged.occurred_at, c.expires_at
    from unnest($20::bigint[], $21::uuid[], $22::text[], $23::timestamptz[])
         as c (entry_number, consent_id, class, expires_at)
    join judged using (entry_number)
    where judged.accepted
), audited as (
    insert into audit_event (event_id, occurred_at, kind, code, actor_kind, actor, institution_code, person_id,
                             verification_id, detail)
    select event_id, occurred_at, case when accepted then kind else 'request_refused' end,
           case when accepted then code else 'challenge_replayed' end, actor_kind, actor, institution_code, person_id,
           case when accepted then about end, detail
    from judged
    where accepted or nonce is not null
)
select entry_number from judged where not accepted;

-- name: burn_challenge
-- Marks a challenge as used; no row means it was used before.
-- $1 nonce, $2 its expiry
insert into used_challenge (nonce, expires_at) values ($1, $2) on conflict do nothing returning nonce;

-- name: bound_lock_waits
-- Lets what follows in the transaction fail rather than wait longer for a lock.
-- $1 milliseconds
select set_config('lock_timeout', $1, true);

-- name: insert_card
-- Registers a card to a person; no row means it is registered already.
-- $1 card key, $2 person, $3 time, $4 institution
insert into card (card_key, person_id, registered_at, institution_code) values ($1, $2, $3, $4)
on conflict do nothing
returning card_key;
