-- name: checked_persons_of_number
-- Finds the persons who carry an insured number now and whom an institution has checked before.
-- $1 insurer number, $2 number key, $3 symbol key or '', $4 branch number or '', $5 institution
select distinct c.person_id
from coverage c
where c.insurer_number = $1 and c.number_key = $2 and ($3 = '' or c.symbol_key = $3)
  and ($4 = '' or c.branch_number = $4) and c.known_to = 'infinity'
  and exists (select from verification v where v.person_id = c.person_id and v.institution_code = $5);

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
