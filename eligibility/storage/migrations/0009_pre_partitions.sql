-- What grows with every visit is kept in partitions: used challenges by day, verifications and audit events by month.
set local lock_timeout = '5s';

create temporary table used_challenge_before on commit drop as select * from used_challenge;
create temporary table verification_before on commit drop as select * from verification;
create temporary table audit_event_before on commit drop as select * from audit_event;
drop table used_challenge, verification, audit_event;

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
create index verification_by_person on verification (person_id, institution_code, occurred_at)
    where person_id is not null;

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
create trigger audit_event_is_never_changed before update or delete or truncate on audit_event
    for each statement execute function refuse_change_of_audit();

grant insert on used_challenge, verification, audit_event to eligibility_counter;
grant select on used_challenge to eligibility_counter;
grant select (person_id, institution_code, occurred_at) on verification to eligibility_counter;
grant select (verification_id, institution_code, outcome, person_id, card_key, certificate_in_grace) on verification
    to eligibility_counter;
grant insert on audit_event to eligibility_payer;
grant select (verification_id, occurred_at, institution_code, method, asked_for, known_at, outcome, person_id,
    coverage_id) on verification to eligibility_payer;
grant select, insert on audit_event to eligibility_worker;
grant insert on verification to eligibility_worker;
grant select (person_id, institution_code, occurred_at, outcome, coverage_id) on verification to eligibility_worker;

-- The first identifier of version 7 that a moment can have: between two of them lie all of a month.
create function first_uuid7(at timestamptz) returns uuid language sql immutable parallel safe as $$
    select (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Makes a partition unless it is there. It is made apart and then attached, so that nobody waits who writes meanwhile.
create function make_partition(parent text, part text, lower text, upper text) returns integer
language plpgsql set search_path = pg_catalog, public as $$
begin
    if to_regclass('public.' || part) is not null then
        return 0;
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
end $$;

-- Makes what is missing of the partitions from a moment on: three days of used challenges, three months of records and
-- events. What no partition stands ready for goes to the one for everything else, so that nobody is refused for it.
create function prepare_partitions(at timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    made integer := 0;
    start timestamptz;
    parent text;
begin
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

-- Forgets the challenges of whole days that ended before a moment; returns how many partitions went.
create function drop_used_challenges(before timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, public set lock_timeout = '2s' as $$
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

-- Retires a month of verifications and audit events whole, as the schema's owner; returns how many partitions went.
create function drop_records_of_month(month date) returns integer
language plpgsql set search_path = pg_catalog, public as $$
declare
    part text;
    dropped integer := 0;
begin
    foreach part in array array['verification_', 'audit_event_'] loop
        part := part || to_char(month, 'YYYYMM');
        if to_regclass('public.' || part) is not null then
            execute format('drop table public.%I', part);
            dropped := dropped + 1;
        end if;
    end loop;
    return dropped;
end $$;

revoke all on function make_partition, prepare_partitions, drop_used_challenges, drop_records_of_month from public;
grant execute on function prepare_partitions, drop_used_challenges to eligibility_worker;
select prepare_partitions(now());

insert into used_challenge select * from used_challenge_before;
insert into verification select * from verification_before;
insert into audit_event select * from audit_event_before;
