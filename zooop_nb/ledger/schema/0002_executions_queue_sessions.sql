-- Which run of which cell asked for an order, and how the run ended: a re-run continues one that did not end
-- well. A row is written with the first order of the run.
CREATE TABLE executions (
    execution  TEXT PRIMARY KEY,
    kernel     TEXT,            -- the process that ran it; see liveness
    notebook   TEXT,
    cell_hash  TEXT,            -- of the cell's source
    cell_id    TEXT,            -- the front end's own id of the cell; it tells cells apart within one kernel
    started_at TEXT NOT NULL,
    outcome    TEXT CHECK (outcome IN ('well', 'interrupted', 'failed')), -- null while it runs or if it died
    continues  TEXT UNIQUE REFERENCES executions (execution) -- the run whose orders it takes up: only one may
) STRICT;

CREATE INDEX executions_by_cell ON executions (cell_hash, notebook);
CREATE INDEX executions_by_cell_id ON executions (kernel, cell_id) WHERE cell_id IS NOT NULL;

INSERT INTO executions (execution, notebook, cell_hash, started_at, outcome)
SELECT run, max(notebook), max(cell_hash), min(created_at), 'well' FROM orders
WHERE run IS NOT NULL GROUP BY run;

-- The limit of a session, in credits, for each mode. Its spending is summed from its orders.
CREATE TABLE sessions (
    session TEXT NOT NULL,
    mode    TEXT NOT NULL,
    budget  ANY,
    PRIMARY KEY (session, mode)
) STRICT;

-- New states need a new table: SQLite does not change a CHECK.
CREATE TABLE orders_2 (
    order_id          TEXT PRIMARY KEY,
    batch             TEXT NOT NULL,        -- the orders of one call share it
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,        -- of target and params; see orders/order.py
    target            TEXT NOT NULL CHECK (target IN ('model', 'tool', 'template', 'describe')),
    type              TEXT,
    subtype           TEXT,
    model             TEXT,
    model_id          TEXT,
    version           TEXT,
    tool              TEXT,
    template          TEXT,
    unit              TEXT,
    prompt            TEXT,
    params            TEXT NOT NULL,        -- JSON; media by content hash
    tags              TEXT NOT NULL,        -- JSON list
    body              BLOB NOT NULL,        -- what is sent, byte for byte
    key               TEXT NOT NULL,        -- the Idempotency-Key: a random UUID, so no index has to keep it unique
    token             TEXT NOT NULL,        -- SHA-256 of the token
    key_label         TEXT,
    host              TEXT NOT NULL,
    mode              TEXT NOT NULL,
    who               TEXT,
    project           TEXT,
    wallet            TEXT,
    session           TEXT,                 -- whose budget it counts against
    notebook          TEXT,
    cell              TEXT,                 -- the cell's source
    execution         TEXT REFERENCES executions (execution), -- which run asked for it, the last that did
    asked_at          TEXT,                 -- when that run asked for it
    state             TEXT NOT NULL CHECK (state IN ('quoted', 'queued', 'withdrawn', 'intended', 'submitted',
                                                     'succeeded', 'failed', 'cancelled', 'refused',
                                                     'unknown')),
    follower          TEXT,                 -- the process that follows it; null when abandoned or ended
    sent_at           TEXT,                 -- the first sending, by the server's clock where it was heard
    task_id           TEXT,
    status            TEXT,                 -- the API's own
    quoted            ANY,
    breakdown         TEXT,                 -- JSON
    eta_s             ANY,
    credits           ANY,                  -- the last creditsCharged that the server named
    task_created_at   TEXT,
    task_completed_at TEXT,
    outputs           TEXT NOT NULL DEFAULT '[]', -- JSON
    fetched_at        TEXT,
    error             TEXT
) STRICT;

INSERT INTO orders_2 (
    order_id, batch, created_at, updated_at, fingerprint, target, type, subtype, model, model_id, version,
    tool, template, unit, prompt, params, tags, body, key, token, key_label, host, mode, who, project, wallet,
    notebook, cell, execution, asked_at, state, follower, sent_at, task_id, status, quoted, breakdown, eta_s,
    credits, task_created_at, task_completed_at, outputs, fetched_at, error
)
SELECT
    order_id, batch, created_at, updated_at, fingerprint, target, type, subtype, model, model_id, version,
    tool, template, unit, prompt, params, tags, body, key, token, key_label, host, mode, who, project, wallet,
    notebook, cell, run, sent_at, state, follower, sent_at, task_id, status, quoted, breakdown, eta_s,
    credits, task_created_at, task_completed_at, outputs, fetched_at, error
FROM orders ORDER BY rowid;

DROP TABLE orders;
ALTER TABLE orders_2 RENAME TO orders;

CREATE INDEX orders_by_fingerprint ON orders (fingerprint);
-- Each step of an order pays for the indexes that it touches: most orders have ended, and are in few.
CREATE INDEX orders_unsettled ON orders (state) WHERE state IN ('queued', 'intended', 'submitted', 'unknown');
CREATE INDEX orders_incomplete ON orders (created_at)
WHERE state = 'succeeded' AND (fetched_at IS NULL OR credits IS NULL);
CREATE INDEX orders_by_task ON orders (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX orders_by_session ON orders (session, mode) WHERE session IS NOT NULL;
CREATE INDEX orders_by_execution ON orders (execution) WHERE execution IS NOT NULL;

-- What is not known of money is null, not 0: the cost of a description whose answer was lost.
CREATE TABLE events_2 (
    seq      INTEGER PRIMARY KEY, -- in the order of writing: no event is deleted
    event_id TEXT NOT NULL,
    at       TEXT NOT NULL,
    event    TEXT NOT NULL CHECK (event IN ('quote', 'submit', 'charge', 'refund', 'describe')),
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    spent    ANY,
    credits  ANY
) STRICT;

INSERT INTO events_2 SELECT seq, event_id, at, event, order_id,
    CASE WHEN event = 'describe' AND credits IS NULL THEN NULL ELSE spent END, credits FROM events ORDER BY seq;
DROP TRIGGER events_are_not_deleted;
DROP TABLE events;
ALTER TABLE events_2 RENAME TO events;

CREATE INDEX events_by_order ON events (order_id);

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
