-- A loss of a coverage that is kept from the register is put on the record kept, for a release to come.
set local lock_timeout = '2s';

grant update (stated) on quarantined_record to eligibility_payer;
