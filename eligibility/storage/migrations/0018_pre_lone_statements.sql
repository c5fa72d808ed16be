-- What lets two insurers' merges that state one person in the same moment find each other before the second commits;
-- and none waits any more until another's transaction, which has refreshed statistics, is over.
set local lock_timeout = '2s';

create table lone_statement (
    person_id      bigint not null,
    coverage_id    bigint not null,
    insurer_number text not null,
    stated_in      xid8 not null default pg_current_xact_id(),
    kept_at        timestamptz not null default clock_timestamp()
);
create index lone_statement_by_transaction on lone_statement (stated_in);
create index lone_statement_by_age on lone_statement (kept_at);

grant select, insert, delete on lone_statement to eligibility_payer;

create or replace function refresh_statistics(changed bigint) returns void language plpgsql security definer
    set search_path = pg_catalog, public as $$
begin
    if changed * 10 > (select greatest(reltuples, 0) from pg_class where oid = 'public.coverage'::regclass) then
        analyze (skip_locked) public.person,
            public.coverage (person_id, coverage_id, known_from, known_to, submission_id, insurer_number, symbol_key,
                number_key, branch_number, name_key, birth_date, acquired_on, lost_on),
            public.limit_certificate, public.specific_disease_certificate, public.elderly_certificate;
    end if;
end $$;
