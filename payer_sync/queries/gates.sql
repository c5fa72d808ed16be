-- name: decision_of_submission
-- What an operator decided about a submission that was held, if anything.
-- $1 submission
select decision, decided_by from submission_decision where submission_id = $1;

-- name: insert_decision
-- Decide about a held submission.
-- $1 submission, $2 decision, $3 by whom, $4 why, $5 now
insert into submission_decision (submission_id, decision, decided_by, reason, decided_at) values ($1, $2, $3, $4, $5);

-- name: requeue_submission
-- Let a held submission be loaded again, which carries out what was decided.
-- $1 submission
update submission set state = 'received', finished_at = null where submission_id = $1 and state = 'held';

-- name: held_submission
-- A submission for an operator, whose decision another operator's waits for.
-- $1 submission
select state, insurer_number from submission where submission_id = $1 for update;

-- name: overtaken
-- Whether a later file of the same insurer and layout was merged.
-- $1 submission
select exists (
    select from submission s
    join submission later on later.insurer_number = s.insurer_number and later.layout = s.layout
        and later.state = 'merged' and (later.created_at, later.submission_id) > (s.created_at, s.submission_id)
    where s.submission_id = $1
) as overtaken;

-- name: list_submissions
-- Submissions: those held for approval, the oldest first, then the others, the latest first.
-- $1 state or null, $2 insurer number or null, $3 how many
with sorted as (
    select submission_id, insurer_number, layout, kind, file_name, state, stated_records, count(*) over () as found,
        row_number() over (
            order by state <> 'held', case when state = 'held' then created_at end, created_at desc, submission_id
        ) as place
    from submission
    where ($1::text is null or state = $1) and ($2::text is null or insurer_number = $2)
)
select s.submission_id, s.insurer_number, s.layout, s.kind, s.file_name, s.state, s.stated_records, s.found,
    d.decision, d.decided_by,
    (
        select string_agg(f.code || ': ' || f.expected, E'\n' order by f.fault_number)
        from feedback f where f.submission_id = s.submission_id and f.code like 'held%'
    ) as gates
from sorted s
left join submission_decision d using (submission_id)
where s.place <= $3
order by s.place;

-- name: forget_feedback
-- Drop what an earlier check of this submission found, before it is checked again.
-- $1 submission
delete from feedback where submission_id = $1;

-- name: insurer_has_register
-- Whether any file of the insurer was merged before.
-- $1 insurer number
select data_as_of is not null as known from insurer where insurer_number = $1;

-- name: begin_retirement
-- Make this session's own plan of retirements.
create temp table retirement_plan (like public.retirement_plan) on commit drop;

-- name: plan_retirement
-- Find the coverages in force that a full file states neither by their number nor by their holder.
-- $1 insurer number, $2 day
insert into retirement_plan (person_id, coverage_id)
select c.person_id, c.coverage_id
from coverage c
join person p using (person_id)
where c.insurer_number = $1 and c.known_to = 'infinity' and (c.lost_on is null or c.lost_on > $2)
    and not exists (select from merge_plan m where m.coverage_id = c.coverage_id)
    and not exists (
        select from staged_eligibility s where s.linkage_code = p.linkage_code and s.record_kind = '1'
    );

-- name: count_in_force
-- How many coverages are in force by the register and by the file, and how many of the register's the file leaves out.
-- $1 insurer number, $2 day
select
    (
        select count(*) from coverage c
        where c.insurer_number = $1 and c.known_to = 'infinity' and (c.lost_on is null or c.lost_on > $2)
    ) as known,
    (
        select count(*) from merge_plan m join staged_eligibility s using (record_number)
        where m.record_kind = '1' and (s.lost_on is null or s.lost_on > $2)
    ) as stated,
    (select count(*) from retirement_plan) as missing;

-- name: count_ended
-- How many coverages in force the file cancels, or states with a loss that takes days away. Records without a loss are
-- left out before their coverages are looked up.
-- $1 day
select count(*) as coverages
from merge_plan m
join staged_eligibility s using (record_number)
join coverage c on c.ctid = m.known_row and c.person_id = m.known_person_id and c.coverage_id = m.coverage_id
    and c.known_to = 'infinity'
where m.change in ('cancelled', 'lost', 'corrected') and (m.change = 'cancelled' or s.lost_on is not null)
    and (c.lost_on is null or c.lost_on > $1)
    and (m.change = 'cancelled' or s.lost_on < coalesce(c.lost_on, 'infinity'));

-- name: count_known_in_force
-- How many coverages of the insurer are in force by the register; no more are counted than it takes.
-- $1 insurer number, $2 day, $3 how many it takes
select count(*) as coverages
from (
    select from coverage
    where insurer_number = $1 and known_to = 'infinity' and (lost_on is null or lost_on > $2)
    limit $3
) counted;

-- name: count_stated
-- How many coverages the file states.
select count(*) as coverages from merge_plan where record_kind = '1';

-- name: count_emptied
-- In how many of them a field is empty that is known to be filled.
select field, count(*) as coverages
from merge_plan m
cross join unnest(m.emptied) as field
where m.change = 'corrected'
group by field;

-- name: count_emptied_keys
-- How many new coverages lack a symbol or a branch number that their holder's known coverage has.
-- $1 insurer number
select count(*) filter (where m.symbol_key = '' and c.symbol_key <> '') as symbol,
    count(*) filter (where m.branch_number = '' and c.branch_number <> '') as branch_number
from merge_plan m
join staged_eligibility s using (record_number)
join person p on p.linkage_code = s.linkage_code
join coverage c on c.person_id = p.person_id and c.insurer_number = $1 and c.number_key = m.number_key
    and c.acquired_on = m.acquired_on and c.known_to = 'infinity'
where m.change = 'new' and (m.symbol_key = '' or m.branch_number = '');

-- name: count_emptied_certificates
-- How many stated coverages have a certificate that is known to be valid and that the file does not state.
-- $1 day
with stated as (
    select symbol_key, number_key, branch_number, acquired_on, bool_or(limit_class is not null) as limits,
        bool_or(disease is not null) as diseases, bool_or(elderly_percent is not null) as elderly
    from staged_eligibility
    where limit_class is not null or disease is not null or elderly_percent is not null
    group by symbol_key, number_key, branch_number, acquired_on
), known as (
    select m.coverage_id, coalesce(s.limits, false) as limits, coalesce(s.diseases, false) as diseases,
        coalesce(s.elderly, false) as elderly, m.known_person_id
    from merge_plan m
    left join stated s using (symbol_key, number_key, branch_number, acquired_on)
    where m.record_kind = '1' and m.known_person_id is not null
)
select
    (
        select count(distinct k.coverage_id) from known k
        join limit_certificate c on c.person_id = k.known_person_id and c.coverage_id = k.coverage_id
        where not k.limits and c.known_to = 'infinity' and (c.valid_through is null or c.valid_through >= $1)
    ) as limit_class,
    (
        select count(distinct k.coverage_id) from known k
        join specific_disease_certificate c on c.person_id = k.known_person_id and c.coverage_id = k.coverage_id
        where not k.diseases and c.known_to = 'infinity' and (c.valid_through is null or c.valid_through >= $1)
    ) as disease,
    (
        select count(distinct k.coverage_id) from known k
        join elderly_certificate c on c.person_id = k.known_person_id and c.coverage_id = k.coverage_id
        where not k.elderly and c.known_to = 'infinity' and (c.valid_through is null or c.valid_through >= $1)
    ) as elderly_percent;

-- name: close_retired
-- End the known time of the coverages that are retired.
-- $1 merge time
update coverage c set known_to = $1
from retirement_plan r
where c.person_id = r.person_id and c.coverage_id = r.coverage_id and c.known_to = 'infinity';

-- name: add_retired
-- State again, with their loss, the coverages just closed because they are retired.
-- $1 merge time, $2 submission, $3 day
insert into coverage (person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, branch_number,
    symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class,
    acquired_on, lost_on, loss_reason, copayment_percent, issued_on, valid_from, valid_through, preschool,
    viewing_suspended, further)
select c.person_id, c.coverage_id, $1, $2, c.insurer_number, c.symbol, c.number, c.branch_number,
    c.symbol_key, c.number_key, c.name, c.name_kana, c.name_key, c.birth_date, c.sex, c.postal_code, c.address,
    c.relation, c.card_class, c.acquired_on, greatest(c.acquired_on, $3), '99', c.copayment_percent, c.issued_on,
    c.valid_from, c.valid_through, c.preschool, c.viewing_suspended, c.further
from retirement_plan r
join coverage c on c.person_id = r.person_id and c.coverage_id = r.coverage_id and c.known_to = $1;
