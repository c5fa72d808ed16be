-- A card's holder is found in a table of its own, to which rows can come sorted. While it is filled insurers' merges
-- wait; look-ups do not. What a process of the release before states reaches it by a trigger, until none of them is left.
set local lock_timeout = '2s';

lock table coverage in share row exclusive mode;
create table stated_holder (
    holder_hash bigint not null,
    person_id   bigint not null
);
create function holder_hash(name_key text, birth_date date) returns bigint language sql immutable parallel safe
    return hashtextextended(name_key, birth_date - date '2000-01-01');
insert into stated_holder (holder_hash, person_id)
select distinct holder_hash(name_key, birth_date), person_id from coverage where known_to = 'infinity' order by 1;
create index stated_holder_by_hash on stated_holder (holder_hash);
analyze stated_holder;

create or replace function refresh_statistics(changed bigint) returns void language plpgsql security definer
    set search_path = pg_catalog, public as $$
begin
    if changed * 10 > (select greatest(reltuples, 0) from pg_class where oid = 'public.coverage'::regclass) then
        analyze (skip_locked) public.person, public.stated_holder,
            public.coverage (person_id, coverage_id, known_from, known_to, submission_id, insurer_number, symbol_key,
                number_key, branch_number, name_key, birth_date, acquired_on, lost_on),
            public.limit_certificate, public.specific_disease_certificate, public.elderly_certificate;
    end if;
end $$;

grant select on stated_holder to eligibility_counter;
grant select, insert on stated_holder to eligibility_payer;

create function state_holders() returns trigger language plpgsql as $$
begin
    insert into stated_holder (holder_hash, person_id)
    select distinct holder_hash(s.name_key, s.birth_date), s.person_id
    from stated s
    where not exists (
        select from stated_holder h
        where h.holder_hash = holder_hash(s.name_key, s.birth_date) and h.person_id = s.person_id
        offset 0
    );
    return null;
end $$;
create trigger state_holders after insert on coverage referencing new table as stated
    for each statement execute function state_holders();
