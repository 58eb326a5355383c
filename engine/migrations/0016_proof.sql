-- Proof that what is home is as it was stored.

-- When its bytes were last read and found to be those that were stored; null if they never were.
ALTER TABLE copies ADD COLUMN verified_at INTEGER;
-- What is wrong with the file: missing, changed, unreadable; null if nothing is known to be. It counts as not home.
ALTER TABLE copies ADD COLUMN damage TEXT;
CREATE INDEX copies_damaged ON copies (plan, asset_id) WHERE damage IS NOT NULL;
-- The last item that a verification has come to; the next share follows it.
ALTER TABLE plans ADD COLUMN verified_up_to INTEGER NOT NULL DEFAULT 0;

-- What verifications have found.
CREATE TABLE verifications (
    run        INTEGER PRIMARY KEY REFERENCES runs (no) ON DELETE CASCADE,
    percent    INTEGER,                       -- null for all of the mirror
    first      INTEGER NOT NULL,              -- it began behind this item
    position   INTEGER NOT NULL,              -- it has come to this item
    is_over    INTEGER NOT NULL DEFAULT 0,    -- 1 once all files have been read
    files      INTEGER NOT NULL DEFAULT 0,    -- so many have been read, or were not there
    bytes      INTEGER NOT NULL DEFAULT 0,
    good       INTEGER NOT NULL DEFAULT 0,
    missing    INTEGER NOT NULL DEFAULT 0,
    changed    INTEGER NOT NULL DEFAULT 0,
    unreadable INTEGER NOT NULL DEFAULT 0,
    strange    INTEGER NOT NULL DEFAULT 0     -- files that are not Charon's
) STRICT;
