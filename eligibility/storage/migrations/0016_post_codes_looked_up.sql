-- Codes of a first file's portion are looked up and copied without a table on the way.
set local lock_timeout = '5s';

drop table stated_code;
