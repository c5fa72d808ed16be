-- name: lock_insurer
-- Wait for the turn of this insurer's files; the lock ends with the transaction.
-- $1 insurer number
select pg_advisory_xact_lock($1::text::bigint);

-- name: write_back_early
-- Let the system write what this session has put out of memory little by little, while others wait for the same disk.
set backend_flush_after = '512kB';

-- name: begin_staging
-- Make this session's own staging tables under the names that the merge's statements use.
create temp table staged_eligibility (like public.staged_eligibility) on commit drop;

-- name: begin_plan
-- The same for the merge's plan.
create temp table merge_plan (like public.merge_plan) on commit drop;

-- name: begin_repeats
-- The same for the records that may repeat others.
create temp table repeated_record (like public.repeated_record) on commit drop;

-- name: begin_followers
-- The same for those that do.
create temp table following_record (like public.following_record) on commit drop;

-- name: begin_naming
-- Prepare the naming session: codes are looked up in their index, however few persons there were at the first look.
set enable_seqscan = off;

-- name: take_identifiers
-- Take a block of identifiers, for a portion's persons and for their coverages; return the first.
select nextval('identifier_block_seq');

-- name: codes_known
-- Which of these linkage codes name somebody.
-- $1 codes, a space between them
select linkage_code from person where linkage_code = any(string_to_array($1, ' '));

-- name: waiting_repeat_merged
-- Whether a record that had to wait states a coverage which one that stood alone for its person has stated.
-- $1 insurer number
select exists (
    select from staged_eligibility s
    join coverage c on c.insurer_number = $1 and c.number_key = s.number_key and c.symbol_key = s.symbol_key
        and c.branch_number = s.branch_number and c.acquired_on = s.acquired_on and c.known_to = 'infinity'
) as found;

-- name: records_may_repeat
-- Whether any record may repeat another.
select exists (select from repeated_record) as found;

-- name: all_may_repeat
-- Let every staged record be compared with the others.
insert into repeated_record (record_number) select record_number from staged_eligibility;

-- name: begin_planning_merge
-- Let the merge's joins stay in memory, and a delta's find their few rows by an index: the register is cached or on flash.
-- What is looked up differs from record to record, so that keeping what was found pays for nothing; and of columns that
-- differ so much a small sample tells as much as a large one.
select set_config('work_mem', '256MB', true), set_config('random_page_cost', '1.1', true),
    set_config('enable_memoize', 'off', true), set_config('default_statistics_target', '10', true);

-- name: analyze_staging
-- Let the planner know what was staged, as far as statements look for it.
analyze staged_eligibility (record_number, record_kind, linkage_code, symbol_key, number_key, branch_number,
    acquired_on, limit_class, disease, elderly_percent);

-- name: index_staging
-- Let a record be found by its number: where the planner expects one row and meets many, it would read all each time.
create unique index on staged_eligibility (record_number);

-- name: analyze_plan
-- Let the planner know what is planned.
analyze merge_plan;

-- name: merge_time
-- The one moment this merge's facts become known: after every earlier merge of this insurer, whatever the clock does.
-- $1 insurer number
select greatest(clock_timestamp(), data_as_of + interval '1 microsecond') as known_from
from insurer where insurer_number = $1;

-- name: find_followers
-- Of the records that may repeat others, those that state a coverage again, with the first record that states it.
insert into following_record (record_number, lead_record)
select record_number, lead_record
from (
    select s.record_number, min(s.record_number) over (
        partition by s.symbol_key, s.number_key, s.branch_number, s.acquired_on) as lead_record
    from repeated_record r
    join staged_eligibility s using (record_number)
) stated
where record_number <> lead_record;

-- name: plan_merge
-- One row for each stated coverage: which known coverage it is, whose it is, and what changes. Whoever is new gets an
-- identifier here, but for those whom several records may mean: they are named when they are added. A code is looked
-- for at the person first whose the coverage is known to be: it lies beside the one before.
-- $1 insurer number
insert into merge_plan (symbol_key, number_key, branch_number, acquired_on, record_number, records, record_kind,
    coverage_id, known_person_id, known_row, person_id, new_person, change, emptied, settled)
select s.symbol_key, s.number_key, s.branch_number, s.acquired_on, s.record_number,
    1 + coalesce(f.records, 0), s.record_kind,
    case when c.coverage_id is null and s.record_kind = '1' then nextval('coverage_id_seq') else c.coverage_id end,
    c.person_id, c.ctid,
    case when p.person_id is null and s.record_kind = '1' and r.record_number is null
        then nextval('person_person_id_seq') else p.person_id end,
    p.person_id is null,
    case
        when c.coverage_id is null then case s.record_kind when '1' then 'new' else 'nothing_known' end
        when s.record_kind in ('2', '3') and row(c.person_id, c.birth_date) is distinct from
            row(p.person_id, s.birth_date) then 'another_person'
        when s.record_kind = '3' then 'cancelled'
        when s.record_kind = '2' then
            case when row(c.lost_on, c.loss_reason) is distinct from row(s.lost_on, s.loss_reason) then 'lost'
            else 'unchanged' end
        when row(c.person_id, c.symbol, c.number, c.name, c.name_kana, c.name_key, c.birth_date, c.sex,
                c.postal_code, c.address, c.relation, c.card_class, c.lost_on, c.loss_reason, c.copayment_percent,
                c.issued_on, c.valid_from, c.valid_through, c.preschool, c.viewing_suspended, c.further)
            is distinct from
            row(p.person_id, s.symbol, s.number, s.name, s.name_kana, s.name_key, s.birth_date, s.sex,
                s.postal_code, s.address, s.relation, s.card_class, s.lost_on, s.loss_reason, s.copayment_percent,
                s.issued_on, s.valid_from, s.valid_through, s.preschool, s.viewing_suspended, s.further) then 'corrected'
        else 'unchanged'
    end,
    nullif(
        array_remove(
            array[
                case when c.postal_code <> '' and s.postal_code = '' then 'postal_code' end,
                case when c.address <> '' and s.address = '' then 'address' end,
                case when c.lost_on is not null and s.lost_on is null then 'lost_on' end,
                case when c.copayment_percent is not null and s.copayment_percent is null then 'copayment_percent' end,
                case when c.issued_on is not null and s.issued_on is null then 'issued_on' end,
                case when c.valid_from is not null and s.valid_from is null then 'valid_from' end,
                case when c.valid_through is not null and s.valid_through is null then 'valid_through' end,
                case when c.preschool and not s.preschool then 'preschool' end,
                case when c.viewing_suspended and not s.viewing_suspended then 'viewing_suspended' end
            ], null
        ) || case when c.further is not null then array(
            select known.field from jsonb_object_keys(c.further) as known (field)
            where not coalesce(s.further ? known.field, false)
        ) end, '{}'
    ),
    case s.record_kind
        when '2' then s.lost_on <= coalesce(c.lost_on, 'infinity')
        else row(c.person_id, c.name_key, c.name_kana, c.birth_date, c.sex, c.lost_on) is not distinct from
            row(p.person_id, s.name_key, s.name_kana, s.birth_date, s.sex, s.lost_on)
    end
from staged_eligibility s
left join repeated_record r using (record_number)
left join following_record following on following.record_number = s.record_number
left join (
    select lead_record, count(*) as records from following_record group by lead_record
) f on f.lead_record = s.record_number
left join coverage c on c.insurer_number = $1 and c.number_key = s.number_key and c.symbol_key = s.symbol_key
    and c.branch_number = s.branch_number and c.acquired_on = s.acquired_on and c.known_to = 'infinity'
left join person same on same.person_id = c.person_id and same.linkage_code = s.linkage_code
left join person other on other.linkage_code = case when same.person_id is null then s.linkage_code end
cross join lateral (select coalesce(same.person_id, other.person_id)) as p (person_id)
where following.record_number is null;

-- name: repeated_coverages
-- Whether any coverage is stated by several records.
select exists (select from merge_plan where records > 1) as found;

-- name: refuse_contradictions
-- Take coverages whose records contradict each other out of the plan, with a fault for each of their records.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 what was expected, with %s for a record
with repeated as materialized (
    select m.record_number as lead, s.record_number, s.record_kind, s.linkage_code, s.symbol, s.number, s.name,
        s.name_kana, s.birth_date, s.sex, s.postal_code, s.address, s.relation, s.card_class, s.lost_on, s.loss_reason,
        s.copayment_percent, s.issued_on, s.valid_from, s.valid_through, s.preschool, s.viewing_suspended, s.further,
        s.limit_class, s.limit_category, s.limit_from, s.limit_through, s.long_term_on,
        s.disease, s.monthly_cap_yen, s.disease_from, s.disease_through,
        s.elderly_percent, s.elderly_from, s.elderly_through
    from merge_plan m
    join staged_eligibility s using (symbol_key, number_key, branch_number, acquired_on)
    where m.records > 1
), contradicting as (
    select r.lead
    from repeated r
    join repeated f on f.record_number = r.lead
    where row(r.record_kind, r.linkage_code, r.symbol, r.number, r.name, r.name_kana, r.birth_date, r.sex,
            r.postal_code, r.address, r.relation, r.card_class, r.lost_on, r.loss_reason, r.copayment_percent,
            r.issued_on, r.valid_from, r.valid_through, r.preschool, r.viewing_suspended, r.further)
        is distinct from
        row(f.record_kind, f.linkage_code, f.symbol, f.number, f.name, f.name_kana, f.birth_date, f.sex,
            f.postal_code, f.address, f.relation, f.card_class, f.lost_on, f.loss_reason, f.copayment_percent,
            f.issued_on, f.valid_from, f.valid_through, f.preschool, f.viewing_suspended, f.further)
    union
    select lead from repeated where limit_class is not null group by lead, limit_class, limit_from
    having count(distinct row(limit_category, limit_through, long_term_on)) > 1
    union
    select lead from repeated where disease is not null group by lead, disease, disease_from
    having count(distinct row(monthly_cap_yen, disease_through)) > 1
    union
    select lead from repeated where elderly_percent is not null group by lead, elderly_from
    having count(distinct row(elderly_percent, elderly_through)) > 1
), taken_out as (
    delete from merge_plan m using contradicting c where m.record_number = c.lead returning m.record_number
), told as (
    select r.record_number, r.lead, lead(r.record_number) over (partition by r.lead order by r.record_number) as next
    from repeated r join taken_out t on t.record_number = r.lead
)
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), record_number, $4, $3, 'record_refused', null,
    format($5, case when record_number = lead then next else lead end)
from told;

-- name: refuse_overlaps
-- Take coverages out of the plan whose days overlap another coverage of the same person at this insurer, as both
-- would stand after the merge; who is new and stated by one record has but one, who is new and stated by several has
-- no identifier yet, but a code. Only a statement of another person or of other days can bring an overlap about. A
-- refusal brings back what stood before, so this is repeated until none is found. Of a person's coverages in the order
-- of their beginning, each is compared with the one before that lasts longest and with the next: if any overlaps it,
-- one of these does. A record is named before what is known.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, with %s for a record,
-- $6 expected where the other coverage is known already, $7 insurer number
with touched as (
    select m.person_id from merge_plan m
    where m.change in ('new', 'corrected') and not m.new_person and not m.settled
    union
    select m.known_person_id from merge_plan m where m.change = 'lost' and not m.settled
), after_merge as materialized (
    select coalesce(m.person_id, 0) as person_id, case when m.person_id is null then s.linkage_code else '' end as code,
        m.coverage_id, m.record_number, s.acquired_on, s.lost_on
    from merge_plan m
    join staged_eligibility s using (record_number)
    where m.record_kind = '1' and (m.person_id is null or m.person_id in (select person_id from touched))
    union all
    select m.known_person_id, '', m.coverage_id, m.record_number, s.acquired_on, s.lost_on
    from merge_plan m
    join staged_eligibility s using (record_number)
    where m.record_kind = '2' and m.known_person_id is not null
    union all
    select c.person_id, '', c.coverage_id, null, c.acquired_on, c.lost_on
    from touched t
    join coverage c on c.person_id = t.person_id and c.insurer_number = $7 and c.known_to = 'infinity'
    where not exists (select from merge_plan m where m.coverage_id = c.coverage_id)
), several as (
    select person_id, code from after_merge group by person_id, code having count(*) > 1
), stated as (
    select person_id, code, record_number, acquired_on, coalesce(lost_on, 'infinity') as ends,
        max(coalesce(lost_on, 'infinity')) over (in_order rows between unbounded preceding and 1 preceding)
            > acquired_on or lead(acquired_on) over in_order < coalesce(lost_on, 'infinity') as twice,
        max(coalesce(lost_on, 'infinity')) filter (where record_number is not null) over in_order as longest
    from several
    join after_merge using (person_id, code)
    where acquired_on < coalesce(lost_on, 'infinity')
    window in_order as (partition by person_id, code order by acquired_on, record_number, coverage_id)
), held as (
    select person_id, code, record_number, acquired_on, ends, twice, longest, first_value(record_number) over (
        partition by person_id, code, longest order by acquired_on, record_number) as longest_record
    from stated where record_number is not null
), overlapping as (
    select record_number, twice,
        case
            when lag(longest) over in_order > acquired_on then lag(longest_record) over in_order
            when lead(acquired_on) over in_order < ends then lead(record_number) over in_order
        end as other
    from held
    window in_order as (partition by person_id, code order by acquired_on, record_number)
), taken_out as (
    delete from merge_plan m using overlapping o where m.record_number = o.record_number and o.twice
    returning m.symbol_key, m.number_key, m.branch_number, m.acquired_on, o.other
)
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by s.record_number), s.record_number, $4, $3, 'record_refused', null,
    case when t.other is null then $6 else format($5, t.other) end
from taken_out t
join staged_eligibility s using (symbol_key, number_key, branch_number, acquired_on);

-- name: admit_split_off
-- Let losses and cancellations end coverages of persons whom a reversal has split off. These have no code that a file
-- could state; the number and the birth date name the coverage then.
update merge_plan m
set person_id = m.known_person_id,
    change = case
        when m.record_kind = '3' then 'cancelled'
        when row(c.lost_on, c.loss_reason) is distinct from row(s.lost_on, s.loss_reason) then 'lost'
        else 'unchanged'
    end
from staged_eligibility s, person p, coverage c
where m.change = 'another_person' and s.record_number = m.record_number
    and p.person_id = m.known_person_id and p.linkage_code like 'split %'
    and c.person_id = m.known_person_id and c.coverage_id = m.coverage_id and c.known_to = 'infinity'
    and c.birth_date = s.birth_date;

-- name: refuse_other_persons
-- Take losses and cancellations out of the plan whose number is known as somebody else's.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected
with taken_out as (
    delete from merge_plan m where m.change = 'another_person'
    returning m.symbol_key, m.number_key, m.branch_number, m.acquired_on
)
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by s.record_number), s.record_number, $4, $3, 'record_refused', null,
    $5
from taken_out t
join staged_eligibility s using (symbol_key, number_key, branch_number, acquired_on);

-- name: tell_nothing_known
-- Warn of losses and cancellations of coverages that are not known.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by s.record_number), s.record_number, $4, $3, 'warning', null, $5
from merge_plan m
join staged_eligibility s using (symbol_key, number_key, branch_number, acquired_on)
where m.change = 'nothing_known';

-- name: mark_changed_certificates
-- Find coverages that are as known but whose certificates are not.
with same as materialized (
    select symbol_key, number_key, branch_number, acquired_on, coverage_id, known_person_id
    from merge_plan where change = 'unchanged' and record_kind = '1'
), stated as materialized (
    select same.coverage_id, s.limit_class, s.limit_category, s.limit_from, s.limit_through, s.long_term_on,
        s.disease, s.monthly_cap_yen, s.disease_from, s.disease_through,
        s.elderly_percent, s.elderly_from, s.elderly_through
    from same join staged_eligibility s using (symbol_key, number_key, branch_number, acquired_on)
    where s.limit_class is not null or s.disease is not null or s.elderly_percent is not null
), stated_limit as (
    select coverage_id, limit_class, limit_category, limit_from, limit_through, long_term_on
    from stated where limit_class is not null
), known_limit as (
    select k.coverage_id, k.limit_class, k.category, k.valid_from, k.valid_through, k.long_term_on
    from limit_certificate k join same on k.person_id = same.known_person_id and k.coverage_id = same.coverage_id
    where k.known_to = 'infinity'
), stated_disease as (
    select coverage_id, disease, monthly_cap_yen, disease_from, disease_through from stated where disease is not null
), known_disease as (
    select k.coverage_id, k.disease, k.monthly_cap_yen, k.valid_from, k.valid_through
    from specific_disease_certificate k
    join same on k.person_id = same.known_person_id and k.coverage_id = same.coverage_id
    where k.known_to = 'infinity'
), stated_elderly as (
    select coverage_id, elderly_percent, elderly_from, elderly_through from stated where elderly_percent is not null
), known_elderly as (
    select k.coverage_id, k.copayment_percent, k.valid_from, k.valid_through
    from elderly_certificate k join same on k.person_id = same.known_person_id and k.coverage_id = same.coverage_id
    where k.known_to = 'infinity'
), differing as (
    select coverage_id from (table stated_limit except table known_limit) as a
    union select coverage_id from (table known_limit except table stated_limit) as b
    union select coverage_id from (table stated_disease except table known_disease) as c
    union select coverage_id from (table known_disease except table stated_disease) as d
    union select coverage_id from (table stated_elderly except table known_elderly) as e
    union select coverage_id from (table known_elderly except table stated_elderly) as f
)
update merge_plan m set change = 'certificates' from differing d where m.coverage_id = d.coverage_id;

-- name: add_persons
-- Add persons not yet known. In the order of their codes, so that two insurers' merges cannot block each other.
insert into person (person_id, linkage_code) overriding system value
select distinct on (s.linkage_code collate "C") coalesce(m.person_id, nextval('person_person_id_seq')), s.linkage_code
from merge_plan m
join staged_eligibility s using (record_number)
where m.new_person and m.change in ('new', 'corrected')
order by s.linkage_code collate "C"
on conflict (linkage_code) do nothing;

-- name: count_new_persons
-- How many persons are to be added.
select count(*) filter (where m.person_id is not null) + count(distinct s.linkage_code) as persons
from merge_plan m
left join staged_eligibility s on m.person_id is null and s.record_number = m.record_number
where m.new_person and m.change in ('new', 'corrected');

-- name: name_new_persons
-- Put the identifiers of persons just added into the plan where they are not those planned: of persons whom several
-- records mean, and of those whom another insurer's merge has added meanwhile.
-- $1 whether there are such, who are not new then
update merge_plan m set person_id = p.person_id, new_person = m.new_person and not $1
from staged_eligibility s
join person p on p.linkage_code = s.linkage_code
where s.record_number = m.record_number and m.new_person and m.change in ('new', 'corrected')
    and m.person_id is distinct from p.person_id;

-- name: close_coverages
-- End the known time of coverages that are stated differently now. They stand where the plan has found them: whoever
-- writes an insurer's coverages holds its lock.
-- $1 merge time
update coverage c set known_to = $1
from merge_plan m
where m.change in ('corrected', 'lost', 'cancelled') and c.ctid = m.known_row
    and c.person_id = m.known_person_id and c.coverage_id = m.coverage_id and c.known_to = 'infinity';

-- name: add_coverages
-- Add new and corrected coverages; a corrected one keeps its identifier.
-- $1 merge time, $2 submission
insert into coverage (person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, branch_number,
    symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class,
    acquired_on, lost_on, loss_reason, copayment_percent, issued_on, valid_from, valid_through, preschool,
    viewing_suspended, further)
select m.person_id, m.coverage_id, $1, $2, s.insurer_number, s.symbol, s.number, s.branch_number,
    s.symbol_key, s.number_key, s.name, s.name_kana, s.name_key, s.birth_date, s.sex, s.postal_code, s.address,
    s.relation, s.card_class, s.acquired_on, s.lost_on, s.loss_reason, s.copayment_percent, s.issued_on, s.valid_from,
    s.valid_through, s.preschool, s.viewing_suspended, s.further
from merge_plan m
join staged_eligibility s using (record_number)
where m.change in ('new', 'corrected');

-- name: add_holders
-- Let those be found by name and birth date of whom nobody has stated these yet; each is looked for by the index.
insert into stated_holder (holder_hash, person_id)
select distinct holder_hash(s.name_key, s.birth_date), m.person_id
from merge_plan m
join staged_eligibility s using (record_number)
where m.change in ('new', 'corrected') and not m.settled
    and (m.new_person or not exists (
        select from stated_holder h
        where h.holder_hash = holder_hash(s.name_key, s.birth_date) and h.person_id = m.person_id
        offset 0
    ))
order by 1;

-- name: begin_ordering
-- Make this session's own table of holders in the order of their index.
create temp table ordered_holder (like public.ordered_holder);

-- name: order_holders_copied
-- Put a first file's persons whose coverages were copied into that order: nobody has stated anything of them.
-- $1 submission, $2 the first person, $3 the one after the last
insert into ordered_holder (holder_hash, person_id)
select holder_hash(name_key, birth_date), person_id
from coverage
where person_id >= $2 and person_id < $3 and submission_id = $1
order by 1;

-- name: pages_ordered
-- How many pages they take.
select pg_relation_size('ordered_holder') / current_setting('block_size')::int;

-- name: add_holders_ordered
-- Let those of some pages be found.
-- $1 the first page, $2 the one after the last
insert into stated_holder (holder_hash, person_id)
select holder_hash, person_id
from ordered_holder
where ctid >= format('(%s,0)', $1::bigint)::tid and ctid < format('(%s,0)', $2::bigint)::tid;

-- name: end_ordering
drop table ordered_holder;

-- name: write_log
-- Commit something, and so wait until the log of all sessions is on disk up to here.
select pg_logical_emit_message(true, 'eligibility', '');

-- name: add_losses
-- State again, with the loss, the coverages just closed because they were lost.
-- $1 merge time, $2 submission
insert into coverage (person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, branch_number,
    symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class,
    acquired_on, lost_on, loss_reason, copayment_percent, issued_on, valid_from, valid_through, preschool,
    viewing_suspended, further)
select c.person_id, c.coverage_id, $1, $2, c.insurer_number, c.symbol, c.number, c.branch_number,
    c.symbol_key, c.number_key, c.name, c.name_kana, c.name_key, c.birth_date, c.sex, c.postal_code, c.address,
    c.relation, c.card_class, c.acquired_on, s.lost_on, s.loss_reason, c.copayment_percent, c.issued_on, c.valid_from,
    c.valid_through, c.preschool, c.viewing_suspended, c.further
from merge_plan m
join staged_eligibility s using (record_number)
join coverage c on c.person_id = m.known_person_id and c.coverage_id = m.coverage_id and c.known_to = $1
where m.change = 'lost';

-- name: close_limit_certificates
-- End the known time of limit certificates that their coverage no longer states in this form.
-- $1 merge time
update limit_certificate k set known_to = $1
from merge_plan m
where m.change in ('corrected', 'certificates', 'cancelled')
    and k.person_id = m.known_person_id and k.coverage_id = m.coverage_id and k.known_to = 'infinity'
    and not exists (
        select from staged_eligibility s
        where s.record_kind = '1' and s.symbol_key = m.symbol_key and s.number_key = m.number_key
            and s.branch_number = m.branch_number and s.acquired_on = m.acquired_on and m.person_id = k.person_id
            and s.limit_class = k.limit_class and s.limit_from = k.valid_from and s.limit_category = k.category
            and s.limit_through is not distinct from k.valid_through
            and s.long_term_on is not distinct from k.long_term_on
    );

-- name: add_limit_certificates
-- Add the stated limit certificates that are not known in this form.
-- $1 merge time
insert into limit_certificate (person_id, coverage_id, valid_from, known_from, limit_class, category, valid_through,
    long_term_on)
select distinct m.person_id, m.coverage_id, s.limit_from, $1::timestamptz, s.limit_class, s.limit_category,
    s.limit_through, s.long_term_on
from staged_eligibility s
left join following_record f using (record_number)
join merge_plan m on m.record_number = coalesce(f.lead_record, s.record_number)
where s.limit_class is not null and s.record_kind = '1' and m.change in ('new', 'corrected', 'certificates')
    and not exists (
        select from limit_certificate k
        where k.person_id = m.person_id and k.coverage_id = m.coverage_id and k.valid_from = s.limit_from
            and k.limit_class = s.limit_class and k.known_to = 'infinity'
    );

-- name: close_specific_disease_certificates
-- The same for specific disease certificates.
-- $1 merge time
update specific_disease_certificate k set known_to = $1
from merge_plan m
where m.change in ('corrected', 'certificates', 'cancelled')
    and k.person_id = m.known_person_id and k.coverage_id = m.coverage_id and k.known_to = 'infinity'
    and not exists (
        select from staged_eligibility s
        where s.record_kind = '1' and s.symbol_key = m.symbol_key and s.number_key = m.number_key
            and s.branch_number = m.branch_number and s.acquired_on = m.acquired_on and m.person_id = k.person_id
            and s.disease = k.disease and s.disease_from = k.valid_from
            and s.monthly_cap_yen is not distinct from k.monthly_cap_yen
            and s.disease_through is not distinct from k.valid_through
    );

-- name: add_specific_disease_certificates
-- Add the stated specific disease certificates that are not known in this form.
-- $1 merge time
insert into specific_disease_certificate (person_id, coverage_id, valid_from, known_from, disease, monthly_cap_yen,
    valid_through)
select distinct m.person_id, m.coverage_id, s.disease_from, $1::timestamptz, s.disease, s.monthly_cap_yen,
    s.disease_through
from staged_eligibility s
left join following_record f using (record_number)
join merge_plan m on m.record_number = coalesce(f.lead_record, s.record_number)
where s.disease is not null and s.record_kind = '1' and m.change in ('new', 'corrected', 'certificates')
    and not exists (
        select from specific_disease_certificate k
        where k.person_id = m.person_id and k.coverage_id = m.coverage_id and k.valid_from = s.disease_from
            and k.disease = s.disease and k.known_to = 'infinity'
    );

-- name: close_elderly_certificates
-- The same for elderly certificates.
-- $1 merge time
update elderly_certificate k set known_to = $1
from merge_plan m
where m.change in ('corrected', 'certificates', 'cancelled')
    and k.person_id = m.known_person_id and k.coverage_id = m.coverage_id and k.known_to = 'infinity'
    and not exists (
        select from staged_eligibility s
        where s.record_kind = '1' and s.symbol_key = m.symbol_key and s.number_key = m.number_key
            and s.branch_number = m.branch_number and s.acquired_on = m.acquired_on and m.person_id = k.person_id
            and s.elderly_from = k.valid_from and s.elderly_percent = k.copayment_percent
            and s.elderly_through is not distinct from k.valid_through
    );

-- name: add_elderly_certificates
-- Add the stated elderly certificates that are not known in this form.
-- $1 merge time
insert into elderly_certificate (person_id, coverage_id, valid_from, known_from, copayment_percent, valid_through)
select distinct m.person_id, m.coverage_id, s.elderly_from, $1::timestamptz, s.elderly_percent, s.elderly_through
from staged_eligibility s
left join following_record f using (record_number)
join merge_plan m on m.record_number = coalesce(f.lead_record, s.record_number)
where s.elderly_percent is not null and s.record_kind = '1' and m.change in ('new', 'corrected', 'certificates')
    and not exists (
        select from elderly_certificate k
        where k.person_id = m.person_id and k.coverage_id = m.coverage_id and k.valid_from = s.elderly_from
            and k.known_to = 'infinity'
    );

-- name: take_back_from_persons_left
-- Take back what counters kept of persons whom a coverage of this merge has left, since it was put to them: nobody can
-- tell whose it is. Of a person of whom nothing is stated any more all of it goes, so that none of it stands in the way
-- of the person whom the insurer states next; whose coverage was cancelled beside others, is who they were. Return of
-- whom how much was taken.
-- $1 persons before, $2 coverages, $3 persons now or null, $4 merge time
with left_by as materialized (
    select m.person_id, bool_or(m.other is not null) as moved,
        min(c.known_from) - interval '1 minute' as since,  -- counters' clocks may differ, as for a reversal
        exists (
            select from coverage o where o.person_id = m.person_id and o.known_to = 'infinity'
        ) as stated
    from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as m (person_id, coverage_id, other)
    join coverage c on c.person_id = m.person_id and c.coverage_id = m.coverage_id
    group by m.person_id
), since as (
    select person_id, case when stated then since else '-infinity' end as since from left_by where moved or not stated
), taken as materialized (
    select s.person_id,
        (select count(*) from withdraw_consents_of(s.person_id, s.since, $4)) as consents_withdrawn,
        (select count(*) from take_back_cards_of(s.person_id, s.since)) as cards_taken_back,
        (select count(*) from take_back_reference_numbers_of(s.person_id, s.since)) as reference_numbers_taken_back
    from since s
)
select person_id as person, consents_withdrawn, cards_taken_back, reference_numbers_taken_back
from taken
where consents_withdrawn + cards_taken_back + reference_numbers_taken_back > 0
order by person_id;

-- name: changed_records
-- How many records changed something.
select coalesce(sum(records) filter (where change not in ('unchanged', 'nothing_known')), 0)::bigint as merged
from merge_plan;

-- name: set_data_as_of
-- Note when the insurer's latest file was merged.
-- $1 insurer number, $2 merge time
update insurer set data_as_of = $2 where insurer_number = $1;

-- name: refresh_statistics
-- Let the next statements be planned with what has just been merged, if that is much.
-- $1 how many records changed something
select refresh_statistics($1);
