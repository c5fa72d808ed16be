-- name: coverages_of_cards
-- Finds cards' holders and all their coverages as known at a time; no row means a card is not registered.
-- $1 card keys, $2 known at, $3 the asking institutions, $4 whether as of now; each row tells which of them it answers,
-- from 1
select asked.position, card.person_id, c.coverage_id, c.insurer_number, i.name as insurer_name,
       dated.data_as_of, c.symbol, c.number,
       c.branch_number, c.name, c.name_kana, c.birth_date, c.sex, c.postal_code, c.address, c.relation, c.card_class,
       c.acquired_on, c.lost_on, c.loss_reason, c.copayment_percent, c.issued_on, c.valid_from, c.valid_through,
       c.preschool, c.viewing_suspended, c.known_from,
       r.reference_number, certificates.limits, certificates.diseases, certificates.elderly
from (
    -- As of now is by the later of both clocks: where the process's is behind, nothing known since is passed over.
    select a.card_key, case when a.as_now then greatest(a.known_at, now()) else a.known_at end as known_at,
           a.institution_code, a.position
    from unnest($1::bytea[], $2::timestamptz[], $3::text[], $4::boolean[]) with ordinality
         as a (card_key, known_at, institution_code, as_now, position)
) asked
join card using (card_key)
left join reference_number r on r.person_id = card.person_id and r.institution_code = asked.institution_code
left join coverage c
    on c.person_id = card.person_id and c.known_from <= asked.known_at and asked.known_at < c.known_to
left join insurer i using (insurer_number)
left join lateral (
    -- As the function data_as_of says, which is not called: a call for each row costs as much as the row itself.
    select case
        when i.data_as_of <= asked.known_at then i.data_as_of
        else (select max(s.finished_at) from submission s
              where s.insurer_number = i.insurer_number and s.state = 'merged' and s.finished_at <= asked.known_at)
    end as data_as_of
) dated on true
left join lateral certificates_of(c.person_id, c.coverage_id, asked.known_at) certificates on true;

-- name: coverages_of_numbers
-- Finds the persons who carried insured numbers and birth dates as known at a time, and all their coverages as known
-- then; or who have had a coverage of a number since a time, and all their coverages as known now. One row without a
-- coverage stands for an insurer that names nobody so, or for a number without a symbol that is crowded: for want of the
-- symbol more entries would have to be read than may be. The symbols looked for are a range, so that one probe of the
-- index reads no others: from the one asked to the same, or to the number's last. OFFSET 0 and the order keep that probe
-- what it is, whatever the planner takes numbers to be like.
-- $1 insurer numbers, $2 number keys, $3 symbol keys or '', $4 branch numbers or '', $5 birth dates, $6 coverages to ask
-- about instead or null, $7 known at, $8 the asking institutions, $9 how many entries may be read for want of a symbol,
-- $10 whether as of now; each row tells which of them it answers, from 1
with question as (
    select q.*, case when q.coverage_id is null then q.known_at else timestamptz '9999-12-31' end as shown_at,
           case when q.symbol_key <> '' then q.symbol_key else coalesce(
               (select case when count(*) <= $9 then coalesce(max(entry.symbol_key), '') end
                from (select c.symbol_key from coverage c
                      where c.insurer_number = q.insurer_number and c.number_key = q.number_key
                      order by c.symbol_key limit $9 + 1) entry),
               case when q.coverage_id is not null then '' end  -- a coverage found before keeps its own symbol at least
           ) end as last_symbol_key
    from (
        select a.insurer_number, a.number_key, a.symbol_key, a.branch_number, a.birth_date, a.coverage_id,
               case when a.as_now then greatest(a.known_at, now()) else a.known_at end as known_at,
               a.institution_code, a.position
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::bigint[], $7::timestamptz[],
                    $8::text[], $10::boolean[])
             with ordinality
             as a (insurer_number, number_key, symbol_key, branch_number, birth_date, coverage_id, known_at,
                   institution_code, as_now, position)
    ) q
), asked as (
    select q.position, c.person_id, c.coverage_id
    from question q
    cross join lateral (
        select person_id, coverage_id
        from coverage
        where insurer_number = q.insurer_number and number_key = q.number_key
          and symbol_key between q.symbol_key and q.last_symbol_key
          and (q.branch_number = '' or branch_number = q.branch_number)
          and case when q.coverage_id is null then birth_date = q.birth_date else coverage_id = q.coverage_id end
          and known_from <= q.shown_at and q.known_at < known_to
        offset 0
    ) c
)
select q.position, c.person_id, c.coverage_id, c.insurer_number, i.name as insurer_name,
       dated.data_as_of, c.symbol, c.number,
       c.branch_number, c.name, c.name_kana, c.birth_date, c.sex, c.postal_code, c.address, c.relation, c.card_class,
       c.acquired_on, c.lost_on, c.loss_reason, c.copayment_percent, c.issued_on, c.valid_from, c.valid_through,
       c.preschool, c.viewing_suspended, c.known_from,
       c.coverage_id = any (found.coverage_ids) as asked,
       q.last_symbol_key is null as crowded,
       r.reference_number, certificates.limits, certificates.diseases, certificates.elderly
from question q
left join (
    select position, person_id, array_agg(coverage_id) as coverage_ids from asked group by position, person_id
) found on found.position = q.position
left join coverage c
    on c.person_id = found.person_id and c.known_from <= q.shown_at and q.shown_at < c.known_to
left join reference_number r on r.person_id = c.person_id and r.institution_code = q.institution_code
left join insurer i on i.insurer_number = coalesce(c.insurer_number, q.insurer_number)
left join lateral (
    select case
        when i.data_as_of <= q.known_at then i.data_as_of
        else (select max(s.finished_at) from submission s
              where s.insurer_number = i.insurer_number and s.state = 'merged' and s.finished_at <= q.known_at)
    end as data_as_of
) dated on true
left join lateral certificates_of(c.person_id, c.coverage_id, q.shown_at) certificates on true;

-- name: holders_by_attributes
-- Finds the persons whose insurers now state this birth date and sex and have ever stated this name, with the names and
-- addresses stated now.
-- $1 birth date, $2 sex, $3 name key
select distinct c.person_id, c.name, c.address
from stated_holder h
join coverage c on c.person_id = h.person_id
    and c.birth_date = $1 and c.sex = $2 and c.known_to = 'infinity'
where h.holder_hash = holder_hash($3, $1);

-- name: holder_of_card
-- Finds whom a card is registered to.
-- $1 card key
select person_id from card where card_key = $1;

-- name: terminal_standings
-- Finds terminals' institutions and whether either has left, each by its position.
-- $1 terminal ids
select asked.position, t.institution_code, t.revoked_at, i.closed_on
from unnest($1::uuid[]) with ordinality as asked (terminal_id, position)
join terminal t using (terminal_id)
join institution i using (institution_code);
