-- The inbox: single files that programs hand over to be sent to a storage.

-- The plan whose runs send what the inbox of a storage holds. It is made by Charon and shown by its runs alone.
ALTER TABLE plans ADD COLUMN is_inbox INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX plans_of_inboxes ON plans (storage_id) WHERE is_inbox = 1;

-- What was taken in. A row is written once the file is complete and flushed in the spool, and stands for it from then on.
CREATE TABLE receipts (
    id          TEXT PRIMARY KEY,
    storage     INTEGER NOT NULL REFERENCES storages (no) ON DELETE CASCADE,
    state       TEXT NOT NULL,                -- waiting, sent, failed
    file_name   TEXT NOT NULL,
    album       TEXT,                         -- the title
    sha256      BLOB NOT NULL,
    size        INTEGER NOT NULL,
    key         TEXT,                         -- by which the one who sent it knows that it is the same
    failures    INTEGER NOT NULL DEFAULT 0,   -- how often it could not be sent for something that may pass
    again_at    INTEGER NOT NULL,             -- not before this
    media_id    TEXT,
    was_there   INTEGER,                      -- 1 if the storage had the bytes before
    class       TEXT,
    reason      TEXT,
    received_at INTEGER NOT NULL,
    ended_at    INTEGER,                      -- when it was sent or failed
    run         INTEGER                       -- the number of the run that sent it; it may be gone
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_storage ON receipts (storage, id);
CREATE UNIQUE INDEX receipts_by_key ON receipts (storage, key) WHERE key IS NOT NULL;
CREATE INDEX receipts_waiting ON receipts (storage, again_at) WHERE state = 'waiting';
CREATE INDEX receipts_by_end ON receipts (ended_at) WHERE ended_at IS NOT NULL;
