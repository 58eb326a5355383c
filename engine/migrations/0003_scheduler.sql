-- The scheduler: when plans are due, runs that wait, park and go on, and what happened.

-- Grows with every change of any plan, so that a scheduler sees at one glance that something changed.
ALTER TABLE plans ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
-- All occurrences up to this moment are decided; null until the plan has a schedule.
ALTER TABLE plans ADD COLUMN decided_until TEXT;
-- A paused plan is not due; until somebody resumes it, or until the moment given.
ALTER TABLE plans ADD COLUMN paused_at TEXT;
ALTER TABLE plans ADD COLUMN paused_until TEXT;
CREATE INDEX plans_by_revision ON plans (revision);

-- Every attempt at a run has a number; what it writes is refused once there is a later one (a fence).
ALTER TABLE runs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN lease_owner TEXT;
ALTER TABLE runs ADD COLUMN lease_until TEXT;
UPDATE runs SET attempt = 1 WHERE started_at IS NOT NULL;
-- Larger ones go first.
ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN options TEXT NOT NULL DEFAULT '{}';  -- JSON: how it goes about it
ALTER TABLE runs ADD COLUMN start_after TEXT;                    -- not sooner than this (jitter)
ALTER TABLE runs ADD COLUMN wish TEXT;                           -- what somebody asks of the one who is at it: pause, cancel
ALTER TABLE runs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0; -- attempts that failed and are made up for by another one
ALTER TABLE runs ADD COLUMN active_ms INTEGER NOT NULL DEFAULT 0; -- at work in attempts that have ended
ALTER TABLE runs ADD COLUMN progress TEXT;                       -- JSON: what is done so far, now and then
-- Who lists runs, lists the newest; ids begin with their time.
CREATE INDEX runs_by_plan_and_id ON runs (plan_id, id);
CREATE INDEX runs_by_state_and_id ON runs (state, id);
CREATE INDEX runs_live ON runs (id) WHERE state IN ('queued', 'running', 'pausing', 'paused', 'parked');

-- Whoever sums up a run asks for its listing.
CREATE INDEX listings_by_run ON listings (run_id);

ALTER TABLE run_items ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;

CREATE TABLE attempts (
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    owner      TEXT NOT NULL,                 -- the process, by an id of its own
    started_at TEXT NOT NULL,
    ended_at   TEXT,
    state      TEXT,                          -- what it left the run in
    message    TEXT,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;

-- What became of the moments at which plans were due. One that is here is never decided again.
CREATE TABLE occurrences (
    plan_id       TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    scheduled_for TEXT NOT NULL,
    decision      TEXT NOT NULL,              -- run, catch_up, missed, overlap
    run_id        TEXT,
    missed        INTEGER NOT NULL,           -- how many before it were missed
    missed_since  TEXT,                       -- the first of those
    decided_at    TEXT NOT NULL,
    PRIMARY KEY (plan_id, scheduled_for)
) STRICT, WITHOUT ROWID;

-- What happened, in order.
CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    plan_id TEXT,
    run_id  TEXT,
    data    TEXT NOT NULL                     -- JSON
) STRICT;
CREATE INDEX events_by_run ON events (run_id, seq);
-- What is told of single items is forgotten sooner than the rest: their outcomes are rows of their own.
CREATE INDEX events_of_items ON events (seq) WHERE kind = 'run.items';

-- The process that runs plans. The lock of the data directory keeps others of the same machine out, and the lease those of
-- other machines, on file systems whose locks do not reach that far.
CREATE TABLE engine (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    owner       TEXT NOT NULL,
    machine     TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    max_runs    INTEGER                       -- null for one that only does a single run
) STRICT;
