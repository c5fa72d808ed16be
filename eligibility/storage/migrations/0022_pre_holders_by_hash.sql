-- A card's holder is found by a hash of name and birth date, which takes half the place and half the time to keep that
-- the two themselves take. While the index is made insurers' merges wait; look-ups do not.
set local lock_timeout = '2s';

create index coverage_by_holder_hash on coverage
    (hashtextextended(name_key, birth_date - date '2000-01-01')) where known_to = 'infinity';
