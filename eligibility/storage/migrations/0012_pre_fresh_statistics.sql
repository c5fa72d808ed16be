-- A large merge lets the planner know of it at once.
set local lock_timeout = '2s';

-- Autovacuum looks once a minute, and until then a register that has just grown is planned for as though it were empty.
-- With its owner's right, because only the owner of a table may analyze it.
create function refresh_statistics(changed bigint) returns void language plpgsql security definer
    set search_path = pg_catalog, public as $$
begin
    if changed * 10 > (select greatest(reltuples, 0) from pg_class where oid = 'public.coverage'::regclass) then
        analyze public.person, public.coverage, public.limit_certificate, public.specific_disease_certificate,
            public.elderly_certificate;
    end if;
end $$;
revoke execute on function refresh_statistics from public;
grant execute on function refresh_statistics to eligibility_payer;
