-- A merge's plan keeps where it has found the known coverages, so that closing them does not look for them again.
set local lock_timeout = '2s';

alter table merge_plan add column known_row tid;
