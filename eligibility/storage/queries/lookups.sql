-- name: coverages_of_card
-- Finds a card's holder and all their coverages as known at a time; no row means the card is not registered.
-- $1 card key, $2 known at, $3 the asking institution
select card.person_id, c.coverage_id, c.insurer_number, i.name as insurer_name,
       data_as_of(c.insurer_number, $2) as data_as_of, c.symbol, c.number,
       c.branch_number, c.name, c.name_kana, c.birth_date, c.sex, c.postal_code, c.address, c.relation, c.card_class,
       c.acquired_on, c.lost_on, c.loss_reason, c.copayment_percent, c.issued_on, c.valid_from, c.valid_through,
       c.preschool, c.viewing_suspended, c.known_from, true as asked, r.reference_number,
       certificates.limits, certificates.diseases, certificates.elderly
from card
left join reference_number r on r.person_id = card.person_id and r.institution_code = $3
left join coverage c on c.person_id = card.person_id and c.known_from <= $2 and $2 < c.known_to
left join insurer i using (insurer_number)
left join lateral certificates_of(c.person_id, c.coverage_id, $2) certificates on true
where card.card_key = $1;

-- name: coverages_of_number
-- Finds the persons who carry an insured number and a birth date, and all their coverages, as known at a time.
-- One row without a coverage stands for an insurer that names nobody so.
-- $1 insurer number, $2 number key, $3 symbol key or '', $4 branch number or '', $5 birth date, $6 known at,
-- $7 the asking institution
with asked as (
    select person_id, coverage_id
    from coverage
    where insurer_number = $1 and number_key = $2 and ($3 = '' or symbol_key = $3)
      and ($4 = '' or branch_number = $4) and birth_date = $5 and known_from <= $6 and $6 < known_to
)
select c.person_id, c.coverage_id, c.insurer_number, i.name as insurer_name,
       data_as_of(coalesce(c.insurer_number, $1), $6) as data_as_of, c.symbol, c.number,
       c.branch_number, c.name, c.name_kana, c.birth_date, c.sex, c.postal_code, c.address, c.relation, c.card_class,
       c.acquired_on, c.lost_on, c.loss_reason, c.copayment_percent, c.issued_on, c.valid_from, c.valid_through,
       c.preschool, c.viewing_suspended, c.known_from,
       exists (select from asked a where a.person_id = c.person_id and a.coverage_id = c.coverage_id) as asked,
       r.reference_number, certificates.limits, certificates.diseases, certificates.elderly
from (select) as one
left join coverage c on c.person_id in (select person_id from asked) and c.known_from <= $6 and $6 < c.known_to
left join reference_number r on r.person_id = c.person_id and r.institution_code = $7
left join insurer i using (insurer_number)
left join lateral certificates_of(c.person_id, c.coverage_id, $6) certificates on true;

-- name: holders_by_attributes
-- Finds the persons whose insurers now state this birth date, sex and name, with their addresses.
-- $1 birth date, $2 sex, $3 name key
select distinct person_id, address
from coverage
where birth_date = $1 and sex = $2 and name_key = $3 and known_to = 'infinity';

-- name: holder_of_card
-- Finds whom a card is registered to.
-- $1 card key
select person_id from card where card_key = $1;

-- name: terminal_standing
-- Finds a terminal's institution and whether either has left.
-- $1 terminal id
select t.institution_code, t.revoked_at, i.closed_on
from terminal t
join institution i using (institution_code)
where t.terminal_id = $1;
