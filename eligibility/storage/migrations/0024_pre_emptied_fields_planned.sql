-- A merge's plan keeps which fields each statement empties: where it compares both, not once more afterwards.
set local lock_timeout = '2s';

alter table merge_plan add column emptied text[];
