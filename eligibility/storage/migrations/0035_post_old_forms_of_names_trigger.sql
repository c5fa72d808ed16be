-- What brought names' keys along is done. A trigger goes while nobody reads its table: on its own that is a moment, and
-- where a long reader prevents it, it can be tried again without the rewriting before it.
set local lock_timeout = '5s';

drop trigger state_holders_now on coverage;
drop function state_holders_now();
drop function name_key_now(text);
drop function old_forms_of_names();
