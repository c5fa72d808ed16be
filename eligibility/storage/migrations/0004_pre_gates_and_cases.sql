-- Files held for approval, suspected wrong links, and what insurers are told of each other's statements.

set local lock_timeout = '5s';

alter table submission drop constraint submission_state_check;
alter table submission add constraint submission_state_check
    check (state in ('receiving', 'received', 'checking', 'merging', 'held', 'merged', 'refused'));

-- What an operator decided about a held file.
create table submission_decision (
    submission_id uuid primary key references submission,
    decision      text not null check (decision in ('approved', 'rejected')),
    decided_by    text not null,
    reason        text not null,
    decided_at    timestamptz not null
);

-- Suspected wrong links: one case for what has to be looked at together.
create table mislink_case (
    case_id        bigint generated always as identity primary key,
    opened_at      timestamptz not null,
    submission_id  uuid not null references submission,
    insurer_number text not null references insurer,
    lead_record    bigint not null,  -- the first of the case's records in that submission
    kind           text not null check (kind in ('mismatch', 'review', 'swapped', 'claimed_twice')),
    state          text not null default 'open'
                   check (state in ('open', 'released', 'rejected', 'superseded', 'reversed')),
    closed_at      timestamptz,
    closed_by      text,
    reason         text,
    unique (submission_id, lead_record, kind)
);
create index mislink_case_open on mislink_case (insurer_number) where state = 'open';

-- The records a case keeps from the register, whole, so that a release can merge them whatever their layout.
create table quarantined_record (
    case_id       bigint not null references mislink_case,
    record_number bigint not null,
    person_id     bigint references person,  -- whom the linkage code means
    reasons       text[] not null,           -- the fields that disagree
    symbol_key    text not null,
    number_key    text not null,
    branch_number text not null,
    acquired_on   date not null,
    stated        jsonb not null,            -- the row of the staging table
    primary key (case_id, record_number)
);
create index quarantined_record_by_person on quarantined_record (person_id);

-- What an insurer is told with its next file, because another insurer's file or an operator caused it.
create table insurer_notice (
    notice_id      bigint generated always as identity primary key,
    insurer_number text not null references insurer,
    created_at     timestamptz not null,
    code           text not null,
    expected       text not null,
    coverage_id    bigint,  -- its own coverage that is meant
    told_in        uuid references submission
);
create index insurer_notice_due on insurer_notice (insurer_number) where told_in is null;

-- Copied by each merge into its own session, as staged_eligibility is.
create table retirement_plan (
    person_id   bigint not null,
    coverage_id bigint not null
);
create table known_link (
    record_number  bigint not null,
    person_id      bigint not null,
    coverage_id    bigint not null,
    insurer_number text not null,
    agrees         boolean not null,  -- the holder is stated in the very same words
    overlapping    boolean not null   -- and so do the days, with another insurer's coverage
);
create table guard_finding (
    record_number bigint not null,
    lead_record   bigint not null,
    person_id     bigint,
    kind          text not null,
    reasons       text[] not null
);

grant select, insert on submission_decision, mislink_case, quarantined_record, insurer_notice to eligibility_payer;
grant update (state, closed_at, closed_by, reason) on mislink_case to eligibility_payer;
grant update (told_in) on insurer_notice to eligibility_payer;
grant select on retirement_plan, known_link, guard_finding to eligibility_payer;
-- What a reversal has to list: what had been shown, never by which card.
grant select (verification_id, occurred_at, institution_code, method, asked_for, known_at, outcome, person_id,
    coverage_id) on verification to eligibility_payer;
grant select (person_id, class, institution_code, verification_id, given_at, withdrawn_at) on consent
    to eligibility_payer;
