-- The whole schema as it stands: what the migrations make, edited with them (tests/house/test_migrations.py compares).

-- ── Who takes part ──────────────────────────────────────────────────────────────────────────────────────────────

create table insurer (
    insurer_number text primary key check (insurer_number ~ '^[0-9]{8}$'),
    name           text not null,
    data_as_of     timestamptz, -- when its latest file was merged
    reviews_claims boolean not null default false  -- a claims reviewer, whose files hold receipts of many insurers
);

create table institution (
    institution_code text primary key check (institution_code ~ '^[0-9]{2}[0-9B][0-9]{7}$'),
    name             text not null,
    closed_on        date
);

create table terminal (
    terminal_id      uuid primary key,
    institution_code text not null references institution,
    name             text not null,
    enrolled_at      timestamptz not null default now(),
    revoked_at       timestamptz
);

-- ── What insurers state ─────────────────────────────────────────────────────────────────────────────────────────
-- Two times: the days a fact is true for (inclusive `_from`/`_through`, or acquired_on up to, not including, lost_on)
-- and the time it was known (known_from up to, not including, known_to). A correction closes known_to and adds a row.

create table person (
    person_id    bigint generated always as identity primary key,
    linkage_code text not null unique
);

-- No foreign keys on the bulk path: only the merge may write here, and it makes the person and checks the insurer itself.
create table coverage (
    person_id         bigint not null,
    coverage_id       bigint not null,  -- the same through every correction
    known_from        timestamptz not null,
    known_to          timestamptz not null default 'infinity',
    submission_id     uuid not null,
    insurer_number    text not null,
    symbol            text not null,
    number            text not null,
    branch_number     text not null check (length(branch_number) in (0, 2)),
    symbol_key        text not null,  -- normal forms; eligibility.domain.names makes them
    number_key        text not null,
    name              text not null,
    name_kana         text not null,
    name_key          text not null,
    birth_date        date not null,
    sex               text not null check (sex in ('1', '2', '3')),
    postal_code       text not null,
    address           text not null,
    relation          text not null check (relation in ('1', '2')),
    card_class        text not null,
    acquired_on       date not null,
    lost_on           date,
    loss_reason       text,
    copayment_percent smallint check (copayment_percent between 0 and 100),
    issued_on         date,
    valid_from        date,
    valid_through     date,
    preschool         boolean not null,
    viewing_suspended boolean not null,
    further           jsonb,  -- what editions after the first state besides, by field; null where nothing is
    primary key (person_id, coverage_id, known_from),
    check (lost_on >= acquired_on),
    check (known_from < known_to)
);
create sequence coverage_id_seq as bigint owned by coverage.coverage_id;
-- Identifiers for a first file's portions: each value begins a block of 1,048,576, more than a portion has records.
create sequence identifier_block_seq as bigint increment by 1048576 minvalue 4398046511104;
-- One current row for one insured individual's one acquisition; also how a number is looked up and a file is merged.
create unique index coverage_by_number on coverage
    (insurer_number, number_key, symbol_key, branch_number, acquired_on, known_to);

-- How a card's holder is found at registration: whom an insurer has ever stated with a name and a birth date, by a hash
-- of the two. Whether that is stated now, the coverage tells. A table of its own, because rows can come to it sorted: at
-- a nation's size an index of the coverages themselves, filled in another order than its own, costs more than they do.
-- Nothing here is unique: nobody waits for another's transaction, and whoever is here twice is found once.
create table stated_holder (
    holder_hash bigint not null,
    person_id   bigint not null
);
create index stated_holder_by_hash on stated_holder (holder_hash);
create function holder_hash(name_key text, birth_date date) returns bigint language sql immutable parallel safe
    return hashtextextended(name_key, birth_date - date '2000-01-01');

create table limit_certificate (
    person_id     bigint not null,
    coverage_id   bigint not null,
    valid_from    date not null,
    known_from    timestamptz not null,
    known_to      timestamptz not null default 'infinity',
    limit_class   text not null,
    category      text not null,
    valid_through date,
    long_term_on  date,
    primary key (person_id, coverage_id, valid_from, limit_class, known_from),
    check (valid_through >= valid_from),
    check (known_from < known_to)
);

create table specific_disease_certificate (
    person_id       bigint not null,
    coverage_id     bigint not null,
    valid_from      date not null,
    known_from      timestamptz not null,
    known_to        timestamptz not null default 'infinity',
    disease         text not null,
    monthly_cap_yen integer check (monthly_cap_yen >= 0),
    valid_through   date,
    primary key (person_id, coverage_id, valid_from, disease, known_from),
    check (valid_through >= valid_from),
    check (known_from < known_to)
);

create table elderly_certificate (
    person_id         bigint not null,
    coverage_id       bigint not null,
    valid_from        date not null,
    known_from        timestamptz not null,
    known_to          timestamptz not null default 'infinity',
    copayment_percent smallint not null check (copayment_percent between 0 and 100),
    valid_through     date,
    primary key (person_id, coverage_id, valid_from, known_from),
    check (valid_through >= valid_from),
    check (known_from < known_to)
);

-- The certificates of one coverage as known at a time, as JSON arrays; inlined into the look-ups that use it.
create function certificates_of(person bigint, coverage bigint, at timestamptz)
returns table (limits jsonb, diseases jsonb, elderly jsonb) language sql stable parallel safe as $$
    select
        (select jsonb_agg(jsonb_build_array(l.limit_class, l.category, l.valid_from, l.valid_through, l.long_term_on))
         from public.limit_certificate l
         where l.person_id = person and l.coverage_id = coverage and l.known_from <= at and at < l.known_to),
        (select jsonb_agg(jsonb_build_array(d.disease, d.monthly_cap_yen, d.valid_from, d.valid_through))
         from public.specific_disease_certificate d
         where d.person_id = person and d.coverage_id = coverage and d.known_from <= at and at < d.known_to),
        (select jsonb_agg(jsonb_build_array(e.copayment_percent, e.valid_from, e.valid_through))
         from public.elderly_certificate e
         where e.person_id = person and e.coverage_id = coverage and e.known_from <= at and at < e.known_to)
$$;

-- ── How their files arrive ──────────────────────────────────────────────────────────────────────────────────────

create table submission (
    submission_id  uuid primary key,
    insurer_number text not null references insurer,
    layout         text not null,
    edition        smallint not null,
    kind           text not null check (kind in ('full', 'delta')),
    file_name      text not null,
    content_length bigint not null check (content_length >= 0),
    content_digest bytea not null check (length(content_digest) = 32),
    stated_records bigint not null check (stated_records >= 0),
    state          text not null check (state in
                       ('receiving', 'received', 'checking', 'merging', 'held', 'merged', 'refused')),
    received_bytes bigint not null default 0,
    created_at     timestamptz not null,
    finished_at    timestamptz,
    records        bigint,  -- read from the file
    refused        bigint,  -- left out of the merge
    merged         bigint,  -- that changed something
    unchanged      bigint,
    touched_at     timestamptz not null default now(),  -- when it was announced, or its last chunk arrived
    unended_loads  smallint not null default 0  -- the one under way, and those killed with their process
);
create index submission_by_insurer on submission (insurer_number, created_at);
create index submission_receiving on submission (touched_at) where state = 'receiving';

-- When the insurer's latest file known at a time was merged.
create function data_as_of(insurer text, at timestamptz) returns timestamptz language sql stable parallel safe as $$
    select case
        when i.data_as_of <= at then i.data_as_of
        else (select max(s.finished_at) from public.submission s
              where s.insurer_number = insurer and s.state = 'merged' and s.finished_at <= at)
    end
    from public.insurer i where i.insurer_number = insurer
$$;

create table feedback (
    submission_id uuid not null references submission,
    fault_number  bigint not null,
    record_number bigint,  -- the first record after the header is 1; null for the file as a whole
    field         text,
    code          text not null,
    severity      text not null check (severity in ('file_refused', 'record_refused', 'warning')),
    value_shape   text,    -- what the value looked like, never the value
    expected      text not null,
    primary key (submission_id, fault_number)
);

-- Staging: each merge makes a temporary table LIKE this one in its own session, under the same name, so that the
-- merge's statements are fixed text and a crash leaves nothing behind. See docs/decisions/.
create table staged_eligibility (
    record_number     bigint not null,
    record_kind       text not null,
    insurer_number    text not null,
    symbol            text not null,
    number            text not null,
    branch_number     text not null,
    symbol_key        text not null,
    number_key        text not null,
    linkage_code      text not null,
    name              text not null,
    name_kana         text not null,
    name_key          text not null,
    birth_date        date not null,
    sex               text not null,
    postal_code       text not null,
    address           text not null,
    relation          text not null,
    card_class        text not null,
    acquired_on       date not null,
    lost_on           date,
    loss_reason       text,
    copayment_percent smallint,
    issued_on         date,
    valid_from        date,
    valid_through     date,
    limit_class       text,
    limit_category    text,
    limit_from        date,
    limit_through     date,
    long_term_on      date,
    disease           text,
    monthly_cap_yen   integer,
    disease_from      date,
    disease_through   date,
    elderly_percent   smallint,
    elderly_from      date,
    elderly_through   date,
    preschool         boolean not null,
    viewing_suspended boolean not null,
    further           jsonb
);

-- The merge's plan, also copied by each merge into its own session: one row for each coverage a file states.
create table merge_plan (
    symbol_key      text not null,
    number_key      text not null,
    branch_number   text not null,
    acquired_on     date not null,
    record_number   bigint not null,  -- the first of the records that state it
    records         bigint not null,
    record_kind     text not null,
    coverage_id     bigint,           -- of the known coverage, or a new one; null where nothing is known to end
    known_person_id bigint,           -- of the known coverage
    change          text not null check (change in
        ('new', 'corrected', 'certificates', 'lost', 'cancelled', 'unchanged', 'nothing_known')),
    person_id       bigint,           -- whom the linkage code means; of a new person the identifier to be
    new_person      boolean not null, -- no file has stated the linkage code before
    emptied         text[],           -- fields that are known to be filled and stated empty; null where none is
    settled         boolean,          -- person, holder and days are stated as they are known, or a loss that takes days away
    known_row       tid               -- where the known coverage stands
);

-- Also copied: the records that may state a coverage or a person which another record of their file states too, and of
-- these the ones that state a coverage again.
create table repeated_record (
    record_number bigint not null
);
create table following_record (
    record_number bigint not null,
    lead_record   bigint not null  -- the first that states the coverage
);

-- Also copied: a first file's holders in the order of their index, of which some at a time go to stated_holder.
create table ordered_holder (like stated_holder);

-- ── What happened at counters ───────────────────────────────────────────────────────────────────────────────────

create table card (
    card_key         bytea primary key,  -- issuer's key identifier, then the certificate's serial number
    person_id        bigint not null references person,
    registered_at    timestamptz not null,
    institution_code text not null references institution
);
create index card_by_person on card (person_id);

-- The unique key that makes a challenge single-use whatever happens to any cache. A challenge's expiry stands under the
-- same MAC as its nonce, so the two together are unique exactly when the nonce is; partitions of days can be dropped.
create table used_challenge (
    nonce      bytea not null,
    expires_at timestamptz not null,
    primary key (nonce, expires_at)
) partition by range (expires_at);
create table used_challenge_other partition of used_challenge default;

create table verification (
    verification_id   uuid primary key,  -- version 7: in the order of time
    occurred_at       timestamptz not null,
    institution_code  text not null,
    terminal_id       uuid not null,
    method            text not null,
    asked_for         date not null,
    known_at          timestamptz not null,
    outcome           text not null,
    person_id         bigint,
    coverage_id       bigint,
    card_key          bytea,
    -- Whether the card's certificate had expired when it was read: then no medical data are shown later either.
    certificate_in_grace boolean not null default false
) partition by range (verification_id);
create table verification_other partition of verification default;

create table consent (
    person_id        bigint not null,
    consent_id       uuid not null,
    class            text not null,
    institution_code text not null,
    verification_id  uuid not null,
    given_at         timestamptz not null,
    expires_at       timestamptz not null,
    withdrawn_at     timestamptz,
    primary key (person_id, verification_id, class),
    check (given_at < expires_at)
);

create table audit_event (
    event_id         uuid primary key,  -- version 7: in the order of time
    occurred_at      timestamptz not null,
    kind             text not null,
    code             text not null,     -- the outcome, or why it was refused
    actor_kind       text not null check (actor_kind in
                         ('terminal', 'staff', 'insurer', 'operator', 'process', 'unknown')),
    actor            text not null,
    institution_code text,
    insurer_number   text,
    person_id        bigint,
    verification_id  uuid,
    submission_id    uuid,
    detail           jsonb not null default '{}'
) partition by range (event_id);
create table audit_event_other partition of audit_event default;
create index audit_event_by_verification on audit_event (verification_id) where verification_id is not null;

create function refuse_change_of_audit() returns trigger language plpgsql as $$
begin
    raise exception 'an audit event is never changed' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_event_is_never_changed before update or delete or truncate on audit_event
    for each statement execute function refuse_change_of_audit();

-- ── What each process may touch ─────────────────────────────────────────────────────────────────────────────────
-- Roles belong to the cluster, so another database of it may have made them already.

do $$
declare process text;
begin
    foreach process in array array['eligibility_counter', 'eligibility_portal', 'eligibility_payer', 'eligibility_worker']
    loop
        begin
            execute format('create role %I login', process);
        exception when duplicate_object or unique_violation then null;
        end;
    end loop;
end $$;

revoke all on schema public from public;
grant usage on schema public to eligibility_counter, eligibility_portal, eligibility_payer, eligibility_worker;

grant select on insurer, institution, terminal, coverage, stated_holder, limit_certificate,
    specific_disease_certificate, elderly_certificate, card to eligibility_counter;
grant select (insurer_number, state, finished_at) on submission to eligibility_counter;
grant insert on card, used_challenge, verification, consent, audit_event to eligibility_counter;
grant select on used_challenge to eligibility_counter;  -- ON CONFLICT reads the key

grant select on insurer to eligibility_payer;
grant update (data_as_of) on insurer to eligibility_payer;
grant select, insert on person, coverage, stated_holder, limit_certificate, specific_disease_certificate,
    elderly_certificate to eligibility_payer;
grant update (known_to) on coverage, limit_certificate, specific_disease_certificate, elderly_certificate
    to eligibility_payer;
grant usage on sequence coverage_id_seq, person_person_id_seq, identifier_block_seq to eligibility_payer;
grant select, insert on submission, feedback to eligibility_payer;
grant update (state, received_bytes, finished_at, records, refused, merged, unchanged, touched_at, unended_loads)
    on submission to eligibility_payer;
grant select on staged_eligibility, merge_plan, repeated_record, following_record, ordered_holder
    to eligibility_payer;
grant delete on feedback to eligibility_payer;
grant insert on audit_event to eligibility_payer;

grant select, insert on audit_event to eligibility_worker;

-- Autovacuum looks once a minute, and until then a register that has just grown is planned for as though it were empty.
-- With its owner's right, because only the owner of a table may analyze it. A first file does so before its end, and
-- nobody waits for that: whoever finds a table being analyzed leaves it.
create function refresh_statistics(changed bigint) returns void language plpgsql security definer
    set search_path = pg_catalog, public as $$
begin
    if changed * 10 > (select greatest(reltuples, 0) from pg_class where oid = 'public.coverage'::regclass) then
        analyze (skip_locked) public.person, public.stated_holder,
            public.coverage (person_id, coverage_id, known_from, known_to, submission_id, insurer_number, symbol_key,
                number_key, branch_number, name_key, birth_date, acquired_on, lost_on),
            public.limit_certificate, public.specific_disease_certificate, public.elderly_certificate;
    end if;
end $$;
revoke execute on function refresh_statistics from public;
grant execute on function refresh_statistics to eligibility_payer;

-- ── Held files, suspected wrong links, notices ──────────────────────────────────────────────────────────────────

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
    stated        jsonb not null,            -- the row of the staging table, with a loss that was stated since
    superseded_at timestamptz,               -- when a later file put it out of date; it is not merged then
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

-- What merges have lately stated of persons of whom they saw nothing stated. Another insurer's load that is under way may
-- state the same person, unseen; it looks here, for what became known since it began, before it ends itself.
create table lone_statement (
    person_id      bigint not null,
    coverage_id    bigint not null,
    insurer_number text not null,
    kept_at        timestamptz not null  -- the merge's time
);
create index lone_statement_by_insurer on lone_statement (insurer_number, kept_at);
create index lone_statement_by_age on lone_statement (kept_at);

grant select, insert, delete on lone_statement to eligibility_payer;
grant select, insert on submission_decision, mislink_case, quarantined_record, insurer_notice to eligibility_payer;
grant update (state, closed_at, closed_by, reason) on mislink_case to eligibility_payer;
grant update (superseded_at, stated) on quarantined_record to eligibility_payer;
grant update (told_in) on insurer_notice to eligibility_payer;
grant select on retirement_plan, known_link, guard_finding to eligibility_payer;
-- What a reversal has to list: what had been shown, never by which card.
grant select (verification_id, occurred_at, institution_code, method, asked_for, known_at, outcome, person_id,
    coverage_id) on verification to eligibility_payer;

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

-- ── Claims ───────────────────────────────────────────────────────────────────────────────────────────────────────────

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
    receipt_key      text not null,    -- what a receipt claimed again is known by: S… by itself, N… with its holder
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
    care_days        date[],           -- null where none is stated, and in claims of former releases
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
-- A receipt number may mean another receipt for another holder. Public expense alone names no insurer.
create unique index claim_by_receipt on claim (institution_code, kind, receipt_key, care_month, birth_date, number_key,
    symbol_key, insurer_number, known_to) nulls not distinct;
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
    care_days        date[],
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
    change           text check (change in ('new', 'corrected', 'unchanged', 'other_insurer')),
    -- Where the file states them:
    insured_line     bigint,
    branch_line      bigint
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
    failed_tries     integer not null default 0,  -- of the items that are next
    check (done <= items)
);
create index bulk_check_open on bulk_check (failed_tries, accepted_at) where state <> 'done';
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
    person_id   bigint,  -- whom and which coverage it shows: asked again whenever it is given out
    coverage_id bigint,
    primary key (bulk_id, item_number)
);

grant select, insert on bulk_check to eligibility_counter;
grant insert on bulk_item to eligibility_counter;
grant select on bulk_result to eligibility_counter;

grant select, delete on bulk_check to eligibility_worker;
grant update (state, done, misses, changed, finished_at, cleared_at, failed_tries) on bulk_check to eligibility_worker;
grant select, delete on bulk_item to eligibility_worker;
grant select, insert, delete on bulk_result to eligibility_worker;
grant select on coverage, elderly_certificate, reference_number to eligibility_worker;
grant select (insurer_number, name) on insurer to eligibility_worker;
grant insert on verification to eligibility_worker;
grant select (person_id, institution_code, occurred_at, outcome, coverage_id) on verification to eligibility_worker;

-- ── Staff, and what a consent opens ─────────────────────────────────────────────────────────────────────────────

create table staff (
    staff_id         uuid primary key,
    institution_code text not null references institution,
    name             text not null,
    name_key         text not null,  -- the sign-in name's normal form
    role             text not null check (role in ('clerk', 'nurse', 'pharmacist', 'doctor')),
    password_hash    text not null,  -- Argon2id, with its parameters
    passcode_secret  bytea not null, -- sealed with a key that is not in this database
    last_time_step   bigint not null default 0,  -- of the last passcode that was used
    enrolled_at      timestamptz not null,
    disabled_at      timestamptz,
    unique (institution_code, name_key)
);

create table staff_session (
    token_digest     bytea primary key,
    staff_id         uuid not null references staff,
    institution_code text not null,
    terminal_id      uuid not null,
    began_at         timestamptz not null,
    last_used_at     timestamptz not null,
    expires_at       timestamptz not null,
    ended_at         timestamptz
);
create index staff_session_by_staff on staff_session (staff_id) where ended_at is null;
create index staff_session_by_end on staff_session (expires_at);

-- How often somebody tried to sign in, by a digest of the name or of the terminal. Here and not in Redis: guessing
-- must stay bounded when that is away.
create table sign_in_budget (
    budget_key bytea primary key,
    attempts   integer not null,
    began_at   timestamptz not null
);
create index sign_in_budget_by_age on sign_in_budget (began_at);

grant select on staff, staff_session, sign_in_budget to eligibility_counter;
grant update (last_time_step) on staff to eligibility_counter;
grant insert on staff_session, sign_in_budget to eligibility_counter;
grant update (last_used_at, ended_at) on staff_session to eligibility_counter;
grant update (attempts, began_at), delete on sign_in_budget to eligibility_counter;
grant select (expires_at), delete on staff_session to eligibility_worker;
grant select (began_at), delete on sign_in_budget to eligibility_worker;

grant select (verification_id, institution_code, outcome, person_id, coverage_id, card_key, certificate_in_grace)
    on verification to eligibility_counter;
grant select (person_id, consent_id, verification_id, class, institution_code, given_at, expires_at, withdrawn_at)
    on consent to eligibility_counter;
grant update (withdrawn_at) on consent to eligibility_counter;

-- ── The second wall ─────────────────────────────────────────────────────────────────────────────────────────────

-- The person whose information of a class this transaction may read: it says by which institution and verification it
-- reads, and a consent of that verification must be in force by the database's own clock. Null where none is.
create function consented_person(wanted text) returns bigint language sql stable parallel safe as $$
    select c.person_id
    from public.verification v
    join public.consent c on c.person_id = v.person_id and c.verification_id = v.verification_id
    where v.verification_id = nullif(current_setting('eligibility.verification', true), '')::uuid
      and v.institution_code = current_setting('eligibility.institution', true)
      and c.institution_code = v.institution_code and c.class = wanted
      and now() < c.expires_at and c.expires_at <= c.given_at + interval '24 hours' and c.withdrawn_at is null
    limit 1
$$;

grant select (claim_id, known_to, kind, institution_code, institution_name, care_month, prescriber_name, person_id)
    on claim to eligibility_counter;
grant select (person_id, claim_id, line, known_from, known_to, record_type, service_class, code, name, quantity, unit,
              times, days, comment)
    on claim_treatment to eligibility_counter;
grant select on claim_medicine, checkup, checkup_result, drug to eligibility_counter;

alter table claim enable row level security;
alter table claim_medicine enable row level security;
alter table claim_treatment enable row level security;
alter table checkup enable row level security;
alter table checkup_result enable row level security;

-- The sub-select is evaluated once for a statement, not once for a row.
create policy counter_by_consent on claim for select to eligibility_counter
    using (person_id = (select consented_person('medication')));
create policy counter_by_consent on claim_medicine for select to eligibility_counter
    using (person_id = (select consented_person('medication')));
create policy counter_by_consent on claim_treatment for select to eligibility_counter
    using (person_id = (select consented_person('treatment')));
-- Beside the one for medicines: either consent opens which claims there are, each its own table.
create policy counter_by_treatment_consent on claim for select to eligibility_counter
    using (person_id = (select consented_person('treatment')));
create policy counter_by_consent on checkup for select to eligibility_counter
    using (person_id = (select consented_person('checkup')));
create policy counter_by_consent on checkup_result for select to eligibility_counter
    using (person_id = (select consented_person('checkup')));

create policy payer_all on claim to eligibility_payer using (true) with check (true);
create policy payer_all on claim_medicine to eligibility_payer using (true) with check (true);
create policy payer_all on claim_treatment to eligibility_payer using (true) with check (true);
create policy payer_all on checkup to eligibility_payer using (true) with check (true);
create policy payer_all on checkup_result to eligibility_payer using (true) with check (true);
create policy worker_all on checkup to eligibility_worker using (true) with check (true);
create policy worker_all on checkup_result to eligibility_worker using (true) with check (true);

-- ── Partitions ──────────────────────────────────────────────────────────────────────────────────────────────────
-- What grows with every visit is kept by the day or the month, so that writing costs the same however much there is,
-- and what has had its time goes by dropping a table.

-- The first identifier of version 7 that a moment can have: between two of them lie all of a month.
create function first_uuid7(at timestamptz) returns uuid language sql immutable parallel safe as $$
    select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes a partition unless it is there. It is made apart and then attached, so that nobody waits who writes meanwhile.
-- Where rows of its range stand in the partition for everything else, that one keeps the range. They are looked for by
-- the key first: to attach in vain would read all of that partition each time, while whoever writes to it waits.
create function make_partition(parent text, part text, lower text, upper text) returns integer
language plpgsql set search_path = pg_catalog, public as $$
declare
    key text;
    kept boolean;
begin
    if to_regclass('public.' || part) is not null then
        return 0;
    end if;
    select a.attname into strict key
    from pg_partitioned_table p join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
    where p.partrelid = to_regclass('public.' || parent);
    execute format('select exists (select from public.%I where %I >= %L and %2$I < %4$L)',
                   parent || '_other', key, lower, upper) into kept;
    if kept then
        raise check_violation;
    end if;
    execute format('create table public.%I (like public.%I including all)', part, parent);
    -- Rows are only added: what is vacuumed is frozen, a piece at a time, long before it has to be.
    execute format('alter table public.%I set (autovacuum_vacuum_insert_threshold = 1000000,'
        ' autovacuum_vacuum_insert_scale_factor = 0, autovacuum_analyze_threshold = 1000000,'
        ' autovacuum_analyze_scale_factor = 0.2)', part);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
                   parent, part, lower, upper);
    if parent = 'audit_event' then  -- a trigger for each statement guards only the table that the statement names
        execute format('create trigger audit_event_is_never_changed before update or delete or truncate on public.%I'
            ' for each statement execute function public.refuse_change_of_audit()', part);
    end if;
    return 1;
exception when check_violation then
    raise warning 'rows of % came before it: they stay, with those to come, in %_other', part, parent;
    return 0;
end $$;

-- Makes what is missing of the partitions from a moment on: three days of used challenges, three months of records and
-- events. What no partition stands ready for goes to the one for everything else, so that nobody is refused for it.
create function prepare_partitions(at timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, public set lock_timeout = '2s' as $$
declare
    made integer := 0;
    start timestamptz;
    parent text;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('prepare_partitions', 0)) then
        return 0;  -- another worker is making them
    end if;
    for n in 0..2 loop
        start := date_trunc('day', at, 'UTC') + make_interval(days => n);
        made := made + public.make_partition(
            'used_challenge', 'used_challenge_' || to_char(start at time zone 'UTC', 'YYYYMMDD'),
            start::text, (start + interval '1 day')::text);
    end loop;
    for n in 0..2 loop
        start := (date_trunc('month', at at time zone 'UTC') + make_interval(months => n)) at time zone 'UTC';
        foreach parent in array array['verification', 'audit_event'] loop
            made := made + public.make_partition(
                parent, parent || '_' || to_char(start at time zone 'UTC', 'YYYYMM'),
                public.first_uuid7(start)::text,
                public.first_uuid7((start at time zone 'UTC' + interval '1 month') at time zone 'UTC')::text);
        end loop;
    end loop;
    return made;
end $$;

-- Forgets the challenges of whole days that ended before a moment; returns how many partitions went. Whoever
-- writes a challenge waits behind it while somebody reads the table for long, so it gives up soon.
create function drop_used_challenges(before timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, public set lock_timeout = '50ms' as $$
declare
    part text;
    dropped integer := 0;
begin
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'public.used_challenge'::regclass and c.relname ~ '_[0-9]{8}$'
            and (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp at time zone 'UTC' <= before
        order by c.relname
    loop
        execute format('drop table public.%I', part);
        dropped := dropped + 1;
    end loop;
    delete from public.used_challenge_other where expires_at < before;
    return dropped;
end $$;

-- Retires a month of verifications and audit events, as the schema's owner: their partitions whole, and what came while
-- none stood ready; returns in how many partitions they were.
create function drop_records_of_month(month date) returns integer
language plpgsql set search_path = pg_catalog, public as $$
declare
    start timestamp := date_trunc('month', month::timestamp);
    lower uuid := public.first_uuid7(start at time zone 'UTC');
    upper uuid := public.first_uuid7((start + interval '1 month') at time zone 'UTC');
    parent text;
    key text;
    part text;
    deleted bigint;
    emptied integer := 0;
begin
    for parent, key in values ('verification', 'verification_id'), ('audit_event', 'event_id') loop
        part := parent || '_' || to_char(month, 'YYYYMM');
        if to_regclass('public.' || part) is not null then
            execute format('drop table public.%I', part);
            emptied := emptied + 1;
        end if;
        execute format('delete from public.%I where %I >= $1 and %2$I < $2', parent || '_other', key)
            using lower, upper;
        get diagnostics deleted = row_count;
        emptied := emptied + (deleted > 0)::integer;
    end loop;
    return emptied;
end $$;

revoke all on function make_partition, prepare_partitions, drop_used_challenges, drop_records_of_month from public;
grant execute on function prepare_partitions, drop_used_challenges to eligibility_worker;
select prepare_partitions(now());

-- ── What was looked at ──────────────────────────────────────────────────────────────────────────────────────────

-- The looks at a person's medical data since a moment, for a reversal to list: by whom, where, when, under which
-- verification. The payer's process may ask this about one person and read no other event. A look has a consent behind
-- it, and so is found by verification; the bound on the identifier leaves the months before alone.
create function disclosures_of(person bigint, since timestamptz)
returns table (event_id uuid, occurred_at timestamptz, institution_code text, staff_id text, verification_id uuid, class text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.event_id, e.occurred_at, e.institution_code, e.actor, e.verification_id, e.detail ->> 'class'
    from public.audit_event e
    where e.verification_id in (
            select c.verification_id from public.consent c where c.person_id = person and since < c.expires_at
        )
        and e.event_id >= public.first_uuid7(since) and e.kind = 'disclosure' and e.person_id = person
$$;
revoke execute on function disclosures_of from public;
grant execute on function disclosures_of to eligibility_payer;

-- What counters have kept of a person since a moment, for whoever moves a coverage to another person to take back, too:
-- nobody can tell whose it is. The payer's process may do this to one person and reads no other consent, card or number.
-- Before that a registration that is under way is waited for, and one that comes meanwhile waits: it then looks once more
-- whose it is.
create function hold_registrations() returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
    lock table public.card, public.reference_number in share row exclusive mode
$$;

create function withdraw_consents_of(person bigint, since timestamptz, at timestamptz)
returns table (verification_id uuid, institution_code text, class text, given_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    update public.consent c set withdrawn_at = at
    where c.person_id = person and since <= c.given_at and c.withdrawn_at is null and at < c.expires_at
    returning c.verification_id, c.institution_code, c.class, c.given_at
$$;

create function take_back_cards_of(person bigint, since timestamptz)
returns table (institution_code text, registered_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from public.card c where c.person_id = person and since <= c.registered_at
    returning c.institution_code, c.registered_at
$$;

create function take_back_reference_numbers_of(person bigint, since timestamptz)
returns table (institution_code text, reference_number text, registered_at timestamptz)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    delete from public.reference_number r where r.person_id = person and since <= r.registered_at
    returning r.institution_code, r.reference_number, r.registered_at
$$;

revoke execute on function hold_registrations, withdraw_consents_of, take_back_cards_of,
    take_back_reference_numbers_of from public;
grant execute on function hold_registrations, withdraw_consents_of, take_back_cards_of,
    take_back_reference_numbers_of to eligibility_payer;

-- ── Enrolment codes ─────────────────────────────────────────────────────────────────────────────────────────────

create table enrolment_code (
    code_hash        bytea primary key check (length(code_hash) = 32),  -- the code itself is kept nowhere
    institution_code text not null references institution,
    name             text not null,
    issued_at        timestamptz not null,
    expires_at       timestamptz not null,
    used_at          timestamptz,
    terminal_id      uuid references terminal,
    key_hash         bytea,  -- of the key that it enrolled: whoever holds that may fetch the certificate again
    check (issued_at < expires_at),
    check ((used_at is null) = (terminal_id is null) and (used_at is null) = (key_hash is null))
);

-- Uses a code up for a new terminal; no row means it is wrong, used for another key, expired, or its institution has
-- closed. The API may do this and nothing else about terminals: without a code it can enrol none.
create function enrol_by_code(code bytea, key bytea, new_terminal uuid, today date, at timestamptz)
returns table (enrolled_id uuid, enrolled_at_institution text, institution_name text, terminal_name text, is_new boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    issued public.enrolment_code%rowtype;
begin
    select c.code_hash, c.institution_code, c.name, c.issued_at, c.expires_at, c.used_at, c.terminal_id, c.key_hash
    into issued
    from public.enrolment_code c
    where c.code_hash = code and c.issued_at <= at and at < c.expires_at
    for update;
    if issued.code_hash is null or (issued.used_at is not null and issued.key_hash <> key) then
        return;
    end if;
    if issued.used_at is null then
        insert into public.terminal (terminal_id, institution_code, name, enrolled_at)
        values (new_terminal, issued.institution_code, issued.name, at);
        update public.enrolment_code set used_at = at, terminal_id = new_terminal, key_hash = key
        where code_hash = code;
    end if;
    return query
    select t.terminal_id, t.institution_code, i.name, t.name, issued.used_at is null
    from public.terminal t
    join public.institution i on i.institution_code = t.institution_code
    where t.terminal_id = coalesce(issued.terminal_id, new_terminal) and t.revoked_at is null
      and (i.closed_on is null or today < i.closed_on);
end $$;
revoke execute on function enrol_by_code from public;
grant execute on function enrol_by_code to eligibility_counter;
