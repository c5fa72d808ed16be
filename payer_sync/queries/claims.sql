-- name: reviews_claims
-- Whether the sender is a claims reviewer, whose files may hold receipts of any insurer.
-- $1 insurer number
select reviews_claims from insurer where insurer_number = $1;

-- name: begin_staged_claims
-- Make this session's own staging tables under the names that the merge's statements use.
create temp table staged_claim (like public.staged_claim including defaults) on commit drop;

-- name: begin_staged_claim_shares
-- The same for what each payer was charged.
create temp table staged_claim_share (like public.staged_claim_share) on commit drop;

-- name: begin_staged_claim_medicines
-- The same for medicines.
create temp table staged_claim_medicine (like public.staged_claim_medicine) on commit drop;

-- name: begin_staged_claim_treatments
-- The same for treatments.
create temp table staged_claim_treatment (like public.staged_claim_treatment) on commit drop;

-- name: analyze_claims
-- Let the planner know what was staged.
analyze staged_claim, staged_claim_share, staged_claim_medicine, staged_claim_treatment;

-- name: lock_matched_claims
-- Keep coverages from leaving their persons with the claims that are known, until this transaction's claims are, too.
-- Whoever loads claims shares this; whoever moves them waits for all who share it, and they for him.
select pg_advisory_xact_lock_shared(3, 0), set_config('idle_in_transaction_session_timeout', '60s', true);

-- name: match_claims
-- Find whose claims they are that have no coverage yet: one person with this insured number and birth date, covered on a
-- day of care (any between the first and the last where none is stated), as known now. A branch number counts only where
-- both sides state one, and a sex of 3 agrees with both.
with fitting as (
    select s.record_number, c.person_id, c.coverage_id, c.acquired_on, c.lost_on
    from staged_claim s
    join coverage c on c.insurer_number = s.insurer_number and c.number_key = s.number_key
        and c.symbol_key = s.symbol_key and c.birth_date = s.birth_date and c.known_to = 'infinity'
        and (s.branch_number = '' or c.branch_number = '' or c.branch_number = s.branch_number)
        and c.sex in (s.sex, '3')
        and c.acquired_on <= s.care_through and s.care_from < coalesce(c.lost_on, 'infinity')
        and c.acquired_on < coalesce(c.lost_on, 'infinity')
        and (s.care_days is null or exists (
            select from unnest(s.care_days) as d (day)
            where c.acquired_on <= d.day and d.day < coalesce(c.lost_on, 'infinity')
        ))
    where s.match = 'no_coverage'
), found as (
    select record_number, count(distinct person_id) as persons, min(person_id) as person_id,
        (array_agg(coverage_id order by acquired_on desc))[1] as coverage_id,
        range_agg(daterange(acquired_on, lost_on)) as covered
    from fitting
    group by record_number
)
update staged_claim s
set match = case when f.persons = 1 then 'matched' else 'several_persons' end,
    person_id = case when f.persons = 1 then f.person_id end,
    coverage_id = case when f.persons = 1 then f.coverage_id end,
    ends_within = f.persons = 1 and case
        when s.care_days is null then not f.covered @> daterange(s.care_from, s.care_through, '[]')
        else exists (select from unnest(s.care_days) as d (day) where not f.covered @> d.day)
    end
from found f
where f.record_number = s.record_number;

-- name: route_claims
-- For claims without a coverage here: the one other insurer that covered the holder of the number on the first day.
with holder as (
    select s.record_number, min(c.person_id) as person_id
    from staged_claim s
    join coverage c on c.insurer_number = s.insurer_number and c.number_key = s.number_key
        and c.symbol_key = s.symbol_key and c.birth_date = s.birth_date and c.known_to = 'infinity'
        and (s.branch_number = '' or c.branch_number = '' or c.branch_number = s.branch_number)
        and c.sex in (s.sex, '3')
    where s.match = 'no_coverage'
    group by s.record_number
    having count(distinct c.person_id) = 1
), elsewhere as (
    select s.record_number, min(c.insurer_number) as insurer_number
    from holder h
    join staged_claim s using (record_number)
    join coverage c on c.person_id = h.person_id and c.known_to = 'infinity' and c.insurer_number <> s.insurer_number
        and c.acquired_on <= s.care_from and s.care_from < coalesce(c.lost_on, 'infinity')
    group by s.record_number
    having count(distinct c.insurer_number) = 1
)
update staged_claim s set covered_by = e.insurer_number
from elsewhere e
where e.record_number = s.record_number;

-- name: mark_public_claims
-- Claims that public expense pays alone name no insured number to match.
update staged_claim set match = 'no_insurer' where insurer_number is null;

-- name: plan_claims
-- Which known claim each receipt is, and what changes. Without a search number (S) it is one of the same holder only. With
-- one it may be of another month: of medical receipts, for in dispensing ones the number's position is not verified. Only
-- a reviewer may move a claim from one insurer to another.
-- $1 whether the sender is a claims reviewer
update staged_claim s
set claim_id = coalesce(k.claim_id, nextval('claim_id_seq')),
    change = case
        when k.claim_id is null then 'new'
        when not $1::boolean and k.insurer_number is distinct from s.insurer_number then 'other_insurer'
        when row(k.content_digest, k.institution_name, k.claimed_month, k.match, k.person_id, k.coverage_id, k.covered_by)
            is distinct from row(s.content_digest, s.institution_name, s.claimed_month, s.match, s.person_id,
                s.coverage_id, s.covered_by) then 'corrected'
        else 'unchanged'
    end
from staged_claim t
left join lateral (
    select k.claim_id, k.insurer_number, k.content_digest, k.institution_name, k.claimed_month, k.match, k.person_id,
        k.coverage_id, k.covered_by
    from claim k
    where k.institution_code = t.institution_code and k.kind = t.kind and k.receipt_key = t.receipt_key
        and k.known_to = 'infinity'
        and (k.care_month = t.care_month or t.kind = 'medical' and t.receipt_key like 'S%')
        and (t.receipt_key like 'S%' or row(k.insurer_number, k.symbol_key, k.number_key, k.birth_date)
            is not distinct from row(t.insurer_number, t.symbol_key, t.number_key, t.birth_date))
    order by k.care_month = t.care_month desc, k.known_from desc
    limit 1
) k on true
where t.record_number = s.record_number;

-- name: refuse_moved_claims
-- Refuse receipts that are known as another insurer's.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 what was expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), record_number, $4, $3, 'record_refused', null, $5
from staged_claim
where change = 'other_insurer';

-- name: refused_claim_records
-- How many records the receipts refused by the plan have.
select coalesce(sum(records), 0)::bigint as refused from staged_claim where change = 'other_insurer';

-- name: tell_no_coverage
-- Warn of claims without a coverage here, with the insurer that covered the day if one other did.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, $6 expected with %s, the insurer
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), insured_line, $4, $3, 'warning', null,
    case when covered_by is null then $5 else format($6, covered_by) end
from staged_claim
where match = 'no_coverage' and change <> 'other_insurer';

-- name: tell_several_persons
-- Warn of claims whose number fits several persons, at the branch number, or the number where no record is for a branch.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, $6 field of the number
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), coalesce(branch_line, insured_line),
    case when branch_line is null then $6 else $4 end, $3, 'warning', null, $5
from staged_claim
where match = 'several_persons' and change <> 'other_insurer';

-- name: tell_sex_disagrees
-- Warn of claims that only the sex keeps from a person covered here.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), record_number, $4, $3, 'warning', '9', $5
from staged_claim s
where match = 'no_coverage' and change <> 'other_insurer' and exists (
    select from coverage c
    where c.insurer_number = s.insurer_number and c.number_key = s.number_key and c.symbol_key = s.symbol_key
        and c.birth_date = s.birth_date and c.known_to = 'infinity'
        and (s.branch_number = '' or c.branch_number = '' or c.branch_number = s.branch_number)
        and c.acquired_on <= s.care_through and s.care_from < coalesce(c.lost_on, 'infinity')
        and c.acquired_on < coalesce(c.lost_on, 'infinity')
        and (s.care_days is null or exists (
            select from unnest(s.care_days) as d (day)
            where c.acquired_on <= d.day and d.day < coalesce(c.lost_on, 'infinity')
        ))
);

-- name: tell_holder_differs
-- Warn of receipts whose number is known of another holder: with a search number (S) they replace what is known, without
-- one both are kept.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected, $6 expected without a search number,
-- $7 field of a receipt without an insured number
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), coalesce(insured_line, record_number),
    case when insured_line is null then $7 else $4 end, $3, 'warning', null,
    case when s.receipt_key like 'S%' then $5 else $6 end
from staged_claim s
where change <> 'other_insurer' and exists (
    select from claim k
    where k.institution_code = s.institution_code and k.kind = s.kind and k.receipt_key = s.receipt_key
        and k.known_to = 'infinity'
        and (k.care_month = s.care_month or s.kind = 'medical' and s.receipt_key like 'S%')
        and (s.receipt_key like 'S%' or k.insurer_number is not distinct from s.insurer_number)
        and row(k.insurer_number, k.symbol_key, k.number_key, k.birth_date)
            is distinct from row(s.insurer_number, s.symbol_key, s.number_key, s.birth_date)
);

-- name: tell_coverage_ends_within
-- Warn of claims with days of care before or after the coverage.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by record_number), insured_line, $4, $3, 'warning', null, $5
from staged_claim
where ends_within and change <> 'other_insurer';

-- name: tell_drug_unknown
-- Warn of medicines that the drug master does not have, each line once.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by line), line, $4, $3, 'warning', '999999999', $5
from (
    select distinct m.record_number + m.line as line
    from staged_claim_medicine m
    join staged_claim s using (record_number)
    where s.change <> 'other_insurer' and not exists (select from drug d where d.drug_code = m.drug_code)
) as unknown;

-- name: claim_merge_time
-- The one moment this merge's claims become known: after everything known of them, whatever the clock does.
select greatest(clock_timestamp(), max(k.known_from) + interval '1 microsecond') as known_from
from staged_claim s
join claim k on k.claim_id = s.claim_id
where s.change = 'corrected';

-- name: close_claims
-- End the known time of claims that are stated differently now.
-- $1 merge time
update claim k set known_to = $1
from staged_claim s
where s.change = 'corrected' and k.claim_id = s.claim_id and k.known_to = 'infinity';

-- name: close_claim_shares
-- The same for what each payer was charged.
-- $1 merge time
update claim_share k set known_to = $1
from staged_claim s
where s.change = 'corrected' and k.claim_id = s.claim_id and k.known_to = 'infinity';

-- name: close_claim_medicines
-- The same for medicines.
-- $1 merge time
update claim_medicine k set known_to = $1
from staged_claim s
where s.change = 'corrected' and k.claim_id = s.claim_id and k.known_to = 'infinity';

-- name: close_claim_treatments
-- The same for treatments.
-- $1 merge time
update claim_treatment k set known_to = $1
from staged_claim s
where s.change = 'corrected' and k.claim_id = s.claim_id and k.known_to = 'infinity';

-- name: add_claims
-- Add new and corrected claims; a corrected one keeps its identifier.
-- $1 merge time, $2 submission
insert into claim (claim_id, known_from, submission_id, kind, receipt_key, institution_code, institution_name,
    care_month, claimed_month, receipt_type, insurer_number, symbol, number, branch_number, symbol_key, number_key,
    birth_date, sex, care_from, care_through, care_days, prescriber_code, prescriber_name, match, person_id, coverage_id,
    covered_by, content_digest)
select claim_id, $1, $2, kind, receipt_key, institution_code, institution_name,
    care_month, claimed_month, receipt_type, insurer_number, symbol, number, branch_number, symbol_key, number_key,
    birth_date, sex, care_from, care_through, care_days, prescriber_code, prescriber_name, match, person_id, coverage_id,
    covered_by, content_digest
from staged_claim
where change in ('new', 'corrected');

-- name: add_claim_shares
-- Add what each payer was charged.
-- $1 merge time
insert into claim_share (claim_id, position, known_from, payer_number, visit_days, points, patient_yen)
select s.claim_id, h.position, $1, h.payer_number, h.visit_days, h.points, h.patient_yen
from staged_claim_share h
join staged_claim s using (record_number)
where s.change in ('new', 'corrected');

-- name: add_claim_medicines
-- Add medicines, with name and unit as the drug master has them.
-- $1 merge time
insert into claim_medicine (person_id, claim_id, line, position, known_from, group_number, usage_group, drug_code,
    drug_known, drug_name, unit, quantity, days_or_times, usage_code, comment, institution_code, prescriber_code,
    medicine_on, day_stated, prescribed_on)
select s.person_id, s.claim_id, m.line, m.position, $1, m.group_number, m.usage_group, m.drug_code,
    d.drug_code is not null, d.name, d.unit, m.quantity, m.days_or_times, m.usage_code, m.comment,
    s.institution_code, s.prescriber_code, m.medicine_on, m.day_stated, m.prescribed_on
from staged_claim_medicine m
join staged_claim s using (record_number)
left join drug d on d.drug_code = m.drug_code
where s.change in ('new', 'corrected');

-- name: add_claim_treatments
-- Add treatments, devices and comments that stand alone.
-- $1 merge time
insert into claim_treatment (person_id, claim_id, line, known_from, group_number, record_type, service_class, code,
    name, quantity, unit, points, times, days, comment)
select s.person_id, s.claim_id, t.line, $1, t.group_number, t.record_type, t.service_class, t.code,
    t.name, t.quantity, t.unit, t.points, t.times, t.days, t.comment
from staged_claim_treatment t
join staged_claim s using (record_number)
where s.change in ('new', 'corrected');

-- name: tell_likely_duplicates
-- Warn of claims beside which another is known of the same number, person, institution, month and type, and name it, or
-- one of them. A pharmacy claims for each institution that prescribes.
-- $1 submission, $2 number of the last fault so far, $3 code, $4 field, $5 expected with %s: month of claim and number
insert into feedback (submission_id, fault_number, record_number, field, code, severity, value_shape, expected)
select $1, $2::bigint + row_number() over (order by s.record_number), s.record_number, $4, $3, 'warning', null,
    format($5, to_char(o.claimed_month, 'YYYYMM'), o.number)
from staged_claim s
cross join lateral (
    select k.claimed_month,
        case when k.receipt_key like 'S%' then substr(k.receipt_key, 2) else split_part(k.receipt_key, '-', 3) end as number
    from claim k
    where k.person_id = s.person_id and k.care_month = s.care_month and k.known_to = 'infinity'
        and k.claim_id <> s.claim_id and k.kind = s.kind and k.institution_code = s.institution_code
        and k.receipt_type = s.receipt_type and k.insurer_number = s.insurer_number
        and k.symbol_key = s.symbol_key and k.number_key = s.number_key
        and k.prescriber_code is not distinct from s.prescriber_code
    limit 1
) o
where s.change <> 'other_insurer';

-- name: changed_claim_records
-- How many records the receipts have that changed something.
select coalesce(sum(records), 0)::bigint as merged from staged_claim where change in ('new', 'corrected');

-- name: merge_drugs
-- Add and change what a master states; a medicine it no longer has stays, for the claims that name it.
-- $1 codes, $2 names, $3 units, $4 forms, $5 codes of the price list, $6 ingredients, $7 whether active, $8 now
insert into drug (drug_code, name, unit, form, yj_code, ingredient, active, loaded_at)
select d.drug_code, d.name, d.unit, d.form, d.yj_code, d.ingredient, d.active, $8
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
    as d (drug_code, name, unit, form, yj_code, ingredient, active)
on conflict (drug_code) do update
set name = excluded.name, unit = excluded.unit, form = excluded.form, yj_code = excluded.yj_code,
    ingredient = excluded.ingredient, active = excluded.active, loaded_at = excluded.loaded_at
where row(drug.name, drug.unit, drug.form, drug.yj_code, drug.ingredient, drug.active)
    is distinct from row(excluded.name, excluded.unit, excluded.form, excluded.yj_code, excluded.ingredient,
        excluded.active);

-- name: moved_coverages
-- Coverages that this merge has put to another person or cancelled, with the person before and the person now, who is
-- nobody where it is cancelled.
select known_person_id, coverage_id, case change when 'corrected' then person_id end as person_id
from merge_plan
where change = 'cancelled' or (change = 'corrected' and person_id <> known_person_id);

-- name: lock_following_claims
-- Wait until no claims are loaded that were matched before, and keep others from being matched until this transaction
-- ends. Whoever waits here holds nothing yet that a load of claims could wait for.
select pg_advisory_xact_lock(3, 0), set_config('idle_in_transaction_session_timeout', '60s', true);

-- name: stage_following_claims
-- Take the claims of coverages that have left their person: with whom they are now, or to be matched anew where it is
-- nobody. A claim of another birth date than the coverage's stays where it is.
-- $1 persons before, $2 coverages, $3 persons now or null, $4 time at which the coverages left
insert into staged_claim (record_number, records, kind, receipt_key, institution_code, institution_name, care_month,
    claimed_month, receipt_type, insurer_number, symbol, number, branch_number, symbol_key, number_key, birth_date, sex,
    care_from, care_through, care_days, content_digest, match, person_id, coverage_id, claim_id)
select k.claim_id, 1, k.kind, k.receipt_key, k.institution_code, k.institution_name, k.care_month,
    k.claimed_month, k.receipt_type, k.insurer_number, k.symbol, k.number, k.branch_number, k.symbol_key, k.number_key,
    k.birth_date, k.sex, k.care_from, k.care_through, k.care_days, k.content_digest,
    case when m.other is null then 'no_coverage' else 'matched' end, m.other,
    case when m.other is not null then m.coverage_id end, k.claim_id
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as m (person_id, coverage_id, other)
join claim k on k.person_id = m.person_id and k.coverage_id = m.coverage_id and k.known_to = 'infinity'
left join coverage c on c.person_id = m.other and c.coverage_id = m.coverage_id and c.known_from = $4
where m.other is null or c.birth_date = k.birth_date
returning claim_id;

-- name: following_claims_time
-- The moment at which these claims are known otherwise: when their coverages are, but after the claims themselves, which
-- a reviewer may have sent meanwhile.
-- $1 time at which the coverages left
select greatest($1::timestamptz, max(k.known_from) + interval '1 microsecond') as known_from
from staged_claim s
join claim k on k.claim_id = s.claim_id and k.known_to = 'infinity';

-- name: move_claim_medicines
-- Put medicines to the person whose their claim is now.
-- $1 time
with closed as (
    update claim_medicine k set known_to = $1
    from staged_claim s
    where k.claim_id = s.claim_id and k.known_to = 'infinity' and k.person_id is distinct from s.person_id
    returning s.person_id, k.claim_id, k.line, k.position, k.group_number, k.usage_group, k.drug_code, k.drug_known,
        k.drug_name, k.unit, k.quantity, k.days_or_times, k.usage_code, k.comment, k.institution_code,
        k.prescriber_code, k.medicine_on, k.day_stated, k.prescribed_on
)
insert into claim_medicine (person_id, claim_id, line, position, known_from, group_number, usage_group, drug_code,
    drug_known, drug_name, unit, quantity, days_or_times, usage_code, comment, institution_code, prescriber_code,
    medicine_on, day_stated, prescribed_on)
select person_id, claim_id, line, position, $1::timestamptz, group_number, usage_group, drug_code, drug_known,
    drug_name, unit, quantity, days_or_times, usage_code, comment, institution_code, prescriber_code,
    medicine_on, day_stated, prescribed_on
from closed;

-- name: move_claim_treatments
-- The same for treatments.
-- $1 time
with closed as (
    update claim_treatment k set known_to = $1
    from staged_claim s
    where k.claim_id = s.claim_id and k.known_to = 'infinity' and k.person_id is distinct from s.person_id
    returning s.person_id, k.claim_id, k.line, k.group_number, k.record_type, k.service_class, k.code, k.name,
        k.quantity, k.unit, k.points, k.times, k.days, k.comment
)
insert into claim_treatment (person_id, claim_id, line, known_from, group_number, record_type, service_class, code,
    name, quantity, unit, points, times, days, comment)
select person_id, claim_id, line, $1::timestamptz, group_number, record_type, service_class, code, name, quantity,
    unit, points, times, days, comment
from closed;

-- name: move_claims
-- The same for the claims themselves. What was charged names nobody and stays as it is.
-- $1 time
with closed as (
    update claim k set known_to = $1
    from staged_claim s
    where k.claim_id = s.claim_id and k.known_to = 'infinity'
    returning k.claim_id, k.submission_id, k.kind, k.receipt_key, k.institution_code, k.institution_name,
        k.care_month, k.claimed_month, k.receipt_type, k.insurer_number, k.symbol, k.number, k.branch_number,
        k.symbol_key, k.number_key, k.birth_date, k.sex, k.care_from, k.care_through, k.care_days,
        k.prescriber_code, k.prescriber_name, s.match, s.person_id, s.coverage_id, s.covered_by, k.content_digest
)
insert into claim (claim_id, known_from, submission_id, kind, receipt_key, institution_code, institution_name,
    care_month, claimed_month, receipt_type, insurer_number, symbol, number, branch_number, symbol_key, number_key,
    birth_date, sex, care_from, care_through, care_days, prescriber_code, prescriber_name, match, person_id, coverage_id,
    covered_by, content_digest)
select claim_id, $1::timestamptz, submission_id, kind, receipt_key, institution_code, institution_name,
    care_month, claimed_month, receipt_type, insurer_number, symbol, number, branch_number, symbol_key, number_key,
    birth_date, sex, care_from, care_through, care_days, prescriber_code, prescriber_name, match, person_id, coverage_id,
    covered_by, content_digest
from closed;

-- name: drop_following_claims
-- Leave no claims behind for what follows next in this transaction.
drop table pg_temp.staged_claim;
