-- Claims: receipts with their payers, medicines and treatments, and the drug master that names the medicines.

set local lock_timeout = '5s';

-- A claims reviewer (審査支払機関) sends receipts of many insurers; an insurer only its own.
alter table insurer add column reviews_claims boolean not null default false;

create table drug (
    drug_code    text primary key check (drug_code ~ '^[0-9]{9}$'),
    name         text not null,
    unit         text not null,
    form         text not null check (form in ('1', '3', '4', '6', '8')),  -- 内用, その他, 注射, 外用, 歯科
    yj_code      text not null,  -- of the price list (薬価基準収載医薬品コード); empty where there is none
    ingredient   text not null,  -- its first seven characters: what the medicine is made of, and how it is given
    active       boolean not null,
    loaded_at    timestamptz not null
);

create table claim (
    claim_id         bigint not null,  -- the same through every correction
    known_from       timestamptz not null,
    known_to         timestamptz not null default 'infinity',
    submission_id    uuid not null,
    kind             text not null check (kind in ('medical', 'dispensing')),
    receipt_key      text not null,    -- what a receipt claimed again is known by, within its institution and month
    institution_code text not null check (institution_code ~ '^[0-9]{2}[0-9B][0-9]{7}$'),
    institution_name text not null,
    care_month       date not null check (extract(day from care_month) = 1),
    claimed_month    date not null check (extract(day from claimed_month) = 1),
    receipt_type     text not null,
    insurer_number   text,             -- null where public expense pays alone
    symbol           text not null,
    number           text not null,
    branch_number    text not null,
    symbol_key       text not null,
    number_key       text not null,
    birth_date       date not null,
    sex              text not null check (sex in ('1', '2')),
    care_from        date not null,
    care_through     date not null,
    prescriber_code  text,
    prescriber_name  text,
    match            text not null check (match in ('matched', 'no_coverage', 'several_persons', 'no_insurer')),
    person_id        bigint references person,
    coverage_id      bigint,
    covered_by       text,             -- another insurer that covered the first day of care, for the claim's way on
    content_digest   bytea not null,
    primary key (claim_id, known_from),
    check ((match = 'matched') = (person_id is not null)),
    check (care_from <= care_through),
    check (known_from < known_to)
);
create sequence claim_id_seq as bigint owned by claim.claim_id;
create unique index claim_by_receipt on claim (institution_code, care_month, kind, receipt_key, known_to);
create index claim_by_person on claim (person_id, care_month) where known_to = 'infinity';

create table claim_share (
    claim_id     bigint not null,
    position     smallint not null,  -- 0 is the insurer, 1 to 4 are public expense programmes
    known_from   timestamptz not null,
    known_to     timestamptz not null default 'infinity',
    payer_number text not null,
    visit_days   integer,
    points       integer,
    patient_yen  integer,
    primary key (claim_id, position, known_from),
    check (known_from < known_to)
);

create table claim_medicine (
    person_id        bigint,           -- of the claim; null while it is matched to nobody
    claim_id         bigint not null,
    line             integer not null, -- of the receipt
    position         smallint not null,
    known_from       timestamptz not null,
    known_to         timestamptz not null default 'infinity',
    group_number     integer not null,
    usage_group      text not null check (usage_group in ('oral', 'oral_drops', 'as_needed', 'injection', 'external',
        'decoction', 'herbal_tea', 'material', 'home', 'procedure')),
    drug_code        text not null,
    drug_known       boolean not null, -- to the drug master when the claim was merged
    drug_name        text,
    unit             text,
    quantity         numeric,          -- for a day (oral) or a time
    days_or_times    integer not null,
    usage_code       text,
    comment          text,
    institution_code text not null,
    prescriber_code  text,
    medicine_on      date not null,    -- dispensed or given; the month's first day where none is stated
    day_stated       boolean not null,
    prescribed_on    date,
    primary key (claim_id, line, position, known_from),
    check (known_from < known_to)
);
create index claim_medicine_by_person on claim_medicine (person_id, medicine_on) where known_to = 'infinity';

create table claim_treatment (
    person_id     bigint,
    claim_id      bigint not null,
    line          integer not null,
    known_from    timestamptz not null,
    known_to      timestamptz not null default 'infinity',
    group_number  integer not null,
    record_type   text not null check (record_type in ('SI', 'TO', 'CO')),
    service_class text,
    code          text not null,
    name          text,
    quantity      numeric,
    unit          text,
    points        integer,   -- of the whole group, at its last line
    times         integer,
    days          date[] not null,
    comment       text,
    primary key (claim_id, line, known_from),
    check (known_from < known_to)
);
create index claim_treatment_by_person on claim_treatment (person_id, claim_id) where known_to = 'infinity';

-- Copied by each merge into its own session, like staged_eligibility.
create table staged_claim (
    record_number    bigint not null,
    records          integer not null,
    kind             text not null,
    receipt_key      text not null,
    institution_code text not null,
    institution_name text not null,
    care_month       date not null,
    claimed_month    date not null,
    receipt_type     text not null,
    insurer_number   text,
    symbol           text not null,
    number           text not null,
    branch_number    text not null,
    symbol_key       text not null,
    number_key       text not null,
    birth_date       date not null,
    sex              text not null,
    care_from        date not null,
    care_through     date not null,
    prescriber_code  text,
    prescriber_name  text,
    content_digest   bytea not null,
    -- What the merge finds out:
    match            text not null default 'no_coverage',
    person_id        bigint,
    coverage_id      bigint,
    covered_by       text,
    ends_within      boolean not null default false,
    claim_id         bigint,
    change           text check (change in ('new', 'corrected', 'unchanged', 'other_insurer'))
);

create table staged_claim_share (
    record_number bigint not null,
    position      smallint not null,
    payer_number  text not null,
    visit_days    integer,
    points        integer,
    patient_yen   integer
);

create table staged_claim_medicine (
    record_number bigint not null,
    line          integer not null,
    position      smallint not null,
    group_number  integer not null,
    usage_group   text not null,
    drug_code     text not null,
    quantity      numeric,
    days_or_times integer not null,
    usage_code    text,
    comment       text,
    medicine_on   date not null,
    day_stated    boolean not null,
    prescribed_on date
);

create table staged_claim_treatment (
    record_number bigint not null,
    line          integer not null,
    group_number  integer not null,
    record_type   text not null,
    service_class text,
    code          text not null,
    name          text,
    quantity      numeric,
    unit          text,
    points        integer,
    times         integer,
    days          date[] not null,
    comment       text
);

grant select, insert on claim, claim_share, claim_medicine, claim_treatment to eligibility_payer;
grant update (known_to) on claim, claim_share, claim_medicine, claim_treatment to eligibility_payer;
grant usage on sequence claim_id_seq to eligibility_payer;
grant select, insert, update on drug to eligibility_payer;
grant select on staged_claim, staged_claim_share, staged_claim_medicine, staged_claim_treatment to eligibility_payer;
