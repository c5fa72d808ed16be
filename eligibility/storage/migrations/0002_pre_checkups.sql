-- Specific health check-ups: what insurers state, in two times, and the staging of their files.
set local lock_timeout = '2s';

-- ── Check-ups ───────────────────────────────────────────────────────────────────────────────────────────────────
-- One check-up is one person's at one institution on one day, as one insurer states it. Known times as for coverages.

create table checkup (
    person_id        bigint not null references person,
    checkup_id       bigint not null,  -- the same through every correction
    known_from       timestamptz not null,
    known_to         timestamptz not null default 'infinity',
    submission_id    uuid not null,
    insurer_number   text not null references insurer,
    performed_on     date not null,
    institution_code text not null,  -- not every place of check-ups takes part, so that it refers to nothing
    primary key (person_id, checkup_id, known_from),
    check (known_from < known_to)
);
create sequence checkup_id_seq as bigint owned by checkup.checkup_id;
create unique index checkup_by_day on checkup (person_id, performed_on, institution_code, insurer_number, known_to);
create index checkup_by_age on checkup (performed_on);

create table checkup_result (
    person_id   bigint not null,
    checkup_id  bigint not null,
    item_code   text not null,  -- JLAC10, 17 characters
    known_from  timestamptz not null,
    known_to    timestamptz not null default 'infinity',
    result_kind text not null check (result_kind in ('PQ', 'CD', 'CO', 'ST')),
    value       text not null,
    value_name  text not null,
    unit        text not null,
    low         numeric,  -- the range that came with the result; its bounds belong to it
    high        numeric,
    stated_flag text check (stated_flag in ('L', 'N', 'H')),
    flag        text check (flag in ('L', 'N', 'H')),  -- by that range, else as stated
    primary key (person_id, checkup_id, item_code, known_from),
    check (known_from < known_to)
);

-- Staging of a check-up file and the plan of its merge, copied by each merge into its own session.
create table staged_checkup (
    record_number    bigint not null,
    insurer_number   text,
    symbol           text,
    symbol_key       text not null,
    number           text,
    number_key       text not null,
    branch_number    text not null,
    linkage_code     text not null,
    birth_date       date,
    sex              text,
    performed_on     date not null,
    institution_code text not null,
    item_code        text,  -- null where a record of this check-up was refused
    result_kind      text,
    value            text,
    value_name       text,
    unit             text,
    low              numeric,
    high             numeric,
    stated_flag      text
);

create table checkup_plan (
    plan_number      bigint not null,
    linkage_code     text not null,
    symbol_key       text not null,
    number_key       text not null,
    branch_number    text not null,
    performed_on     date not null,
    institution_code text not null,
    birth_date       date not null,
    sex              text not null,
    records          bigint not null,
    person_id        bigint,
    checkup_id       bigint,
    trouble          text,  -- the code of the fault for which it is not merged
    change           text check (change in ('new', 'corrected', 'unchanged'))
);

grant select, insert on checkup, checkup_result to eligibility_payer;
grant update (known_to) on checkup, checkup_result to eligibility_payer;
grant usage on sequence checkup_id_seq to eligibility_payer;
grant select on staged_checkup, checkup_plan to eligibility_payer;
grant select, delete on checkup, checkup_result to eligibility_worker;
