-- What is shown of the plans at a glance, and when the database was copied.

-- The last good run of each plan is one look-up, however many runs there are.
CREATE INDEX runs_succeeded ON runs (plan_id, id) WHERE state = 'succeeded';

-- Old days of the budget are forgotten by their date, and what was told of a plan goes with it.
CREATE INDEX budget_by_day ON budget (day);
CREATE INDEX overdue_told_by_plan ON overdue_told (plan_id);
-- What was told is listed, looked up and forgotten.
CREATE INDEX outbox_by_about ON outbox (event, about);
CREATE INDEX outbox_by_end ON outbox (state, ended_at);
CREATE INDEX outbox_by_time ON outbox (enqueued_at, id);
CREATE INDEX outbox_by_channel ON outbox (channel_id, enqueued_at, id);
CREATE INDEX events_of_ends ON events (seq) WHERE kind IN ('run.ended', 'run.parked');
-- Up to where in what happened people have been told of it.
CREATE TABLE told (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;

-- What is done now and then.
CREATE TABLE chores (
    name    TEXT PRIMARY KEY,
    since   TEXT NOT NULL,                    -- the next time is counted from here
    done_at TEXT                              -- when it was done last; null until then
) STRICT, WITHOUT ROWID;
