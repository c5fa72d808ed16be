-- A worker that was away finds rows of today where no partition stood ready. It goes on all the same: that day or month
-- stays where it began, and is forgotten and retired from there.
set local lock_timeout = '2s';

-- Makes a partition unless it is there. It is made apart and then attached, so that nobody waits who writes meanwhile.
-- Where rows of its range stand in the partition for everything else, that one keeps the range.
create or replace function make_partition(parent text, part text, lower text, upper text) returns integer
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
exception when check_violation then
    raise warning 'rows of % came before it: they stay, with those to come, in %_other', part, parent;
    return 0;
end $$;

-- Makes what is missing of the partitions from a moment on: three days of used challenges, three months of records and
-- events. What no partition stands ready for goes to the one for everything else, so that nobody is refused for it.
create or replace function prepare_partitions(at timestamptz) returns integer
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

-- Retires a month of verifications and audit events, as the schema's owner: their partitions whole, and what came while
-- none stood ready; returns in how many partitions they were.
create or replace function drop_records_of_month(month date) returns integer
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
