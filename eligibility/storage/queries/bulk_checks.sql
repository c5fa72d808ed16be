-- name: lock_open_bulks
-- Lets one at a time count an institution's open bulk checks.
-- $1 institution
select pg_advisory_xact_lock(hashtextextended('open_bulks:' || $1, 0));

-- name: accept_bulk
-- Takes a bulk check in; no row means that the institution has as many open ones as it may.
-- $1 id, $2 institution, $3 terminal, $4 time, $5 day asked for, $6 items, $7 how many may be open
insert into bulk_check (bulk_id, institution_code, terminal_id, accepted_at, asked_for, items)
select $1, $2, $3, $4, $5, $6
where (select count(*) from bulk_check b where b.institution_code = $2 and b.state <> 'done') < $7
returning bulk_id;

-- name: insert_bulk_items
-- Adds some items of a bulk check, the malformed ones with their problem alone.
-- $1 id, $2 how many come before, $3 item ids, $4 insurers, $5 symbol keys, $6 number keys, $7 branch numbers,
-- $8 birth dates, $9 codes of problems, $10 their fields
insert into bulk_item (bulk_id, item_id, insurer_number, symbol_key, number_key, branch_number, birth_date,
                       problem_code, problem_field, item_number)
select $1, i.item_id, i.insurer_number, i.symbol_key, i.number_key, i.branch_number, i.birth_date, i.problem_code,
       i.problem_field, $2::integer + i.item_number
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[], $9::text[], $10::text[])
     with ordinality as i (item_id, insurer_number, symbol_key, number_key, branch_number, birth_date, problem_code,
                           problem_field, item_number);

-- name: bulk_check
-- Finds an institution's bulk check.
-- $1 id, $2 institution
select bulk_id, institution_code, terminal_id, accepted_at, asked_for, state, items, done, misses, changed,
       finished_at, cleared_at, failed_tries
from bulk_check
where bulk_id = $1 and institution_code = $2;

-- name: bulk_results
-- Lists some results, changed ones first, each part in the order asked. One that shows a coverage brings its identifier
-- where anybody who has ever had the coverage has a suspended one now: whether it must not be shown, is to be judged then.
-- $1 id, $2 how many come before, $3 how many
select page.result,
       case when exists (
           select from coverage shown
           join coverage held on held.insurer_number = shown.insurer_number and held.number_key = shown.number_key
               and held.symbol_key = shown.symbol_key and held.coverage_id = shown.coverage_id
           join coverage present on present.person_id = held.person_id and present.known_to = 'infinity'
               and present.viewing_suspended
           where shown.person_id = page.person_id and shown.coverage_id = page.coverage_id
           offset 0
       ) then page.coverage_id end as doubtful_coverage_id
from (
    -- Which they are is found without their texts, which are long.
    select item_number from bulk_result where bulk_id = $1 order by changed desc, item_number offset $2 limit $3
) chosen
cross join lateral (
    select result, person_id, coverage_id, changed, item_number
    from bulk_result where bulk_id = $1 and item_number = chosen.item_number
    offset 0
) page
order by page.changed desc, page.item_number;

-- name: claim_bulk
-- Locks the bulk check that is next of those nobody works on, until the transaction ends: the oldest of those whose next
-- items have failed least.
select bulk_id, institution_code, terminal_id, accepted_at, asked_for, state, items, done, misses, changed,
       finished_at, cleared_at, failed_tries
from bulk_check
where state <> 'done'
order by failed_tries, accepted_at
for update skip locked
limit 1;

-- name: lock_bulk_misses
-- Lets one worker at a time count an institution's misses.
-- $1 institution
select pg_advisory_xact_lock(hashtextextended('bulk_misses:' || $1, 0));

-- name: bulk_misses
-- Counts an institution's misses that were told since a time, and all of bulk checks that are not done: when each of those
-- was found is kept nowhere.
-- $1 institution, $2 since
select coalesce(sum(misses), 0)::bigint from bulk_check
where institution_code = $1 and (state <> 'done' or finished_at > $2);

-- name: bulk_items
-- Lists some items of a bulk check, in the order asked.
-- $1 id, $2 the first's number, $3 the last's
select item_number, item_id, problem_code, problem_field
from bulk_item
where bulk_id = $1 and item_number between $2 and $3
order by item_number;

-- name: coverages_of_bulk_items
-- Finds, for some items at once, the persons who carry each number and birth date, all their coverages as known at a
-- time, and what the institution was last told of them. A row without a person stands for a crowded number, as
-- `coverages_of_numbers` tells it. OFFSET 0 keeps each step a look-up by index, however large the register and however
-- new the items are to the planner.
-- $1 id, $2 the first item's number, $3 the last's, $4 known at, $5 institution, $6 told before, $7 how many entries may
-- be read for want of a symbol
select i.item_number, p.person_id, c.coverage_id, c.insurer_number, insurer.name as insurer_name,
       null::timestamptz as data_as_of, c.symbol, c.number, c.branch_number, c.name, c.name_kana, c.birth_date, c.sex,
       c.postal_code, c.address, c.relation, c.card_class, c.acquired_on, c.lost_on, c.loss_reason,
       c.copayment_percent, c.issued_on, c.valid_from, c.valid_through, c.preschool, c.viewing_suspended, c.known_from,
       c.asked, null::jsonb as limits, null::jsonb as diseases,
       elderly.certificates as elderly, elderly.restated_at, r.reference_number,
       last.occurred_at as last_checked_at, last.outcome as last_outcome, last.coverage_id as last_coverage_id
from bulk_item i
cross join lateral (
    select case when i.symbol_key <> '' then i.symbol_key else (
        select case when count(*) <= $7 then coalesce(max(entry.symbol_key), '') end
        from (select symbol_key from coverage
              where insurer_number = i.insurer_number and number_key = i.number_key
              order by symbol_key limit $7 + 1) entry
    ) end as last_symbol_key
    offset 0
) q
left join lateral (
    select distinct person_id
    from coverage
    where insurer_number = i.insurer_number and number_key = i.number_key
      and symbol_key between i.symbol_key and q.last_symbol_key
      and (i.branch_number = '' or branch_number = i.branch_number)
      and birth_date = i.birth_date and known_from <= $4 and $4 < known_to
    offset 0
) p on true
left join lateral (
    select person_id, coverage_id, insurer_number, symbol, number, branch_number, name, name_kana, birth_date, sex,
           postal_code, address, relation, card_class, acquired_on, lost_on, loss_reason, copayment_percent, issued_on,
           valid_from, valid_through, preschool, viewing_suspended, known_from,
           insurer_number = i.insurer_number and number_key = i.number_key
           and (i.symbol_key = '' or symbol_key = i.symbol_key)
           and (i.branch_number = '' or branch_number = i.branch_number) and birth_date = i.birth_date as asked
    from coverage
    where person_id = p.person_id and known_from <= $4 and $4 < known_to
    offset 0
) c on true
left join insurer on insurer.insurer_number = c.insurer_number
left join lateral (
    select jsonb_agg(jsonb_build_array(e.copayment_percent, e.valid_from, e.valid_through))
               filter (where e.known_from <= $4 and $4 < e.known_to) as certificates,
           max(greatest(e.known_from, case when e.known_to <= $4 then e.known_to end))
               filter (where e.known_from <= $4) as restated_at
    from elderly_certificate e
    where e.person_id = c.person_id and e.coverage_id = c.coverage_id
) elderly on true
left join reference_number r on r.person_id = p.person_id and r.institution_code = $5
left join lateral (
    select v.occurred_at, v.outcome, v.coverage_id
    from verification v
    where v.person_id = p.person_id and v.institution_code = $5 and v.occurred_at < $6
    order by v.occurred_at desc
    limit 1
) last on true
where i.bulk_id = $1 and i.item_number between $2 and $3 and i.problem_code is null
  and (q.last_symbol_key is null or p.person_id is not null)
order by i.item_number;

-- name: record_bulk_verifications
-- Adds the verifications of some items and an audit event for each.
-- $1 time, $2 institution, $3 terminal, $4 method, $5 day asked for, $6 known at, $7 verification ids, $8 outcomes,
-- $9 persons, $10 coverages, $11 event ids, $12 event kind, $13 actor kind, $14 detail
with checked as (
    select *
    from unnest($7::uuid[], $8::text[], $9::bigint[], $10::bigint[], $11::uuid[])
         as c (verification_id, outcome, person_id, coverage_id, event_id)
), verified as (
    insert into verification (verification_id, occurred_at, institution_code, terminal_id, method, asked_for, known_at,
                              outcome, person_id, coverage_id)
    select verification_id, $1, $2, $3, $4, $5, $6, outcome, person_id, coverage_id from checked
)
insert into audit_event (event_id, occurred_at, kind, code, actor_kind, actor, institution_code, person_id,
                         verification_id, detail)
select event_id, $1, $12, outcome, $13, $3::uuid::text, $2, person_id, verification_id, $14::jsonb from checked;

-- name: insert_bulk_results
-- Adds some results.
-- $1 id, $2 item numbers, $3 whether each has changed, $4 results, $5 persons, $6 coverages
insert into bulk_result (bulk_id, item_number, changed, result, person_id, coverage_id)
select $1, r.item_number, r.changed, r.result, r.person_id, r.coverage_id
from unnest($2::integer[], $3::boolean[], $4::text[], $5::bigint[], $6::bigint[])
     as r (item_number, changed, result, person_id, coverage_id);

-- name: advance_bulk
-- Counts what is done; the last items end the bulk check.
-- $1 id, $2 items more, $3 misses more, $4 changed more, $5 time
update bulk_check
set done = done + $2, misses = misses + $3, changed = changed + $4,
    state = case when done + $2 = items then 'done' else 'working' end,
    finished_at = case when done + $2 = items then $5::timestamptz end, failed_tries = 0
where bulk_id = $1;

-- name: count_failed_try
-- Counts that the next items of a bulk check could not be done.
-- $1 id
update bulk_check set failed_tries = failed_tries + 1 where bulk_id = $1;

-- name: delete_bulk_items
-- Removes the questions of a bulk check; its results are there.
-- $1 id
delete from bulk_item where bulk_id = $1;

-- name: clear_bulk_results
-- Clears the results of bulk checks that ended before a time.
-- $1 ended before, $2 now
with ended as (
    update bulk_check set cleared_at = $2
    where state = 'done' and cleared_at is null and finished_at < $1
    returning bulk_id
), cleared as (
    delete from bulk_result using ended where bulk_result.bulk_id = ended.bulk_id
)
select count(*) from ended;

-- name: forget_bulk_checks
-- Removes bulk checks whose results were cleared before a time.
-- $1 cleared before
with gone as (delete from bulk_check where cleared_at < $1 returning 1) select count(*) from gone;
