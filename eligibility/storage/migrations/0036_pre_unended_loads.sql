-- Loads that were killed with their process, so that a file which ends every process is given up after some of them.
set local lock_timeout = '2s';

alter table submission add column unended_loads smallint not null default 0;

grant update (unended_loads) on submission to eligibility_payer;
