-- Telling people: whom, and what is still to be told.

CREATE TABLE channels (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,                 -- webhook, ntfy, email, ping
    config     TEXT NOT NULL,                 -- JSON, without the secret fields
    secrets    BLOB NOT NULL,                 -- the secret fields, encrypted
    events     TEXT NOT NULL,                 -- JSON: the names of the events that it is told of
    plans      TEXT,                          -- JSON: the names of the plans that it is told of; null for all
    in_a_row   INTEGER NOT NULL,              -- after how many failures in a row it is told of that
    created_at TEXT NOT NULL
) STRICT;

-- What is to be told, or has been. A row is written before anything is sent, so that a crash forgets nothing.
CREATE TABLE outbox (
    id          TEXT PRIMARY KEY,
    channel_id  TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    event       TEXT NOT NULL,
    about       TEXT NOT NULL,                -- the run, or the plan and since when it is overdue
    notice      TEXT NOT NULL,                -- JSON
    state       TEXT NOT NULL,                -- pending, delivered, given_up
    attempts    INTEGER NOT NULL,
    enqueued_at TEXT NOT NULL,                -- in whole seconds, as the next one, so that they compare as text
    next_at     TEXT NOT NULL,                -- not before this
    ended_at    TEXT,                         -- when it was delivered or given up
    last_error  TEXT,
    UNIQUE (channel_id, event, about)         -- nothing is told twice
) STRICT;
CREATE INDEX outbox_by_state ON outbox (state, next_at);

-- Of which stretch without a good run a channel has been told: once, until there is a good run.
CREATE TABLE overdue_told (
    channel_id TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    plan_id    TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    since      TEXT NOT NULL,                 -- the end of the last good run, or when the plan was made
    PRIMARY KEY (channel_id, plan_id)
) STRICT, WITHOUT ROWID;
