-- Answers kept by idempotency key, and the institutions' own numbers of their patients.
set local lock_timeout = '5s';

-- ── Answers given once ──────────────────────────────────────────────────────────────────────────────────────────

-- The key of a request and the answer it got, made durable with the record itself; whoever repeats the request with
-- its key is told the same again. The name space is one terminal's one route.
create table kept_answer (
    terminal_id     uuid not null,
    route           text not null,
    idempotency_key uuid not null,
    made_id         uuid not null,  -- the record that the request made: tells which of several copies came first
    request_digest  bytea not null check (length(request_digest) = 32),
    answer          text not null,
    answered_at     timestamptz not null,
    primary key (terminal_id, route, idempotency_key)
);
create index kept_answer_by_age on kept_answer (answered_at);

grant select, insert on kept_answer to eligibility_counter;
grant select (answered_at), delete on kept_answer to eligibility_worker;

-- ── Institutions' own numbers ───────────────────────────────────────────────────────────────────────────────────

-- 照会番号: of a person at an institution, whatever insurer covers them; it comes back with answers and finds nobody.
create table reference_number (
    person_id        bigint not null,
    institution_code text not null references institution,
    reference_number text not null check (length(reference_number) between 1 and 50),
    registered_at    timestamptz not null,
    primary key (person_id, institution_code),
    unique (institution_code, reference_number)
);

grant select, insert on reference_number to eligibility_counter;
grant update (reference_number, registered_at) on reference_number to eligibility_counter;

-- Whom an institution has checked, and what it was told last: only they can be given its number.
create index verification_by_person on verification (person_id, institution_code, occurred_at)
    where person_id is not null;
grant select (person_id, institution_code, occurred_at) on verification to eligibility_counter;
