-- What was done to a person may be read by their consent of that class, behind the same wall as medicines.
set local lock_timeout = '5s';

grant select (person_id, claim_id, line, known_from, known_to, record_type, service_class, code, name, quantity, unit,
              times, days, comment)
    on claim_treatment to eligibility_counter;
grant select (institution_code, care_month) on claim to eligibility_counter;

alter table claim_treatment enable row level security;

create policy counter_by_consent on claim_treatment for select to eligibility_counter
    using (person_id = (select consented_person('treatment')));
-- Beside the one for medicines: either consent opens which claims there are, each its own table.
create policy counter_by_treatment_consent on claim for select to eligibility_counter
    using (person_id = (select consented_person('treatment')));
create policy payer_all on claim_treatment to eligibility_payer using (true) with check (true);
