-- name: begin_checkup_staging
-- Make this session's own staging table of check-ups.
create temp table staged_checkup (like public.staged_checkup) on commit drop;

-- name: begin_checkup_plan
-- The same for the plan of their merge.
create temp table checkup_plan (like public.checkup_plan) on commit drop;

-- name: analyze_checkup_staging
-- Let the planner know what was staged.
analyze staged_checkup;

-- name: analyze_checkup_plan
-- Let the planner know what is planned.
analyze checkup_plan;

-- name: give_checkup_memory
-- Let the merge's joins and groupings stay in memory.
set local work_mem = '256MB';

-- name: plan_checkups
-- One row for each stated check-up. A staged row without an item says that a record of it was or may have been refused.
insert into checkup_plan (plan_number, linkage_code, symbol_key, number_key, branch_number, performed_on,
    institution_code, birth_date, sex, records, trouble)
select row_number() over (), linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code,
    min(birth_date), min(sex), count(distinct record_number) filter (where item_code is not null),
    case
        when bool_or(item_code is null) then 'checkup_incomplete'
        when min(birth_date) <> max(birth_date) or min(sex) <> max(sex) then 'checkup_contradicts'
    end
from staged_checkup
group by linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code
having count(*) filter (where item_code is not null) > 0;

-- name: find_holders
-- Find whose each check-up is: by the linkage code if it is stated, else by the number, among those whom this insurer
-- covered on its day as known now. Birth date and sex, and the number beside a linkage code, must agree with what is
-- known; a branch number that either side does not have is no disagreement.
-- $1 insurer number
with by_number as (
    select m.plan_number, c.person_id,
        c.birth_date = m.birth_date and (c.sex = m.sex or '3' in (c.sex, m.sex)) as agrees
    from checkup_plan m
    join coverage c on c.insurer_number = $1 and c.number_key = m.number_key and c.symbol_key = m.symbol_key
        and (m.branch_number in ('', c.branch_number) or c.branch_number = '')
    where m.trouble is null and m.linkage_code = '' and c.known_to = 'infinity'
        and c.acquired_on <= m.performed_on and (c.lost_on is null or m.performed_on < c.lost_on)
), by_linkage as (
    select m.plan_number, c.person_id,
        c.birth_date = m.birth_date and (c.sex = m.sex or '3' in (c.sex, m.sex))
            and (m.number_key = '' or (c.number_key = m.number_key and c.symbol_key = m.symbol_key
                and (m.branch_number in ('', c.branch_number) or c.branch_number = ''))) as agrees
    from checkup_plan m
    join person p on p.linkage_code = m.linkage_code
    join coverage c on c.person_id = p.person_id and c.insurer_number = $1 and c.known_to = 'infinity'
    where m.trouble is null and m.linkage_code <> ''
        and c.acquired_on <= m.performed_on and (c.lost_on is null or m.performed_on < c.lost_on)
), holders as (
    select plan_number, count(distinct person_id) filter (where agrees) as agreeing,
        min(person_id) filter (where agrees) as person_id
    from (table by_number union all table by_linkage) as candidates
    group by plan_number
)
update checkup_plan m
set person_id = case h.agreeing when 1 then h.person_id end,
    trouble = case
        when h.plan_number is null then 'person_not_found'
        when h.agreeing = 0 then 'person_disagrees'
        when h.agreeing > 1 then 'person_ambiguous'
    end
from checkup_plan s
left join holders h using (plan_number)
where m.plan_number = s.plan_number and m.trouble is null;

-- name: find_incomplete
-- Mark check-ups of which a refused record names the holder otherwise: by the linkage code and they by the number, or the
-- other way round.
-- $1 insurer number
with refused as (
    select distinct linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code
    from staged_checkup
    where item_code is null
), holders as (
    select p.person_id, r.performed_on, r.institution_code
    from refused r
    join person p on p.linkage_code = r.linkage_code
    where r.linkage_code <> ''
    union
    select c.person_id, r.performed_on, r.institution_code
    from refused r
    join coverage c on c.insurer_number = $1 and c.number_key = r.number_key and c.symbol_key = r.symbol_key
        and (r.branch_number in ('', c.branch_number) or c.branch_number = '')
    where r.linkage_code = '' and c.known_to = 'infinity'
        and c.acquired_on <= r.performed_on and (c.lost_on is null or r.performed_on < c.lost_on)
)
update checkup_plan m set trouble = 'checkup_incomplete'
from holders h
where m.trouble is null and m.person_id = h.person_id and m.performed_on = h.performed_on
    and m.institution_code = h.institution_code;

-- name: find_contradictions
-- Mark check-ups with different results of one item, and those stated under two ways of naming their holder.
with several as (
    select m.plan_number
    from checkup_plan m
    join staged_checkup s using (linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code)
    where m.trouble is null
    group by m.plan_number, s.item_code
    having count(distinct (s.result_kind, s.value, s.value_name, s.unit, s.low, s.high, s.stated_flag)) > 1
    union
    select unnest(array_agg(plan_number))
    from checkup_plan
    where trouble is null
    group by person_id, performed_on, institution_code
    having count(*) > 1
)
update checkup_plan m set trouble = 'checkup_contradicts' from several s where m.plan_number = s.plan_number;

-- name: tell_checkup_troubles
-- A fault for each record of a check-up that cannot be merged.
-- $1 submission, $2 number of the last fault so far, $3 codes, $4 their fields, $5 what was expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by r.record_number), r.record_number, t.field, t.code,
    'record_refused', null, t.expected
from unnest($3::text[], $4::text[], $5::text[]) as t (code, field, expected)
join (
    select distinct m.trouble, s.record_number
    from checkup_plan m
    join staged_checkup s using (linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code)
    where m.trouble is not null and s.item_code is not null
) as r on r.trouble = t.code;

-- name: take_out_troubles
-- Take the check-ups that cannot be merged out of the plan; how many records that are.
with taken_out as (
    delete from checkup_plan where trouble is not null returning records
)
select coalesce(sum(records), 0)::bigint as records from taken_out;

-- name: find_known_checkups
-- Find which check-ups are known: by the same insurer, of the same person, day and institution.
-- $1 insurer number
update checkup_plan m
set checkup_id = coalesce(k.checkup_id, nextval('checkup_id_seq')),
    change = case when k.checkup_id is null then 'new' else 'unchanged' end
from checkup_plan p
left join checkup k on k.person_id = p.person_id and k.performed_on = p.performed_on
    and k.institution_code = p.institution_code and k.insurer_number = $1 and k.known_to = 'infinity'
where m.plan_number = p.plan_number;

-- name: mark_changed_checkups
-- Find the known check-ups whose results are stated differently now.
with stated as (
    select distinct m.plan_number, s.item_code, s.result_kind, s.value, s.value_name, s.unit, s.low, s.high,
        s.stated_flag
    from checkup_plan m
    join staged_checkup s using (linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code)
    where m.change = 'unchanged'
), known as (
    select m.plan_number, r.item_code, r.result_kind, r.value, r.value_name, r.unit, r.low, r.high, r.stated_flag
    from checkup_plan m
    join checkup_result r on r.person_id = m.person_id and r.checkup_id = m.checkup_id and r.known_to = 'infinity'
    where m.change = 'unchanged'
), differing as (
    select plan_number from (table stated except table known) as a
    union select plan_number from (table known except table stated) as b
)
update checkup_plan m set change = 'corrected' from differing d where m.plan_number = d.plan_number;

-- name: count_emptied_results
-- Of the results that are known of check-ups which are stated again: how many there are, how many are stated again, and
-- of how many of these a field is empty that is known to be filled.
with known as (
    select m.linkage_code, m.symbol_key, m.number_key, m.branch_number, m.performed_on, m.institution_code, r.item_code,
        r.value_name, r.unit, r.low, r.high, r.stated_flag
    from checkup_plan m
    join checkup_result r on r.person_id = m.person_id and r.checkup_id = m.checkup_id and r.known_to = 'infinity'
    where m.change <> 'new'
), stated as (
    select distinct linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code, item_code,
        value_name, unit, low, high, stated_flag
    from staged_checkup
    where item_code is not null
)
select count(*) as known, count(s.item_code) as stated,
    count(*) filter (where s.value_name = '' and k.value_name <> '') as value_name,
    count(*) filter (where s.unit = '' and k.unit <> '') as unit,
    count(*) filter (where s.item_code is not null and s.low is null and k.low is not null) as low,
    count(*) filter (where s.item_code is not null and s.high is null and k.high is not null) as high,
    count(*) filter (where s.item_code is not null and s.stated_flag is null and k.stated_flag is not null)
        as stated_flag
from known k
left join stated s
    using (linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code, item_code);

-- name: checkup_merge_time
-- The one moment this merge becomes known: after whatever it corrects, whatever the clock does.
select greatest(clock_timestamp(), max(k.known_from) + interval '1 microsecond') as known_from
from checkup_plan m
left join checkup k on k.person_id = m.person_id and k.checkup_id = m.checkup_id and k.known_to = 'infinity';

-- name: close_checkups
-- End the known time of check-ups that are stated differently now.
-- $1 merge time
update checkup k set known_to = $1
from checkup_plan m
where m.change = 'corrected' and k.person_id = m.person_id and k.checkup_id = m.checkup_id
    and k.known_to = 'infinity';

-- name: close_checkup_results
-- End the known time of their results that are no longer stated in this form.
-- $1 merge time
update checkup_result r set known_to = $1
from checkup_plan m
where m.change = 'corrected' and r.person_id = m.person_id and r.checkup_id = m.checkup_id
    and r.known_to = 'infinity'
    and not exists (
        select from staged_checkup s
        where s.linkage_code = m.linkage_code and s.symbol_key = m.symbol_key and s.number_key = m.number_key
            and s.branch_number = m.branch_number and s.performed_on = m.performed_on
            and s.institution_code = m.institution_code and s.item_code = r.item_code
            and s.result_kind = r.result_kind and s.value = r.value and s.value_name = r.value_name
            and s.unit = r.unit and s.low is not distinct from r.low and s.high is not distinct from r.high
            and s.stated_flag is not distinct from r.stated_flag
    );

-- name: add_checkups
-- Add new and corrected check-ups; a corrected one keeps its identifier.
-- $1 merge time, $2 submission, $3 insurer number
insert into checkup (person_id, checkup_id, known_from, submission_id, insurer_number, performed_on, institution_code)
select person_id, checkup_id, $1, $2, $3, performed_on, institution_code
from checkup_plan
where change in ('new', 'corrected');

-- name: add_checkup_results
-- Add the stated results that are not known in this form. A quantity's flag follows from the range that came with it.
-- $1 merge time
insert into checkup_result (person_id, checkup_id, item_code, known_from, result_kind, value, value_name, unit, low,
    high, stated_flag, flag)
select distinct m.person_id, m.checkup_id, s.item_code, $1::timestamptz, s.result_kind, s.value, s.value_name, s.unit,
    s.low, s.high, s.stated_flag,
    case
        when s.result_kind <> 'PQ' or (s.low is null and s.high is null) then s.stated_flag
        when s.value::numeric < s.low then 'L'
        when s.value::numeric > s.high then 'H'
        else 'N'
    end
from checkup_plan m
join staged_checkup s using (linkage_code, symbol_key, number_key, branch_number, performed_on, institution_code)
where m.change in ('new', 'corrected')
    and not exists (
        select from checkup_result r
        where r.person_id = m.person_id and r.checkup_id = m.checkup_id and r.item_code = s.item_code
            and r.known_to = 'infinity'
    );

-- name: changed_checkup_records
-- How many records changed something.
select coalesce(sum(records) filter (where change <> 'unchanged'), 0)::bigint as merged from checkup_plan;

-- name: find_following_checkups
-- The check-ups that were found by coverages which have left their person, and whose they are now: nobody's where the
-- coverage is cancelled, unless the person has another of its number and birth date for their day. A loss may have taken
-- that day away since, so that every version of the coverage counts, whoever had it; but what was found by a coverage
-- that the person still has, stays. OFFSET 0, here and below, keeps what has just ended from being looked for by its time,
-- through all there is.
-- $1 persons before, $2 coverages, $3 persons now or null, $4 time at which the coverages left
select distinct on (k.person_id, k.checkup_id) k.person_id, k.checkup_id, m.other
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as m (person_id, coverage_id, other)
cross join lateral (
    select insurer_number, symbol_key, number_key, branch_number, acquired_on, coverage_id, birth_date
    from coverage
    where person_id = m.person_id and coverage_id = m.coverage_id and known_to = $4
    offset 0
) c
left join coverage n on n.person_id = m.other and n.coverage_id = m.coverage_id and n.known_from = $4
join coverage v on v.insurer_number = c.insurer_number and v.number_key = c.number_key and v.symbol_key = c.symbol_key
    and v.branch_number = c.branch_number and v.acquired_on = c.acquired_on and v.coverage_id = c.coverage_id
    and (m.other is null or v.birth_date = n.birth_date)
join checkup k on k.person_id = m.person_id and k.insurer_number = c.insurer_number and k.known_to = 'infinity'
    and v.acquired_on <= k.performed_on and k.performed_on < coalesce(v.lost_on, 'infinity')
where not exists (
        select from coverage o
        join coverage still on still.person_id = o.person_id and still.coverage_id = o.coverage_id
            and still.known_to = 'infinity'
        where o.person_id = k.person_id and o.insurer_number = k.insurer_number
            and o.known_from <= k.known_from and k.known_from < o.known_to
            and o.acquired_on <= k.performed_on and k.performed_on < coalesce(o.lost_on, 'infinity')
    )
    and (m.other is not null or not exists (
        select from coverage s
        where s.person_id = m.person_id and s.insurer_number = c.insurer_number and s.known_to = 'infinity'
            and s.number_key = c.number_key and s.symbol_key = c.symbol_key
            and (s.branch_number = '' or c.branch_number in ('', s.branch_number)) and s.birth_date = c.birth_date
            and s.acquired_on <= k.performed_on and k.performed_on < coalesce(s.lost_on, 'infinity')
    ))
order by k.person_id, k.checkup_id, v.known_from <= k.known_from and k.known_from < v.known_to desc;

-- name: close_following_checkups
-- End the known time of these check-ups, and of their results.
-- $1 persons before, $2 check-ups, $3 time
with closed as (
    update checkup k set known_to = $3
    from unnest($1::bigint[], $2::bigint[]) as m (person_id, checkup_id)
    where k.person_id = m.person_id and k.checkup_id = m.checkup_id and k.known_to = 'infinity'
)
update checkup_result r set known_to = $3
from unnest($1::bigint[], $2::bigint[]) as m (person_id, checkup_id)
where r.person_id = m.person_id and r.checkup_id = m.checkup_id and r.known_to = 'infinity';

-- name: add_following_checkups
-- Put the check-ups just closed, all of them, to whose they are now; whoever has the same one already keeps that.
-- $1 persons before, $2 check-ups, $3 persons now or null, $4 time
with moved as (
    select person_id, checkup_id, other
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as m (person_id, checkup_id, other)
    where other is not null
), added as (
    insert into checkup (person_id, checkup_id, known_from, submission_id, insurer_number, performed_on,
        institution_code)
    select m.other, m.checkup_id, $4::timestamptz, k.submission_id, k.insurer_number, k.performed_on,
        k.institution_code
    from moved m
    cross join lateral (
        select submission_id, insurer_number, performed_on, institution_code
        from checkup
        where person_id = m.person_id and checkup_id = m.checkup_id and known_to = $4
        offset 0
    ) k
    on conflict (person_id, performed_on, institution_code, insurer_number, known_to) do nothing
    returning person_id, checkup_id
)
insert into checkup_result (person_id, checkup_id, item_code, known_from, result_kind, value, value_name, unit, low,
    high, stated_flag, flag)
select a.person_id, a.checkup_id, r.item_code, $4::timestamptz, r.result_kind, r.value, r.value_name, r.unit, r.low,
    r.high, r.stated_flag, r.flag
from added a
join moved m on m.other = a.person_id and m.checkup_id = a.checkup_id
cross join lateral (
    select item_code, result_kind, value, value_name, unit, low, high, stated_flag, flag
    from checkup_result
    where person_id = m.person_id and checkup_id = m.checkup_id and known_to = $4
    offset 0
) r;
