-- Staff who sign in, what a later reading rests on, and row-level security on what only a consent opens.
set local lock_timeout = '5s';

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

-- How often somebody tried to sign in, by a digest of the name or of the terminal. Here and not in Redis: guessing
-- must stay bounded when that is away.
create table sign_in_budget (
    budget_key bytea primary key,
    attempts   integer not null,
    began_at   timestamptz not null
);

grant select on staff, staff_session, sign_in_budget to eligibility_counter;
grant update (last_time_step) on staff to eligibility_counter;
grant insert on staff_session, sign_in_budget to eligibility_counter;
grant update (last_used_at, ended_at) on staff_session to eligibility_counter;
grant update (attempts, began_at), delete on sign_in_budget to eligibility_counter;

alter table audit_event drop constraint audit_event_actor_kind_check;
alter table audit_event add constraint audit_event_actor_kind_check
    check (actor_kind in ('terminal', 'staff', 'insurer', 'operator', 'process', 'unknown')) not valid;
alter table audit_event validate constraint audit_event_actor_kind_check;

-- Whether the card's certificate had expired when it was read: then no medical data are shown later either.
alter table verification add column certificate_in_grace boolean not null default false;

grant select (verification_id, institution_code, outcome, person_id, card_key, certificate_in_grace) on verification
    to eligibility_counter;
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

grant select (claim_id, known_to, kind, institution_name, prescriber_name, person_id) on claim to eligibility_counter;
grant select on claim_medicine, checkup, checkup_result, drug to eligibility_counter;

alter table claim enable row level security;
alter table claim_medicine enable row level security;
alter table checkup enable row level security;
alter table checkup_result enable row level security;

-- The sub-select is evaluated once for a statement, not once for a row.
create policy counter_by_consent on claim for select to eligibility_counter
    using (person_id = (select consented_person('medication')));
create policy counter_by_consent on claim_medicine for select to eligibility_counter
    using (person_id = (select consented_person('medication')));
create policy counter_by_consent on checkup for select to eligibility_counter
    using (person_id = (select consented_person('checkup')));
create policy counter_by_consent on checkup_result for select to eligibility_counter
    using (person_id = (select consented_person('checkup')));

create policy payer_all on claim to eligibility_payer using (true) with check (true);
create policy payer_all on claim_medicine to eligibility_payer using (true) with check (true);
create policy payer_all on checkup to eligibility_payer using (true) with check (true);
create policy payer_all on checkup_result to eligibility_payer using (true) with check (true);
create policy worker_all on checkup to eligibility_worker using (true) with check (true);
create policy worker_all on checkup_result to eligibility_worker using (true) with check (true);
