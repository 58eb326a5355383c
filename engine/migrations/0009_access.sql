-- Who may come in over HTTP, what they did, and what is set for all of it.

-- The administrator's password, once there is one: as a PHC string of argon2id.
CREATE TABLE admin (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    password   TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- Browsers that are signed in. What a browser holds is random; here is its SHA-256.
CREATE TABLE admin_sessions (
    secret     BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address    TEXT NOT NULL,                 -- from where it was signed in
    user_agent TEXT
) STRICT, WITHOUT ROWID;

-- What other programs come in with. The secret was shown once; here is its SHA-256.
CREATE TABLE tokens (
    secret     BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL UNIQUE,
    scope      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER,                       -- to the minute
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

-- Who changed what, and from where.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT,
    detail  TEXT NOT NULL                     -- a JSON object without secrets
) STRICT;
CREATE INDEX audit_by_time ON audit (at);

-- What is set for the whole of it, once somebody has set something.
CREATE TABLE settings (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    document TEXT NOT NULL
) STRICT;
