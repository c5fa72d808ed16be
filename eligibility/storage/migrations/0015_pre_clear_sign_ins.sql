-- The worker forgets sessions of staff that are over, and how often somebody tried to sign in long ago.
set local lock_timeout = '5s';

create index staff_session_by_end on staff_session (expires_at);
create index sign_in_budget_by_age on sign_in_budget (began_at);

grant select (expires_at), delete on staff_session to eligibility_worker;
grant select (began_at), delete on sign_in_budget to eligibility_worker;
