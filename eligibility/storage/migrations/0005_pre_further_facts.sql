-- What later editions of the eligibility layout state of a coverage beyond edition 1.
set local lock_timeout = '2s';

alter table coverage add column further jsonb;
alter table staged_eligibility add column further jsonb;
