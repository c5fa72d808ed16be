-- name: disclosure_facts
-- Finds an institution's verification with its consents, one row for each consent or one without.
-- $1 verification id, $2 institution code
select v.outcome, v.person_id, v.card_key, v.certificate_in_grace, now() as database_now,
       c.class, c.given_at, c.expires_at, c.withdrawn_at
from verification v
left join consent c on c.person_id = v.person_id and c.verification_id = v.verification_id
where v.verification_id = $1 and v.institution_code = $2;

-- What a consent opens is read by one statement, outside a transaction, that says first by which verification and
-- institution it reads: the row-level security of what it reads then asks for that verification's consent. The second
-- step needs what the first has said, and `offset 0` keeps them apart, so that nothing of it runs before; the same
-- words ask the wall once, not wherever its person is named.

-- name: consented_medicines
-- Reads the medicines that claims now state of the person who consented, latest first; with nothing stated, one row
-- whose medicine is null. No person means that no consent is in force.
-- $1 verification id, $2 institution code, $3 first day, $4 last day
select records.*
from (select set_config('eligibility.verification', $1::uuid::text, true) as verification,
             set_config('eligibility.institution', $2, true) as institution offset 0) as said
cross join lateral (
    select wall.person_id as consenting_person, m.medicine_on, m.day_stated, m.prescribed_on, c.kind, m.usage_group,
           m.usage_code, m.drug_code, coalesce(m.drug_name, d.name) as drug_name, d.drug_code is not null as drug_known,
           nullif(d.ingredient, '') as ingredient, m.quantity, coalesce(m.unit, d.unit) as unit, m.days_or_times,
           m.institution_code, c.institution_name, m.prescriber_code, c.prescriber_name, m.comment, m.known_from,
           m.claim_id, m.line, m.position
    from (select consented_person('medication') as person_id
          where (said.verification, said.institution) is not null offset 0) as wall
    left join (claim_medicine m join claim c on c.claim_id = m.claim_id and c.known_to = 'infinity')
        on m.person_id = wall.person_id and m.known_to = 'infinity' and m.medicine_on between $3 and $4
    left join drug d on d.drug_code = m.drug_code
    offset 0
) as records
order by medicine_on desc, claim_id, line, position;

-- name: consented_treatments
-- Reads what claims now state was done to the person who consented, latest month first, each claim in its own order;
-- with nothing stated, one row whose treatment is null. No person means that no consent is in force.
-- $1 verification id, $2 institution code, $3 first day of a month, $4 last day of a month
select records.*
from (select set_config('eligibility.verification', $1::uuid::text, true) as verification,
             set_config('eligibility.institution', $2, true) as institution offset 0) as said
cross join lateral (
    select wall.person_id as consenting_person, c.care_month, c.kind, c.institution_code, c.institution_name,
           t.record_type, t.service_class, t.code, t.name, t.quantity, t.unit, t.times, t.days, t.comment, t.known_from,
           t.claim_id, t.line
    from (select consented_person('treatment') as person_id
          where (said.verification, said.institution) is not null offset 0) as wall
    left join (claim_treatment t join claim c on c.claim_id = t.claim_id and c.known_to = 'infinity')
        on t.person_id = wall.person_id and t.known_to = 'infinity' and c.care_month between $3 and $4
    offset 0
) as records
order by care_month desc, claim_id, line;

-- name: consented_checkups
-- Reads the check-ups now known of the person who consented, latest first, one row for each result; with nothing
-- known, one row whose check-up is null. No person means that no consent is in force.
-- $1 verification id, $2 institution code, $3 first day, $4 last day
select records.*
from (select set_config('eligibility.verification', $1::uuid::text, true) as verification,
             set_config('eligibility.institution', $2, true) as institution offset 0) as said
cross join lateral (
    select wall.person_id as consenting_person, k.checkup_id, k.performed_on, k.institution_code, k.insurer_number,
           i.name as insurer_name, greatest(k.known_from, r.known_from) as known_from, r.item_code, r.result_kind,
           r.value, r.value_name, r.unit, r.low, r.high, r.flag
    from (select consented_person('checkup') as person_id
          where (said.verification, said.institution) is not null offset 0) as wall
    left join (checkup k join insurer i using (insurer_number))
        on k.person_id = wall.person_id and k.known_to = 'infinity' and k.performed_on between $3 and $4
    left join checkup_result r
        on r.person_id = k.person_id and r.checkup_id = k.checkup_id and r.known_to = 'infinity'
    offset 0
) as records
order by performed_on desc, checkup_id, item_code;

-- name: withdraw_consent
-- Ends a person's consents of a class to an institution, whichever of its verifications they were given with. One that
-- a clock calls expired is ended, too, as long as the other doesn't: it may be read by another process. No row means the
-- institution has no such verification; the person is null where it named nobody.
-- $1 verification id, $2 institution code, $3 class, $4 time
with meant as (
    select v.person_id from verification v where v.verification_id = $1 and v.institution_code = $2
), withdrawn as (
    update consent c set withdrawn_at = $4
    from meant
    where c.person_id = meant.person_id and c.institution_code = $2 and c.class = $3 and c.withdrawn_at is null
      and least($4, now()) < c.expires_at
    returning c.consent_id
)
select meant.person_id, (select count(*) from withdrawn) as withdrawn from meant;
