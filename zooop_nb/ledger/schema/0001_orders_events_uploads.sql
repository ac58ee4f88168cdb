-- What was ordered: one row an order, updated as it proceeds. Times are UTC, ISO 8601.
-- Credits are the server's figures as it gave them (ANY: whole or fractional), null where it gave none.
CREATE TABLE orders (
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
    key               TEXT NOT NULL UNIQUE, -- the Idempotency-Key
    token             TEXT NOT NULL,        -- SHA-256 of the token
    key_label         TEXT,
    host              TEXT NOT NULL,
    mode              TEXT NOT NULL,
    who               TEXT,
    project           TEXT,
    wallet            TEXT,
    notebook          TEXT,
    cell              TEXT,                 -- the cell's source
    cell_hash         TEXT,
    run               TEXT,                 -- which run of the cell
    state             TEXT NOT NULL CHECK (state IN ('quoted', 'intended', 'submitted', 'succeeded', 'failed',
                                                     'cancelled', 'refused', 'unknown')),
    follower          TEXT,                 -- the session that follows it; null when abandoned or ended
    sent_at           TEXT,                 -- the first sending: the server knows the key for 24 hours from it
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

CREATE INDEX orders_by_fingerprint ON orders (fingerprint, cell_hash);
CREATE INDEX orders_by_state ON orders (state);
CREATE INDEX orders_by_task ON orders (task_id);

-- What was said about money, and when. Never changed, never deleted.
CREATE TABLE events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    at       TEXT NOT NULL,
    event    TEXT NOT NULL CHECK (event IN ('quote', 'submit', 'charge', 'refund', 'describe')),
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    spent    ANY NOT NULL,
    credits  ANY
) STRICT;

CREATE INDEX events_by_order ON events (order_id);

CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- Which content lies where already: an upload is owned by the token that made it.
CREATE TABLE uploads (
    token        TEXT NOT NULL,
    host         TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    url          TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size         INTEGER NOT NULL,
    at           TEXT NOT NULL,
    PRIMARY KEY (token, host, sha256)
) STRICT;
