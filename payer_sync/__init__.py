"""The insurers' bulk push: from a file as the field writes it to facts in the centre, and feedback on every fault."""

import os

# Before polars is imported: its allocator would give pages back after half a second and ask for them again with the
# next block of a file, which takes a tenth of a check's processor time. What an operator has set counts instead.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000,muzzy_decay_ms:10000")
