-- What stands alone in a first file is copied to where it belongs and needs no tables on the way any more; fresh
-- statistics are of what joins and conditions look at.
set local lock_timeout = '5s';

drop table named_person, postponed_eligibility;

create or replace function refresh_statistics(changed bigint) returns void language plpgsql security definer
    set search_path = pg_catalog, public as $$
begin
    if changed * 10 > (select greatest(reltuples, 0) from pg_class where oid = 'public.coverage'::regclass) then
        analyze public.person,
            public.coverage (person_id, coverage_id, known_from, known_to, submission_id, insurer_number, symbol_key,
                number_key, branch_number, name_key, birth_date, acquired_on, lost_on),
            public.limit_certificate, public.specific_disease_certificate, public.elderly_certificate;
    end if;
end $$;
