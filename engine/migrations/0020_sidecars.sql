-- What the storage says of items, and the sidecars that say it.

ALTER TABLE remotes ADD COLUMN description TEXT;
ALTER TABLE remotes ADD COLUMN camera_make TEXT;
ALTER TABLE remotes ADD COLUMN camera_model TEXT;

CREATE TABLE favourites (
    storage  INTEGER NOT NULL REFERENCES storages (no) ON DELETE CASCADE,
    asset_id INTEGER NOT NULL REFERENCES assets (id),
    PRIMARY KEY (storage, asset_id)
) STRICT, WITHOUT ROWID;

-- What was written last. A row is changed before its file is.
CREATE TABLE sidecars (
    plan       INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    asset_id   INTEGER NOT NULL REFERENCES assets (id),
    kind       INTEGER NOT NULL,              -- 0 json, 1 xmp
    sha256     BLOB NOT NULL,
    before     BLOB,                          -- what was there until then
    is_written INTEGER NOT NULL,              -- 0 while it is being written
    PRIMARY KEY (plan, asset_id, kind)
) STRICT, WITHOUT ROWID;
