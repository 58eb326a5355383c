-- What the shares that backups read have found damaged: the items of such a run are those of the backup, and do not tell.
CREATE TABLE found_damage (
    run      INTEGER NOT NULL REFERENCES runs (no) ON DELETE CASCADE,
    asset_id INTEGER NOT NULL REFERENCES assets (id),
    part     INTEGER NOT NULL,              -- 0 whole, 1 clip
    damage   TEXT NOT NULL,                 -- missing, changed, unreadable
    at       INTEGER NOT NULL,              -- microseconds since 1970; what became of the item before is no repair
    PRIMARY KEY (run, asset_id, part)
) STRICT, WITHOUT ROWID;
