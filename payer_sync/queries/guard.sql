-- name: begin_known_links
-- Make this session's own tables of the guard.
create temp table known_link (like public.known_link) on commit drop;

-- name: begin_guard_findings
-- The same for what the guard finds.
create temp table guard_finding (like public.guard_finding) on commit drop;

-- name: insurer_has_open_cases
-- Whether records of the insurer are kept from the register.
-- $1 insurer number
select exists (select from mislink_case where insurer_number = $1 and state = 'open') as found;

-- name: supersede_stated
-- Put the records of the insurer's open cases out of date whose coverages this file states anew. A loss of a coverage
-- that is only kept is no such statement: it says nothing of the coverage's other days (keep_losses).
-- $1 insurer number, $2 now
update quarantined_record q set superseded_at = $2
from mislink_case c, merge_plan m
where c.insurer_number = $1 and c.state = 'open' and q.case_id = c.case_id and q.superseded_at is null
    and m.symbol_key = q.symbol_key and m.number_key = q.number_key and m.branch_number = q.branch_number
    and m.acquired_on = q.acquired_on and not (m.change = 'nothing_known' and m.record_kind = '2');

-- name: supersede_left_out
-- The same for coverages in force that a full file leaves out; what it states in records that are refused is not left out.
-- Their linkage codes do not matter: what is kept has a code that may be somebody else's, who is stated.
-- $1 insurer number, $2 now, $3 day
update quarantined_record q set superseded_at = $2
from mislink_case c
where c.insurer_number = $1 and c.state = 'open' and q.case_id = c.case_id and q.superseded_at is null
    and coalesce((q.stated ->> 'lost_on')::date, 'infinity') > $3
    and not exists (
        select from staged_eligibility s
        where s.symbol_key = q.symbol_key and s.number_key = q.number_key and s.branch_number = q.branch_number
            and s.acquired_on = q.acquired_on
    );

-- name: close_superseded
-- Close the open cases of which no other record is left: of two persons swapped, one may be stated anew today and the
-- other tomorrow.
-- $1 insurer number, $2 now
update mislink_case c set state = 'superseded', closed_at = $2, closed_by = $1
where c.insurer_number = $1 and c.state = 'open'
    and not exists (select from quarantined_record q where q.case_id = c.case_id and q.superseded_at is null);

-- name: keep_losses
-- Put losses on the records that open cases keep of their coverages, and take them out of the plan, with a warning. Of
-- a coverage that is not known: the number and the birth date name it, the linkage code is what is in doubt. Of one that
-- is known as somebody else's: the kept record has to be of the very code and birth date.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, with %s for the case,
-- $6 insurer number
with kept as (
    update quarantined_record q
    set stated = q.stated || jsonb_build_object('lost_on', s.lost_on, 'loss_reason', s.loss_reason)
    from mislink_case c, merge_plan m
    join staged_eligibility s using (record_number)
    where c.insurer_number = $6 and c.state = 'open' and q.case_id = c.case_id and q.superseded_at is null
        and m.symbol_key = q.symbol_key and m.number_key = q.number_key and m.branch_number = q.branch_number
        and m.acquired_on = q.acquired_on and m.record_kind = '2' and s.birth_date = (q.stated ->> 'birth_date')::date
        and (
            m.change = 'nothing_known'
            or (m.change = 'another_person' and s.linkage_code = q.stated ->> 'linkage_code')
        )
    returning m.record_number, q.case_id
), taken_out as (
    delete from merge_plan m using (select distinct record_number, case_id from kept) k
    where m.record_number = k.record_number
    returning m.symbol_key, m.number_key, m.branch_number, m.acquired_on, k.case_id
)
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by s.record_number), s.record_number, $4, $3, 'warning', null,
    format($5, t.case_id)
from taken_out t
join staged_eligibility s using (symbol_key, number_key, branch_number, acquired_on);

-- name: find_known_links
-- For each new coverage, or one that is stated with another person, holder or days, what is stated now of the person
-- whom its linkage code means. A loss that is put off states days and no holder, with whom anything could disagree.
-- $1 insurer number
insert into known_link (record_number, person_id, coverage_id, insurer_number, agrees, overlapping)
select m.record_number, c.person_id, c.coverage_id, c.insurer_number,
    m.change = 'lost' or row(c.name_key, c.name_kana, c.birth_date, c.sex) =
        row(s.name_key, s.name_kana, s.birth_date, s.sex),
    c.insurer_number <> $1
        and c.acquired_on < coalesce(s.lost_on, 'infinity') and s.acquired_on < coalesce(c.lost_on, 'infinity')
        and c.acquired_on < coalesce(c.lost_on, 'infinity') and s.acquired_on < coalesce(s.lost_on, 'infinity')
        and not exists (
            select from coverage o
            where o.person_id = c.person_id and o.coverage_id = m.coverage_id and o.known_to = 'infinity'
                and o.lost_on is not distinct from s.lost_on
        )
from merge_plan m
join staged_eligibility s using (record_number)
join coverage c on c.person_id = m.person_id and c.known_to = 'infinity'
where m.change in ('new', 'corrected', 'lost') and not m.new_person and not m.settled;

-- name: find_former_links
-- For coverages put to a person of whom nothing is stated, what they themselves stated until now of another one.
insert into known_link (record_number, person_id, coverage_id, insurer_number, agrees, overlapping)
select m.record_number, c.person_id, c.coverage_id, c.insurer_number,
    row(c.name_key, c.name_kana, c.birth_date, c.sex) = row(s.name_key, s.name_kana, s.birth_date, s.sex), false
from merge_plan m
join staged_eligibility s using (record_number)
join coverage c on c.person_id = m.known_person_id and c.coverage_id = m.coverage_id and c.known_to = 'infinity'
where m.change = 'corrected' and not m.settled
    and not exists (select from known_link k where k.record_number = m.record_number);

-- name: disagreeing_links
-- Records that agree word for word with nothing that is stated of their person now, beside each of those statements.
select k.record_number, k.person_id, s.name, s.name_kana, s.birth_date, s.sex,
    c.name as known_name, c.name_kana as known_name_kana, c.birth_date as known_birth_date, c.sex as known_sex
from known_link k
join staged_eligibility s using (record_number)
join coverage c on c.person_id = k.person_id and c.coverage_id = k.coverage_id and c.known_to = 'infinity'
where not k.agrees
    and not exists (select from known_link a where a.record_number = k.record_number and a.agrees)
order by k.record_number;

-- name: keep_put_back
-- Find the records that put a coverage back to the person from whom a reversal has split it, whatever is stated of that
-- person; but for those that are kept already. An operator has said that it is another's.
-- $1 records that are kept already, $2 reason
insert into guard_finding (record_number, lead_record, person_id, kind, reasons)
select m.record_number, m.record_number, m.person_id, 'mismatch', array[$2]
from merge_plan m
cross join lateral (select linkage_code from person where person_id = m.known_person_id offset 0) p
where m.change = 'corrected' and m.person_id <> m.known_person_id and m.record_number <> all($1::bigint[])
    and p.linkage_code like 'split %.' || m.person_id
returning record_number;

-- name: disagreeing_records
-- Records whose person nobody has stated yet, beside the first record of the file with the same linkage code, where
-- they do not agree word for word: as if the file's records had come one after the other. Coverages that were all one
-- person's stay together, whatever their code.
-- $1 records that are kept already
with first as (
    select s.linkage_code, min(m.record_number) as record_number
    from merge_plan m
    join staged_eligibility s using (record_number)
    where m.change in ('new', 'corrected') and not m.settled and m.record_number <> all($1::bigint[])
        and not exists (
            select from known_link k where k.record_number = m.record_number and k.person_id = m.person_id
        )
    group by s.linkage_code
    having count(*) > 1
        and (count(m.known_person_id) < count(*) or min(m.known_person_id) < max(m.known_person_id))
)
select m.record_number, null::bigint as person_id, s.name, s.name_kana, s.birth_date, s.sex,
    f.name as known_name, f.name_kana as known_name_kana, f.birth_date as known_birth_date, f.sex as known_sex
from first
join staged_eligibility f using (record_number)
join staged_eligibility s on s.linkage_code = first.linkage_code
join merge_plan m on m.record_number = s.record_number and m.change in ('new', 'corrected')
    and m.record_number <> all($1::bigint[])
where row(f.name_key, f.name_kana, f.birth_date, f.sex) is distinct from
    row(s.name_key, s.name_kana, s.birth_date, s.sex)
order by m.record_number;

-- name: find_claimed_twice
-- Of the records refused because their days overlap, those that give one person several insured numbers.
-- $1 submission, $2 number of the last fault before, $3 reason, $4 insurer number
with refused as (
    select s.record_number, s.linkage_code, s.symbol_key, s.number_key, s.branch_number
    from feedback f
    join staged_eligibility s using (record_number)
    where f.submission_id = $1 and f.fault_number > $2 and f.code = 'overlaps' and s.record_kind = '1'
), claimed as (
    select r.linkage_code, r.symbol_key, r.number_key, r.branch_number from refused r
    union
    select p.linkage_code, c.symbol_key, c.number_key, c.branch_number
    from refused r
    join person p using (linkage_code)
    join coverage c on c.person_id = p.person_id and c.insurer_number = $4 and c.known_to = 'infinity'
), several as (
    select linkage_code from claimed group by linkage_code having count(*) > 1
)
insert into guard_finding (record_number, lead_record, person_id, kind, reasons)
select r.record_number, min(r.record_number) over (partition by r.linkage_code), p.person_id, 'claimed_twice',
    array[$3]
from refused r
join several using (linkage_code)
left join person p using (linkage_code);

-- name: open_cases
-- Open a case for each finding of some kinds, one for those that belong together.
-- $1 now, $2 submission, $3 insurer number, $4 kinds
insert into mislink_case (opened_at, submission_id, insurer_number, lead_record, kind)
select distinct $1::timestamptz, $2::uuid, $3, f.lead_record, f.kind
from guard_finding f
where f.kind = any($4)
order by f.lead_record;

-- name: quarantine_records
-- Keep the records of the cases, whole.
-- $1 submission, $2 kinds
insert into quarantined_record (case_id, record_number, person_id, reasons, symbol_key, number_key, branch_number,
    acquired_on, stated)
select c.case_id, s.record_number, f.person_id, f.reasons, s.symbol_key, s.number_key, s.branch_number, s.acquired_on,
    to_jsonb(s)
from guard_finding f
join mislink_case c on c.submission_id = $1 and c.lead_record = f.lead_record and c.kind = f.kind
join staged_eligibility l on l.record_number = f.record_number
join staged_eligibility s on s.symbol_key = l.symbol_key and s.number_key = l.number_key
    and s.branch_number = l.branch_number and s.acquired_on = l.acquired_on
where f.kind = any($2) and (f.kind <> 'claimed_twice' or s.record_number = f.record_number);

-- name: tell_quarantined
-- Tell the insurer of the records kept, with the fields that disagree and the case.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, with %s for fields and case,
-- $6 kind
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by q.record_number), q.record_number, $4, $3, 'record_refused', null,
    format($5, array_to_string(q.reasons, '・'), q.case_id)
from mislink_case c
join quarantined_record q using (case_id)
where c.submission_id = $1 and c.kind = $6;

-- name: tell_other_sides
-- Leave a notice for the other insurers whose coverages the cases put in doubt.
-- $1 now, $2 submission, $3 insurer number, $4 code, $5 expected, with %s for the other insurer and the case,
-- $6 kinds
insert into insurer_notice (insurer_number, created_at, code, expected, coverage_id)
select distinct on (k.coverage_id, c.case_id) k.insurer_number, $1::timestamptz, $4, format($5, $3::text, c.case_id),
    k.coverage_id
from mislink_case c
join guard_finding f on f.lead_record = c.lead_record and f.kind = c.kind
join known_link k on k.record_number = f.record_number
where c.submission_id = $2 and k.insurer_number <> $3 and f.kind = any($6);

-- name: take_out_quarantined
-- Take the coverages of the cases out of the plan.
delete from merge_plan m using guard_finding f where m.record_number = f.record_number;

-- name: tell_covered_elsewhere
-- Warn of coverages whose days overlap a coverage of the same person at another insurer; both stay as stated.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, with %s for the other insurer
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by k.record_number, k.insurer_number), k.record_number, $4, $3,
    'warning', null, format($5, k.insurer_number)
from (select distinct record_number, insurer_number from known_link where overlapping) k
join merge_plan m using (record_number);

-- name: notify_covered_elsewhere
-- Leave a notice of the same for the other insurers.
-- $1 now, $2 insurer number, $3 code, $4 expected, with %s for the other insurer
insert into insurer_notice (insurer_number, created_at, code, expected, coverage_id)
select k.insurer_number, $1::timestamptz, $3, format($4, $2::text), k.coverage_id
from known_link k
join merge_plan m using (record_number)
where k.overlapping;

-- name: notify_own_overlaps
-- Leave a notice for the insurer itself of its coverages that overlap others', when no file of it is being merged.
-- $1 now, $2 insurer number, $3 code, $4 expected, with %s for the other insurer
insert into insurer_notice (insurer_number, created_at, code, expected, coverage_id)
select distinct $2, $1::timestamptz, $3, format($4, k.insurer_number), m.coverage_id
from known_link k
join merge_plan m using (record_number)
where k.overlapping;

-- name: tell_notices
-- Tell the insurer, in this file's feedback, what others' files and operators have caused since its last one.
-- $1 submission, $2 number of the last fault so far, $3 insurer number
with due as (
    update insurer_notice set told_in = $1
    where insurer_number = $3 and told_in is null
    returning notice_id, code, expected, coverage_id
)
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by d.notice_id), m.record_number, null, d.code, 'warning', null,
    d.expected
from due d
left join merge_plan m on m.coverage_id = d.coverage_id;
