-- Ids and times come from Rust: UUIDs as text, times as RFC 3339 text in UTC.

CREATE TABLE storages (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    provider         TEXT NOT NULL,
    config           TEXT NOT NULL,           -- JSON, without the secret fields
    secrets          BLOB NOT NULL,           -- the secret fields, encrypted
    secrets_revision INTEGER NOT NULL,        -- a refreshed token is saved only over the revision it came from
    created_at       TEXT NOT NULL
) STRICT;

CREATE TABLE plans (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    storage_id   TEXT NOT NULL REFERENCES storages (id),
    config       TEXT NOT NULL,               -- JSON, with its kind
    mirror_ready INTEGER NOT NULL,            -- 1 once the destination carries its marker; from then on it must
    created_at   TEXT NOT NULL
) STRICT;

-- The run row is the queue row.
CREATE TABLE runs (
    id            TEXT PRIMARY KEY,
    plan_id       TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    trigger       TEXT NOT NULL,
    scheduled_for TEXT,                       -- the occurrence; null for a manual run
    state         TEXT NOT NULL,
    queued_at     TEXT NOT NULL,
    started_at    TEXT,
    ended_at      TEXT,
    parked_until  TEXT,
    done          INTEGER NOT NULL DEFAULT 0,
    unchanged     INTEGER NOT NULL DEFAULT 0,
    skipped       INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    bytes         INTEGER NOT NULL DEFAULT 0,
    requests      TEXT NOT NULL DEFAULT '{}', -- JSON: how many by meter
    stop          TEXT,                       -- JSON: why it ended before its end
    UNIQUE (plan_id, scheduled_for)           -- an occurrence runs at most once
) STRICT;
CREATE INDEX runs_by_plan ON runs (plan_id, queued_at);

-- What became of the items of a run. Unchanged ones are a count, answered from the ledger.
CREATE TABLE run_items (
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    item    TEXT NOT NULL,                    -- a media id or a local path
    name    TEXT NOT NULL,
    outcome TEXT NOT NULL,                    -- done, skipped, failed
    class   TEXT,
    reason  TEXT,
    bytes   INTEGER NOT NULL,
    at      TEXT NOT NULL,
    PRIMARY KEY (run_id, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_items_by_outcome ON run_items (run_id, outcome);

-- The ledger. An asset is one photo or video, wherever it is.
CREATE TABLE assets (
    id INTEGER PRIMARY KEY
) STRICT;

-- Where an asset is at a storage.
CREATE TABLE remotes (
    storage_id    TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    remote_id     TEXT NOT NULL,
    asset_id      INTEGER NOT NULL REFERENCES assets (id),
    file_name     TEXT NOT NULL,              -- the original name, whatever the path became
    mime_type     TEXT NOT NULL,
    taken_at      TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    listed_by     TEXT,                       -- the run whose listing showed it last
    PRIMARY KEY (storage_id, remote_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX remotes_by_asset ON remotes (asset_id);

-- The bytes an asset is known to have.
CREATE TABLE contents (
    asset_id INTEGER NOT NULL REFERENCES assets (id),
    sha256   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    fidelity TEXT NOT NULL,                   -- original, api-copy
    PRIMARY KEY (asset_id, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX contents_by_sha256 ON contents (sha256);

-- Where an asset is in a mirror. The path is committed before the bytes are fetched, and stays.
CREATE TABLE copies (
    plan_id   TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    asset_id  INTEGER NOT NULL REFERENCES assets (id),
    remote_id TEXT NOT NULL,
    path      TEXT NOT NULL,                  -- below the destination, with forward slashes
    path_key  TEXT NOT NULL,                  -- what a case-insensitive file system takes the path for
    sha256    TEXT,                           -- null until the bytes are stored
    size      INTEGER,
    stored_at TEXT,
    PRIMARY KEY (plan_id, asset_id),
    UNIQUE (plan_id, path_key)
) STRICT, WITHOUT ROWID;

-- Local files whose SHA-256 is known as long as size and modification time stay.
CREATE TABLE local_files (
    path        TEXT PRIMARY KEY,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How many files a source folder showed at the end of its last complete scan.
CREATE TABLE sources (
    plan_id TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    path    TEXT NOT NULL,
    files   INTEGER NOT NULL,
    PRIMARY KEY (plan_id, path)
) STRICT, WITHOUT ROWID;

-- Bytes that a storage has received and not yet made an item of.
CREATE TABLE staged (
    storage_id  TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    sha256      TEXT NOT NULL,
    token       BLOB NOT NULL,                -- encrypted
    valid_until TEXT NOT NULL,
    PRIMARY KEY (storage_id, sha256)
) STRICT, WITHOUT ROWID;

-- The albums that Charon puts items into, by the title a plan names.
CREATE TABLE albums (
    storage_id TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    title      TEXT NOT NULL,
    album_id   TEXT NOT NULL,
    PRIMARY KEY (storage_id, title)
) STRICT, WITHOUT ROWID;

CREATE TABLE album_items (
    storage_id TEXT NOT NULL REFERENCES storages (id) ON DELETE CASCADE,
    album_id   TEXT NOT NULL,
    remote_id  TEXT NOT NULL,
    PRIMARY KEY (storage_id, album_id, remote_id)
) STRICT, WITHOUT ROWID;
