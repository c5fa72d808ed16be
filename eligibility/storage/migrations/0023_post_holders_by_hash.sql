-- Nobody looks holders up by name and birth date themselves any more.
set local lock_timeout = '5s';

drop index coverage_by_holder;
