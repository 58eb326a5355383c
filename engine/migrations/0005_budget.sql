-- Requests, by who shares the count of a meter and by the day as that meter has it. What is taken is counted before it is
-- used, so that a crash counts too many and never too few.
CREATE TABLE budget (
    account TEXT NOT NULL,                    -- who shares the count: the number of a Google Cloud project
    meter   TEXT NOT NULL,
    day     TEXT NOT NULL,                    -- a civil date in the zone in which the meter starts again
    used    INTEGER NOT NULL,
    spent   INTEGER NOT NULL DEFAULT 0,       -- 1 once the server itself has said so
    PRIMARY KEY (account, meter, day)
) STRICT, WITHOUT ROWID;
