-- Bulk checks: many insured numbers at once, done by the worker in a lane of their own.
set local lock_timeout = '5s';

-- ── Bulk checks ─────────────────────────────────────────────────────────────────────────────────────────────────

create table bulk_check (
    bulk_id          uuid primary key,
    institution_code text not null references institution,
    terminal_id      uuid not null,
    accepted_at      timestamptz not null,
    asked_for        date not null,
    state            text not null default 'waiting' check (state in ('waiting', 'working', 'done')),
    items            integer not null check (items > 0),
    done             integer not null default 0,
    misses           integer not null default 0,  -- that named nobody, or several: counted against guessing
    changed          integer not null default 0,
    finished_at      timestamptz,
    cleared_at       timestamptz,  -- when its results were
    check (done <= items)
);
create index bulk_check_open on bulk_check (accepted_at) where state <> 'done';
create index bulk_check_by_institution on bulk_check (institution_code, accepted_at);

-- What is asked, until it is answered. An item that is malformed keeps its problem and nothing of what was wrong.
create table bulk_item (
    bulk_id        uuid not null references bulk_check on delete cascade,
    item_number    integer not null,
    item_id        text not null,
    insurer_number text,
    symbol_key     text,
    number_key     text,
    branch_number  text,
    birth_date     date,
    problem_code   text,
    problem_field  text,
    primary key (bulk_id, item_number),
    check ((problem_code is null) = (birth_date is not null))
);

create table bulk_result (
    bulk_id     uuid not null references bulk_check on delete cascade,
    item_number integer not null,
    changed     boolean not null,
    result      text not null,  -- as it travels
    primary key (bulk_id, item_number)
);

grant select, insert on bulk_check to eligibility_counter;
grant insert on bulk_item to eligibility_counter;
grant select on bulk_result to eligibility_counter;

grant select, delete on bulk_check to eligibility_worker;
grant update (state, done, misses, changed, finished_at, cleared_at) on bulk_check to eligibility_worker;
grant select, delete on bulk_item to eligibility_worker;
grant select, insert, delete on bulk_result to eligibility_worker;
grant select on coverage, elderly_certificate, reference_number to eligibility_worker;
grant select (insurer_number, name) on insurer to eligibility_worker;
grant insert on verification to eligibility_worker;
grant select (person_id, institution_code, occurred_at, outcome, coverage_id) on verification to eligibility_worker;
