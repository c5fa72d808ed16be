-- A receipt number may mean another receipt for another holder, so that the holder is part of what is unique; keys stay
-- as they are. A claim's days of care are kept as well, so that it is matched by them and not by all that lies between.
-- While the index is built, files of claims wait; counters do not.
set local lock_timeout = '2s';

create unique index claim_by_receipt_of_holder on claim (institution_code, kind, receipt_key, care_month, birth_date,
    number_key, symbol_key, insurer_number, known_to) nulls not distinct;
drop index claim_by_receipt;
alter index claim_by_receipt_of_holder rename to claim_by_receipt;

alter table claim add column care_days date[];  -- null where none is stated, and in claims of former releases
alter table staged_claim add column care_days date[];
