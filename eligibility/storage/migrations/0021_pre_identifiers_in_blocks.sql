-- Identifiers for a first file's portions: each value begins a block of 1,048,576 that no other sequence gives, more
-- than a portion has records, so that a portion's persons and coverages are numbered without asking for each.
set local lock_timeout = '2s';

create sequence identifier_block_seq as bigint increment by 1048576 minvalue 4398046511104;

grant usage on sequence identifier_block_seq to eligibility_payer;
