-- After a long absence of the worker each of its turns tried again to attach the current month's partitions.
set local lock_timeout = '2s';

-- Makes a partition unless it is there. It is made apart and then attached, so that nobody waits who writes meanwhile.
-- Where rows of its range stand in the partition for everything else, that one keeps the range. They are looked for by
-- the key first: to attach in vain would read all of that partition each time, while whoever writes to it waits.
create or replace function make_partition(parent text, part text, lower text, upper text) returns integer
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
