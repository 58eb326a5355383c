-- A ledger of half a million items is to stay small: rows are tied together by numbers, hashes are bytes, moments are
-- microseconds since 1970, and what can be looked up is not kept twice.

-- The number of the event that told of it: it grows, and is never given twice.
ALTER TABLE storages ADD COLUMN no INTEGER;
UPDATE storages SET no = rowid;
CREATE UNIQUE INDEX storages_by_no ON storages (no);
ALTER TABLE plans ADD COLUMN no INTEGER;
UPDATE plans SET no = rowid;
CREATE UNIQUE INDEX plans_by_no ON plans (no);
ALTER TABLE runs ADD COLUMN no INTEGER;
UPDATE runs SET no = rowid;
CREATE UNIQUE INDEX runs_by_no ON runs (no);
INSERT INTO sqlite_sequence (name, seq) SELECT 'events', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events');
UPDATE sqlite_sequence SET seq = MAX(seq, (SELECT COALESCE(MAX(no), 0) FROM (
    SELECT no FROM storages UNION ALL SELECT no FROM plans UNION ALL SELECT no FROM runs))) WHERE name = 'events';

CREATE TABLE new_remotes (
    storage       INTEGER NOT NULL REFERENCES storages (no) ON DELETE CASCADE,
    remote_id     TEXT NOT NULL,
    asset_id      INTEGER NOT NULL REFERENCES assets (id),
    file_name     TEXT NOT NULL,              -- the original name, whatever the path became
    mime_type     TEXT NOT NULL,
    taken_at      INTEGER,                    -- null if the storage does not know
    first_seen_at INTEGER NOT NULL,
    listed_by     INTEGER,                    -- the number of the run whose listing showed it last; it may be gone
    no_clip       INTEGER NOT NULL DEFAULT 0, -- how often the storage has said that there is no clip, whatever its listing says
    clip_again_at TEXT,                       -- not before this it is asked for the clip again
    PRIMARY KEY (asset_id, storage, remote_id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_remotes
    SELECT storages.no, remote_id, asset_id, file_name, mime_type,
        (strftime('%s', substr(taken_at, 1, 19)) * 1000000 + CASE substr(taken_at, 20, 1) WHEN '.' THEN CAST(substr(rtrim(substr(taken_at, 21), 'Z') || '000000', 1, 6) AS INTEGER) ELSE 0 END),
        (strftime('%s', substr(first_seen_at, 1, 19)) * 1000000 + CASE substr(first_seen_at, 20, 1) WHEN '.' THEN CAST(substr(rtrim(substr(first_seen_at, 21), 'Z') || '000000', 1, 6) AS INTEGER) ELSE 0 END), runs.no, no_clip, clip_again_at
    FROM remotes JOIN storages ON storages.id = remotes.storage_id LEFT JOIN runs ON runs.id = remotes.listed_by;
DROP TABLE remotes;
ALTER TABLE new_remotes RENAME TO remotes;
CREATE UNIQUE INDEX remotes_by_id ON remotes (storage, remote_id);

CREATE TABLE new_contents (
    asset_id INTEGER NOT NULL REFERENCES assets (id),
    part     INTEGER NOT NULL,                -- 0 the whole, 1 the clip
    sha256   BLOB NOT NULL,
    size     INTEGER NOT NULL,
    fidelity TEXT NOT NULL,                   -- original, api-copy
    PRIMARY KEY (asset_id, part, sha256)
) STRICT, WITHOUT ROWID;
INSERT INTO new_contents SELECT asset_id, part = 'clip', unhex(sha256), size, fidelity FROM contents;
DROP TABLE contents;
ALTER TABLE new_contents RENAME TO contents;
CREATE INDEX contents_by_sha256 ON contents (sha256);

CREATE TABLE new_copies (
    plan      INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    asset_id  INTEGER NOT NULL REFERENCES assets (id),
    part      INTEGER NOT NULL,               -- 0 the whole, 1 the clip
    path      TEXT NOT NULL,                  -- below the destination, with forward slashes
    path_key  TEXT,                           -- what a case-insensitive file system takes the path for; null for lower(path)
    sha256    BLOB,                           -- null until the bytes are stored
    size      INTEGER,
    stored_at INTEGER,
    PRIMARY KEY (plan, asset_id, part)
) STRICT, WITHOUT ROWID;
INSERT INTO new_copies
    SELECT plans.no, asset_id, part = 'clip', path, NULLIF(path_key, lower(path)), unhex(sha256), size,
        (strftime('%s', substr(stored_at, 1, 19)) * 1000000 + CASE substr(stored_at, 20, 1) WHEN '.' THEN CAST(substr(rtrim(substr(stored_at, 21), 'Z') || '000000', 1, 6) AS INTEGER) ELSE 0 END)
    FROM copies JOIN plans ON plans.id = copies.plan_id;
DROP TABLE copies;
ALTER TABLE new_copies RENAME TO copies;
CREATE UNIQUE INDEX copies_by_key ON copies (plan, COALESCE(path_key, lower(path)));

CREATE TABLE new_run_items (
    run     INTEGER NOT NULL REFERENCES runs (no) ON DELETE CASCADE,
    item    ANY NOT NULL,                     -- the asset that a media id stands for, or a local path
    name    TEXT,                             -- null for the file name of the remote
    outcome TEXT NOT NULL,                    -- done, skipped, failed
    class   TEXT,
    reason  TEXT,
    bytes   INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (run, item)
) STRICT, WITHOUT ROWID;
INSERT INTO new_run_items
    SELECT runs.no, COALESCE(remotes.asset_id, item), NULLIF(run_items.name, remotes.file_name), outcome, class, reason, run_items.bytes,
        (strftime('%s', substr(at, 1, 19)) * 1000000 + CASE substr(at, 20, 1) WHEN '.' THEN CAST(substr(rtrim(substr(at, 21), 'Z') || '000000', 1, 6) AS INTEGER) ELSE 0 END), run_items.attempt
    FROM run_items JOIN runs ON runs.id = run_items.run_id JOIN plans ON plans.id = runs.plan_id
    JOIN storages ON storages.id = plans.storage_id
    LEFT JOIN remotes ON remotes.storage = storages.no AND remotes.remote_id = item WHERE true
    ON CONFLICT DO NOTHING;
DROP TABLE run_items;
ALTER TABLE new_run_items RENAME TO run_items;
-- Most are done, and are found along the table.
CREATE INDEX run_items_not_done ON run_items (run, outcome) WHERE outcome <> 'done';

CREATE TABLE new_local_files (
    path        TEXT PRIMARY KEY,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256      BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO new_local_files SELECT path, size, modified_ns, unhex(sha256) FROM local_files;
DROP TABLE local_files;
ALTER TABLE new_local_files RENAME TO local_files;

CREATE TABLE new_listings (
    plan_id    TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    run_id     TEXT NOT NULL,
    selection  TEXT NOT NULL,                 -- JSON: what was asked for
    is_full    INTEGER NOT NULL,              -- 0 for a quick one, which stopped where everything was known
    is_complete INTEGER NOT NULL,             -- 1 once its last page has been recorded
    items      INTEGER NOT NULL,
    skipped    TEXT NOT NULL DEFAULT '{}',    -- JSON: how many are left out behind the place where it stopped, by reason
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (plan_id, run_id)
) STRICT;
INSERT INTO new_listings
    SELECT plan_id, run_id, selection, is_full, is_complete, items, skipped,
        (strftime('%s', substr(began_at, 1, 19)) * 1000000 + CASE substr(began_at, 20, 1) WHEN '.' THEN CAST(substr(rtrim(substr(began_at, 21), 'Z') || '000000', 1, 6) AS INTEGER) ELSE 0 END),
        (strftime('%s', substr(ended_at, 1, 19)) * 1000000 + CASE substr(ended_at, 20, 1) WHEN '.' THEN CAST(substr(rtrim(substr(ended_at, 21), 'Z') || '000000', 1, 6) AS INTEGER) ELSE 0 END)
    FROM listings ORDER BY rowid;
DROP TABLE listings;
ALTER TABLE new_listings RENAME TO listings;
CREATE INDEX listings_by_run ON listings (run_id);

-- The newest runs of a plan are found by their ids.
DROP INDEX runs_by_plan;

CREATE TABLE new_occurrences (
    plan          INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    scheduled_for INTEGER NOT NULL,
    decision      TEXT NOT NULL,              -- run, catch_up, missed, overlap
    run           INTEGER,                    -- its number; it may be gone
    missed        INTEGER NOT NULL,           -- how many before it were missed
    missed_since  INTEGER,                    -- the first of those
    decided_at    INTEGER NOT NULL,
    PRIMARY KEY (plan, scheduled_for)
) STRICT, WITHOUT ROWID;
-- Nobody has written any yet: they came with a version that was never out.
DROP TABLE occurrences;
ALTER TABLE new_occurrences RENAME TO occurrences;
