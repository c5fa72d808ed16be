-- What insurers state of persons known by name only is found by insurer and time, as everything else that they state.
set local lock_timeout = '5s';

create index lone_statement_by_insurer on lone_statement (insurer_number, kept_at);
