-- Albums as storages show them, and what stands for them in mirrors.

CREATE TABLE storage_albums (
    storage   INTEGER NOT NULL REFERENCES storages (no) ON DELETE CASCADE,
    album_id  TEXT NOT NULL,
    title     TEXT NOT NULL,
    listed_by INTEGER NOT NULL,               -- the run that listed it last; it may be gone
    PRIMARY KEY (storage, album_id)
) STRICT, WITHOUT ROWID;

-- What is in them, in their order, as far as the ledger knows it.
CREATE TABLE album_members (
    storage  INTEGER NOT NULL REFERENCES storages (no) ON DELETE CASCADE,
    album_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    asset_id INTEGER NOT NULL REFERENCES assets (id),
    PRIMARY KEY (storage, album_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX album_members_by_asset ON album_members (asset_id);

-- The folder that an album has in a mirror.
CREATE TABLE album_folders (
    plan     INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    album_id TEXT NOT NULL,
    folder   TEXT NOT NULL,                   -- below the destination, with forward slashes
    key      TEXT NOT NULL,                   -- what a case-insensitive file system takes it for
    PRIMARY KEY (plan, album_id),
    UNIQUE (plan, key)
) STRICT, WITHOUT ROWID;

-- The links, copies and manifests that stand for albums. A row is written before its file is, and goes after it.
CREATE TABLE album_entries (
    plan     INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    path     TEXT NOT NULL,                   -- below the destination, with forward slashes
    album_id TEXT NOT NULL,
    kind     TEXT NOT NULL,                   -- symlink, hardlink, copy, manifest
    target   TEXT NOT NULL,                   -- the path of the item that it stands for; empty for a manifest
    sha256   BLOB NOT NULL,                   -- of the item, or of the manifest
    PRIMARY KEY (plan, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX album_entries_by_album ON album_entries (plan, album_id);
