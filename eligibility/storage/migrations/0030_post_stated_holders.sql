-- Every process that states coverages states their holders now, and none looks for them among the coverages.
set local lock_timeout = '5s';

drop trigger state_holders on coverage;
drop function state_holders();
drop index coverage_by_holder_hash;
