-- Nobody looks by transactions any more for what was stated meanwhile.
set local lock_timeout = '5s';

alter table lone_statement drop column stated_in, alter column kept_at drop default;
