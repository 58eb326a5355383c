-- What can be relied upon: whose account it is, where an upload broke off, what a storage refused, how complete a listing was.

-- The account behind a storage, by an id that stays; null until it is told.
ALTER TABLE storages ADD COLUMN account TEXT;
-- 1 after a new consent that did not tell whose it is: the next run looks whether the ledger's items are there.
ALTER TABLE storages ADD COLUMN account_in_doubt INTEGER NOT NULL DEFAULT 0;
-- What decides which items the storage sees (the client); null until it is saved the next time.
ALTER TABLE storages ADD COLUMN identity TEXT;

-- An item has parts: the whole, and the clip of a motion photo. Each has its own bytes and its own file.
CREATE TABLE new_contents (
    asset_id INTEGER NOT NULL REFERENCES assets (id),
    part     TEXT NOT NULL,                   -- whole, clip
    sha256   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    fidelity TEXT NOT NULL,                   -- original, api-copy
    PRIMARY KEY (asset_id, part, sha256)
) STRICT, WITHOUT ROWID;
INSERT INTO new_contents SELECT asset_id, 'whole', sha256, size, fidelity FROM contents;
DROP TABLE contents;
ALTER TABLE new_contents RENAME TO contents;
CREATE INDEX contents_by_sha256 ON contents (sha256);

CREATE TABLE new_copies (
    plan_id   TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    asset_id  INTEGER NOT NULL REFERENCES assets (id),
    part      TEXT NOT NULL,                  -- whole, clip
    remote_id TEXT NOT NULL,
    path      TEXT NOT NULL,                  -- below the destination, with forward slashes
    path_key  TEXT NOT NULL,                  -- what a case-insensitive file system takes the path for
    sha256    TEXT,                           -- null until the bytes are stored
    size      INTEGER,
    stored_at TEXT,
    PRIMARY KEY (plan_id, asset_id, part),
    UNIQUE (plan_id, path_key)
) STRICT, WITHOUT ROWID;
INSERT INTO new_copies SELECT plan_id, asset_id, 'whole', remote_id, path, path_key, sha256, size, stored_at FROM copies;
DROP TABLE copies;
ALTER TABLE new_copies RENAME TO copies;

-- Not every item says when it was taken.
CREATE TABLE new_remotes (
    storage_id    TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    remote_id     TEXT NOT NULL,
    asset_id      INTEGER NOT NULL REFERENCES assets (id),
    file_name     TEXT NOT NULL,              -- the original name, whatever the path became
    mime_type     TEXT NOT NULL,
    taken_at      TEXT,                       -- null if the storage does not know
    first_seen_at TEXT NOT NULL,
    listed_by     TEXT,                       -- the run whose listing showed it last
    no_clip       INTEGER NOT NULL DEFAULT 0, -- how often the storage has said that there is no clip, whatever its listing says
    clip_again_at TEXT,                       -- not before this it is asked for the clip again
    PRIMARY KEY (storage_id, remote_id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_remotes SELECT storage_id, remote_id, asset_id, file_name, mime_type, taken_at, first_seen_at, listed_by, 0, NULL
    FROM remotes;
DROP TABLE remotes;
ALTER TABLE new_remotes RENAME TO remotes;
CREATE INDEX remotes_by_asset ON remotes (asset_id);

-- The listings that plans have made, in the order in which they began (rowid; a clock may be set back). A complete one went
-- from the first page to the last without a gap that it knows of.
CREATE TABLE listings (
    plan_id    TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    run_id     TEXT NOT NULL,
    selection  TEXT NOT NULL,                 -- JSON: what was asked for
    is_full    INTEGER NOT NULL,              -- 0 for a quick one, which stopped where everything was known
    is_complete INTEGER NOT NULL,             -- 1 once its last page has been recorded
    items      INTEGER NOT NULL,
    skipped    TEXT NOT NULL DEFAULT '{}',    -- JSON: how many are left out behind the place where it stopped, by reason
    began_at   TEXT NOT NULL,
    ended_at   TEXT,
    PRIMARY KEY (plan_id, run_id)
) STRICT;

-- Uploads that have begun and can be taken up where they broke off, from a file that is still as it was.
CREATE TABLE sessions (
    storage_id  TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    sha256      TEXT NOT NULL,
    path        TEXT NOT NULL,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    session     BLOB NOT NULL,                -- encrypted
    began_at    TEXT NOT NULL,
    PRIMARY KEY (storage_id, sha256)
) STRICT, WITHOUT ROWID;

-- Bytes that a storage has refused for what they are. They are tried again ever more rarely.
CREATE TABLE refusals (
    storage_id TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    sha256     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    times      INTEGER NOT NULL,
    again_at   TEXT NOT NULL,                 -- not before this
    PRIMARY KEY (storage_id, sha256)
) STRICT, WITHOUT ROWID;

-- The intent to make an album is recorded before it is made: a lost answer is then looked into and not repeated.
CREATE TABLE new_albums (
    storage_id  TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    title       TEXT NOT NULL,
    album_id    TEXT,                         -- null while it is being made
    intended_at TEXT,                         -- when Charon began to make it; null if it was found
    PRIMARY KEY (storage_id, title)
) STRICT, WITHOUT ROWID;
INSERT INTO new_albums SELECT storage_id, title, album_id, NULL FROM albums;
DROP TABLE albums;
ALTER TABLE new_albums RENAME TO albums;
