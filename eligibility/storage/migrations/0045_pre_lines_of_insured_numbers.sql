-- Warnings about whose a claim is name the line of the insured number (HO) or of the branch number (SN).
set local lock_timeout = '2s';

alter table staged_claim add column insured_line bigint;
alter table staged_claim add column branch_line bigint;
