-- Deletion with second thoughts: what listings lack is counted, looked up, and moved to a trash that is kept for a while.

-- Items that are home and that complete listings have lacked.
CREATE TABLE absences (
    plan       INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    asset_id   INTEGER NOT NULL REFERENCES assets (id),
    listings   INTEGER NOT NULL,              -- so many in a row, since it was last known to be there
    counted_by INTEGER NOT NULL,              -- the run whose listing was counted last
    wanted     INTEGER,                       -- so many are wanted before it is looked up; null for as many as the plan says
    answer     INTEGER NOT NULL DEFAULT 0,    -- 0 nobody was asked, 1 somebody was asked, 2 it may go, 3 it stays
    PRIMARY KEY (plan, asset_id)
) STRICT, WITHOUT ROWID;
-- The selection, the client and the account that absences are counted under; under others counting begins anew.
ALTER TABLE plans ADD COLUMN absences_under TEXT;

-- What was moved to the trash of a mirror, file by file.
CREATE TABLE trashed (
    plan       INTEGER NOT NULL REFERENCES plans (no) ON DELETE CASCADE,
    asset_id   INTEGER NOT NULL REFERENCES assets (id),
    part       INTEGER NOT NULL,              -- 0 the whole, 1 the clip
    path       TEXT NOT NULL,                 -- where it was, below the destination
    aside      TEXT NOT NULL,                 -- where it is in the trash
    sha256     BLOB NOT NULL,
    size       INTEGER NOT NULL,
    trashed_at INTEGER NOT NULL,
    until      INTEGER NOT NULL,              -- from then on it may be removed
    is_there   INTEGER NOT NULL DEFAULT 0,    -- 0 while it is being moved there
    PRIMARY KEY (plan, asset_id, part)
) STRICT, WITHOUT ROWID;
