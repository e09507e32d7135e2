"""The tables of the fleet's database, as the steps that lead from any older version to this one.

Tables of rows are ordered by arrival (rowid), so that many devices write in one place; a narrow index
keeps (stream, seq) unique. A stream belongs to one device, so that is unique on (device, stream, seq).
"""

APPLICATION_ID = 0x45444745  # "EDGE", PRAGMA application_id

_V1 = """
CREATE TABLE devices (
  device TEXT PRIMARY KEY,
  online INTEGER NOT NULL DEFAULT 0,
  boot INTEGER NOT NULL DEFAULT 0,
  stream TEXT NOT NULL DEFAULT '',         -- the current one, of its last status
  software TEXT NOT NULL DEFAULT '',
  status_time REAL NOT NULL DEFAULT 0,     -- the device's clock
  last_seen REAL NOT NULL DEFAULT 0,       -- ours, when something last came from it
  reported TEXT NOT NULL DEFAULT '[]',     -- JSON of its models
  reported_time REAL NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,      -- payloads that were not taken
  refusal TEXT NOT NULL DEFAULT ''         -- why the last one was not
) WITHOUT ROWID;

CREATE TABLE streams (                     -- ingest.Ledger, and what follows from it
  id INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  stream TEXT NOT NULL,
  spans TEXT NOT NULL,
  oldest INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  settled_lost INTEGER NOT NULL,
  watermark INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  first_seen REAL NOT NULL,
  last_seen REAL NOT NULL,
  UNIQUE (device, stream)
);

CREATE TABLE models (
  id INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  UNIQUE (model, version, digest)
);

CREATE TABLE predictions (
  stream INTEGER NOT NULL REFERENCES streams (id),
  seq INTEGER NOT NULL,
  received REAL NOT NULL,
  time REAL NOT NULL,
  model INTEGER NOT NULL REFERENCES models (id),
  segment TEXT NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  label TEXT,
  probabilities TEXT NOT NULL,             -- JSON, '' for none
  "values" TEXT NOT NULL,                  -- JSON, '' for none
  latency_us REAL NOT NULL
);
CREATE UNIQUE INDEX predictions_once ON predictions (stream, seq);

CREATE TABLE metrics (
  stream INTEGER NOT NULL REFERENCES streams (id),
  seq INTEGER NOT NULL,
  received REAL NOT NULL,
  time REAL NOT NULL,
  "values" TEXT NOT NULL                   -- JSON, name to value
);
CREATE UNIQUE INDEX metrics_once ON metrics (stream, seq);

CREATE TABLE events (
  stream INTEGER NOT NULL REFERENCES streams (id),
  seq INTEGER NOT NULL,
  received REAL NOT NULL,
  time REAL NOT NULL,
  event TEXT NOT NULL,
  model TEXT NOT NULL,
  version TEXT NOT NULL,
  detail TEXT NOT NULL,
  count INTEGER NOT NULL
);
CREATE UNIQUE INDEX events_once ON events (stream, seq);

CREATE TABLE reported_history (            -- one row each time what runs on a device changed
  id INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  received REAL NOT NULL,
  time REAL NOT NULL,
  boot INTEGER NOT NULL,
  reported TEXT NOT NULL
);
CREATE INDEX reported_history_of ON reported_history (device, id);
"""

_V2 = """
ALTER TABLE devices ADD COLUMN root TEXT NOT NULL DEFAULT 'null';  -- JSON of its reported root file
"""

_V3 = """
CREATE TABLE ways (                        -- to run a model: a few, named by many predictions
  id INTEGER PRIMARY KEY,
  variant TEXT NOT NULL,
  provider TEXT NOT NULL,
  UNIQUE (variant, provider)
);
ALTER TABLE predictions ADD COLUMN way INTEGER REFERENCES ways (id);  -- null where none was told
"""

MIGRATIONS = (_V1, _V2, _V3)
"""Step n leads from version n to n + 1; PRAGMA user_version says how many a database has had."""
