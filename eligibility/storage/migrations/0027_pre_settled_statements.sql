-- A merge's plan keeps which statements say nothing new of whom and when: neither guard nor overlaps look at them again.
set local lock_timeout = '2s';

alter table merge_plan add column settled boolean;
