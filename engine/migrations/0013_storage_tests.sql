-- What people see of a storage: which version of it, whose it is, and how its last test went.

-- Grows with every change that somebody makes, and not when a token is renewed: whoever saves a change says which version they have
-- seen. It is the number of the event that told of the change.
ALTER TABLE storages ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
UPDATE storages SET revision = no;
-- The account as people know it (an e-mail address), where the consent told it.
ALTER TABLE storages ADD COLUMN account_name TEXT;

-- The last test of each storage that was made to its end.
CREATE TABLE storage_tests (
    storage  INTEGER PRIMARY KEY REFERENCES storages (no) ON DELETE CASCADE,
    revision INTEGER NOT NULL,                -- the version of the storage that was tested
    at       TEXT NOT NULL,
    checks   TEXT NOT NULL                    -- JSON: its stages
) STRICT;
