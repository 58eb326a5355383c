-- What programs that use Charon as a plugin have sent.

-- How each field of a storage's configuration was when a host sent it last: SHA-256 by field, encrypted. A host goes on sending
-- the token that it was given once, and must not undo what has been renewed since.
CREATE TABLE sent_configs (
    storage_id   TEXT PRIMARY KEY REFERENCES storages (id) ON DELETE CASCADE,
    fingerprints BLOB NOT NULL
) STRICT;
