-- name: checked_persons_of_number
-- Finds the persons who carry an insured number now and whom an institution has checked before. A row without a person
-- stands for a crowded number, as `coverages_of_numbers` tells it.
-- $1 insurer number, $2 number key, $3 symbol key or '', $4 branch number or '', $5 institution, $6 how many entries may
-- be read for want of a symbol
with question as (
    select case when $3 <> '' then $3 else (
        select case when count(*) <= $6 then coalesce(max(entry.symbol_key), '') end
        from (select symbol_key from coverage where insurer_number = $1 and number_key = $2
              order by symbol_key limit $6 + 1) entry
    ) end as last_symbol_key
)
select distinct c.person_id
from question q
left join lateral (
    select person_id
    from coverage
    where insurer_number = $1 and number_key = $2 and symbol_key between $3 and q.last_symbol_key
      and ($4 = '' or branch_number = $4) and known_to = 'infinity'
      and exists (select from verification v where v.person_id = coverage.person_id and v.institution_code = $5)
    offset 0
) c on true
where q.last_symbol_key is null or c.person_id is not null;

-- name: register_reference_number
-- Gives a person an institution's number; tells whether another one was there before.
-- $1 person, $2 institution, $3 reference number, $4 time
with before as (
    select reference_number from reference_number where person_id = $1 and institution_code = $2
)
insert into reference_number (person_id, institution_code, reference_number, registered_at)
values ($1, $2, $3, $4)
on conflict (person_id, institution_code)
    do update set reference_number = excluded.reference_number, registered_at = excluded.registered_at
returning exists (select from before b where b.reference_number <> $3) as replaced;
