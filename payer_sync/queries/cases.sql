-- name: list_cases
-- Cases of suspected wrong links: the open ones, the oldest first, then the others, the latest first.
-- $1 state or null, $2 insurer number or null, $3 how many
with sorted as (
    select case_id, insurer_number, kind, state, count(*) over () as found,
        row_number() over (order by state <> 'open', case when state = 'open' then case_id else -case_id end) as place
    from mislink_case
    where ($1::text is null or state = $1) and ($2::text is null or insurer_number = $2)
)
select s.case_id, s.insurer_number, s.kind, s.state, s.found,
    (
        select array_agg(distinct r.reason)
        from quarantined_record q cross join unnest(q.reasons) as r (reason) where q.case_id = s.case_id
    ) as reasons,
    (select count(*) from quarantined_record q where q.case_id = s.case_id) as records
from sorted s
where s.place <= $3
order by s.place;

-- name: find_case
-- One case, with the submission it came from.
-- $1 case
select case_id, opened_at, insurer_number, submission_id, kind, state, closed_by, reason
from mislink_case where case_id = $1;

-- name: records_of_case
-- The records that a case keeps, those out of date included.
-- $1 case
select record_number, person_id, reasons, superseded_at, acquired_on, stated ->> 'name' as name, stated ->> 'name_kana' as name_kana,
    stated ->> 'birth_date' as birth_date, stated ->> 'sex' as sex, stated ->> 'symbol' as symbol,
    stated ->> 'number' as number, branch_number
from quarantined_record where case_id = $1 order by record_number;

-- name: coverages_of_case
-- What is stated of the persons whom the case's linkage codes mean, and what was stated last of coverages that have left
-- them, with when.
-- $1 case
select c.coverage_id, c.person_id, c.insurer_number, c.symbol, c.number, c.branch_number, c.name, c.name_kana,
    c.birth_date, c.sex, c.acquired_on, c.lost_on, nullif(c.known_to, 'infinity') as left_at
from coverage c
where not exists (
        select from coverage later
        where later.person_id = c.person_id and later.coverage_id = c.coverage_id and later.known_from > c.known_from
    )
    and c.person_id in (
        select q.person_id from quarantined_record q where q.case_id = $1
        union
        select p.person_id from quarantined_record q join person p on p.linkage_code = q.stated ->> 'linkage_code'
        where q.case_id = $1
    )
order by c.person_id, c.acquired_on, c.coverage_id;

-- name: lock_case
-- Take a case for a decision; another operator's waits.
-- $1 case
select state, kind, insurer_number, submission_id from mislink_case where case_id = $1 for update;

-- name: stage_case
-- Put a case's records into the session's staging table, but for those that a later file has put out of date.
-- $1 case
insert into staged_eligibility
select (jsonb_populate_record(null::public.staged_eligibility, q.stated)).*
from quarantined_record q where q.case_id = $1 and q.superseded_at is null;

-- name: last_fault
-- The number of a submission's last fault.
-- $1 submission
select coalesce(max(fault_number), 0)::bigint from feedback where submission_id = $1;

-- name: close_case
-- End a case.
-- $1 case, $2 state, $3 now, $4 by whom, $5 why
update mislink_case set state = $2, closed_at = $3, closed_by = $4, reason = $5 where case_id = $1;

-- name: tell_case_closed
-- Leave a notice for every insurer that the case concerns.
-- $1 case, $2 now, $3 code, $4 expected
insert into insurer_notice (insurer_number, created_at, code, expected)
select insurer_number, $2::timestamptz, $3, $4 from mislink_case where case_id = $1
union
select c.insurer_number, $2, $3, $4
from quarantined_record q
join coverage c on c.person_id = q.person_id and c.known_to = 'infinity'
where q.case_id = $1;

-- name: tell_split_off
-- Leave a notice for the insurers of the coverages that were split off.
-- $1 person split off, $2 now, $3 code, $4 expected
insert into insurer_notice (insurer_number, created_at, code, expected, coverage_id)
select insurer_number, $2::timestamptz, $3, $4, coverage_id
from coverage where person_id = $1 and known_to = 'infinity';

-- name: released_coverages
-- The coverages that a released case has put into the register.
-- $1 case
select c.coverage_id
from quarantined_record q
join mislink_case m using (case_id)
join coverage c on c.insurer_number = m.insurer_number and c.number_key = q.number_key and c.symbol_key = q.symbol_key
    and c.branch_number = q.branch_number and c.acquired_on = q.acquired_on and c.known_to = 'infinity'
join person p on p.person_id = c.person_id and p.linkage_code = q.stated ->> 'linkage_code'
where q.case_id = $1 and q.superseded_at is null;

-- name: coverages_to_split
-- Of some coverages, those of the case's persons, as they stand; $1 case, $2 coverages
select coverage_id, person_id, insurer_number
from coverage
where coverage_id = any($2) and known_to = 'infinity'
    and person_id in (
        select q.person_id from quarantined_record q where q.case_id = $1
        union
        select p.person_id from quarantined_record q join person p on p.linkage_code = q.stated ->> 'linkage_code'
        where q.case_id = $1
    )
order by insurer_number, coverage_id;

-- name: released_coverages_that_left
-- The coverages that a released case has put into the register and that have left the persons whom it put them to.
-- $1 case
select c.coverage_id, c.person_id
from quarantined_record q
join mislink_case m using (case_id)
join coverage c on c.insurer_number = m.insurer_number and c.number_key = q.number_key and c.symbol_key = q.symbol_key
    and c.branch_number = q.branch_number and c.acquired_on = q.acquired_on
join person p on p.person_id = c.person_id and p.linkage_code = q.stated ->> 'linkage_code'
where q.case_id = $1 and q.superseded_at is null and m.state = 'released'
group by c.person_id, c.coverage_id
having max(c.known_to) < 'infinity'
order by c.person_id, c.coverage_id;

-- name: coverages_that_left
-- Of some coverages, those that have left persons of the case; $1 case, $2 coverages
select coverage_id, person_id
from coverage
where coverage_id = any($2)
    and person_id in (
        select q.person_id from quarantined_record q where q.case_id = $1
        union
        select p.person_id from quarantined_record q join person p on p.linkage_code = q.stated ->> 'linkage_code'
        where q.case_id = $1
    )
group by person_id, coverage_id
having max(known_to) < 'infinity'
order by person_id, coverage_id;

-- name: split_time
-- The moment at which a split becomes known: after all that is known of the persons.
-- $1 persons
select greatest(clock_timestamp(), max(known_from) + interval '1 microsecond') as known_from
from coverage where person_id = any($1);

-- name: add_split_person
-- Add the person that a reversal splits off; its code has a space, so that no file can state it, and the split time,
-- because a case that stays open can split a person again. It ends with the person split from.
-- $1 case, $2 person split from, $3 split time
insert into person (linkage_code)
values (format('split %s.%s.%s', $1::bigint, (extract(epoch from $3::timestamptz) * 1000000)::bigint, $2::bigint))
returning person_id;

-- name: shown_by_mistake
-- Verifications of a person while the coverages were put to it whose answer rested on one of them or named it. Counters
-- see that one has left when the merge ends, which takes less than an hour from the moment that it bears.
-- $1 person, $2 coverages
with wrong as (
    select coverage_id, min(known_from) as since, max(known_to) + interval '1 hour' as until,
        min(acquired_on) as acquired_on, max(coalesce(lost_on, 'infinity')) as lost_on
    from coverage where person_id = $1 and coverage_id = any($2)
    group by coverage_id
)
select v.verification_id, v.occurred_at, v.institution_code, v.method, v.asked_for, v.coverage_id
from verification v
where v.person_id = $1 and exists (
    select from wrong w
    where w.since <= v.known_at and v.known_at < w.until
        and (w.coverage_id = v.coverage_id or (w.acquired_on <= v.asked_for and v.asked_for < w.lost_on))
)
order by v.occurred_at, v.verification_id;

-- name: mistaken_since
-- Since when anything of a person may be another's. What counters keep bears the time of their process's clock, so that
-- a minute before counts too.
-- $1 person, $2 coverages
select min(known_from) - interval '1 minute' from coverage where person_id = $1 and coverage_id = any($2);

-- name: disclosed_by_mistake
-- Looks at a person's medical data since a time, and until the coverages have left it.
-- $1 person, $2 since when, $3 coverages
select event_id, occurred_at, institution_code, staff_id, verification_id, class
from disclosures_of($1, $2)
where occurred_at < (
    select max(known_to) + interval '1 hour' from coverage where person_id = $1 and coverage_id = any($3)
)
order by event_id;

-- name: withdraw_consents
-- Withdraw what is in force of a person's consents that were given since a time.
-- $1 person, $2 since when, $3 split time
select verification_id, institution_code, class, given_at
from withdraw_consents_of($1, $2, $3)
order by given_at, verification_id, class;

-- name: hold_registrations
-- Let no card or institution's own number be registered until the transaction ends.
select hold_registrations();

-- name: take_back_cards
-- Take away a person's cards that were registered since a time; the next use of each finds its holder anew.
-- $1 person, $2 since when
select institution_code, registered_at from take_back_cards_of($1, $2) order by registered_at, institution_code;

-- name: take_back_reference_numbers
-- Take away the numbers that institutions have given a person since a time.
-- $1 person, $2 since when
select institution_code, reference_number, registered_at
from take_back_reference_numbers_of($1, $2)
order by registered_at, institution_code;

-- name: split_coverages
-- Move coverages to another person, from now on in known time.
-- $1 person, $2 coverages, $3 split time, $4 other person
with closed as (
    update coverage set known_to = $3
    where person_id = $1 and coverage_id = any($2) and known_to = 'infinity'
    returning coverage_id, submission_id, insurer_number, symbol, number, branch_number, symbol_key, number_key, name,
        name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class, acquired_on, lost_on,
        loss_reason, copayment_percent, issued_on, valid_from, valid_through, preschool, viewing_suspended, further
)
insert into coverage (person_id, coverage_id, known_from, submission_id, insurer_number, symbol, number, branch_number,
    symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class,
    acquired_on, lost_on, loss_reason, copayment_percent, issued_on, valid_from, valid_through, preschool,
    viewing_suspended, further)
select $4::bigint, coverage_id, $3::timestamptz, submission_id, insurer_number, symbol, number, branch_number,
    symbol_key, number_key, name, name_kana, name_key, birth_date, sex, postal_code, address, relation, card_class,
    acquired_on, lost_on, loss_reason, copayment_percent, issued_on, valid_from, valid_through, preschool,
    viewing_suspended, further
from closed;

-- name: split_holders
-- Let the other person be found by name and birth date.
-- $1 other person
insert into stated_holder (holder_hash, person_id)
select distinct holder_hash(name_key, birth_date), person_id from coverage where person_id = $1;

-- name: split_limit_certificates
-- The same for their limit certificates.
-- $1 person, $2 coverages, $3 split time, $4 other person
with closed as (
    update limit_certificate set known_to = $3
    where person_id = $1 and coverage_id = any($2) and known_to = 'infinity'
    returning coverage_id, valid_from, limit_class, category, valid_through, long_term_on
)
insert into limit_certificate (person_id, coverage_id, valid_from, known_from, limit_class, category, valid_through,
    long_term_on)
select $4::bigint, coverage_id, valid_from, $3::timestamptz, limit_class, category, valid_through, long_term_on
from closed;

-- name: split_specific_disease_certificates
-- The same for their specific disease certificates.
-- $1 person, $2 coverages, $3 split time, $4 other person
with closed as (
    update specific_disease_certificate set known_to = $3
    where person_id = $1 and coverage_id = any($2) and known_to = 'infinity'
    returning coverage_id, valid_from, disease, monthly_cap_yen, valid_through
)
insert into specific_disease_certificate (person_id, coverage_id, valid_from, known_from, disease, monthly_cap_yen,
    valid_through)
select $4::bigint, coverage_id, valid_from, $3::timestamptz, disease, monthly_cap_yen, valid_through
from closed;

-- name: split_elderly_certificates
-- The same for their elderly certificates.
-- $1 person, $2 coverages, $3 split time, $4 other person
with closed as (
    update elderly_certificate set known_to = $3
    where person_id = $1 and coverage_id = any($2) and known_to = 'infinity'
    returning coverage_id, valid_from, copayment_percent, valid_through
)
insert into elderly_certificate (person_id, coverage_id, valid_from, known_from, copayment_percent, valid_through)
select $4::bigint, coverage_id, valid_from, $3::timestamptz, copayment_percent, valid_through
from closed;
