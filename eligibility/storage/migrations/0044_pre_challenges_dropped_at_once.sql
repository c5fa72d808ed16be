-- Days of used challenges are dropped at once or another time: whoever wrote a challenge waited for two seconds behind a
-- drop that waited for somebody who reads the table for long.
set local lock_timeout = '2s';

alter function drop_used_challenges(timestamptz) set lock_timeout = '50ms';
