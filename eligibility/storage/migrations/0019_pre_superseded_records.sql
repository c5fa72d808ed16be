-- A case of several records is superseded record by record, as its insurer states their coverages anew.
set local lock_timeout = '2s';

alter table quarantined_record add column superseded_at timestamptz;

grant update (superseded_at) on quarantined_record to eligibility_payer;
