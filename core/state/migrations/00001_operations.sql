-- +goose Up
-- One schema for SQLite and PostgreSQL. Instants are microseconds since 1970 in UTC; JSON is text.

-- Who holds an environment. There is a row as long as it is held; token tells one holding from the next.
CREATE TABLE locks (
    environment TEXT   NOT NULL PRIMARY KEY,
    token       TEXT   NOT NULL,
    operation   TEXT   NOT NULL,
    who         TEXT   NOT NULL,
    host        TEXT   NOT NULL,
    pid         BIGINT NOT NULL,
    command     TEXT   NOT NULL,
    since       BIGINT NOT NULL,
    heartbeat   BIGINT NOT NULL,
    expires     BIGINT NOT NULL
);

-- What was asked for, and how it ended; outcome is empty as long as it has not.
CREATE TABLE operations (
    id          TEXT   NOT NULL PRIMARY KEY,
    environment TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    header      TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    outcome     TEXT   NOT NULL,
    -- Set by whoever wants a running operation to stop.
    cancel_by   TEXT   NOT NULL,
    cancel_why  TEXT   NOT NULL
);
CREATE INDEX operations_by_environment ON operations (environment, id);

-- The journal, written ahead. writer is the token of the lock under which an entry was written.
CREATE TABLE entries (
    operation TEXT   NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    seq       BIGINT NOT NULL,
    writer    TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    entry     TEXT   NOT NULL,
    PRIMARY KEY (operation, seq)
);

-- What was told meanwhile, for people who read up on it; written along with the next entry of the journal.
CREATE TABLE events (
    operation TEXT   NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    seq       BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    event     TEXT   NOT NULL,
    PRIMARY KEY (operation, seq)
);

-- What restore puts back. data is sealed (see seal.go), or empty when the policy leaves snapshots out.
CREATE TABLE snapshots (
    operation   TEXT   NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    seq         BIGINT NOT NULL,
    app         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    images      TEXT   NOT NULL,
    data        BYTEA  NOT NULL,
    PRIMARY KEY (operation, app)
);

-- A plan is applied at most once.
CREATE TABLE plans (
    id        TEXT   NOT NULL PRIMARY KEY,
    operation TEXT   NOT NULL,
    at        BIGINT NOT NULL
);

-- Images known bad, by what they are, not by what they are called.
CREATE TABLE quarantine (
    repository TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    tag        TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    operation  TEXT   NOT NULL,
    added_by   TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (repository, digest, tag)
);

-- Apps that are to stay as they are until somebody releases them.
CREATE TABLE holds (
    environment TEXT   NOT NULL,
    app         TEXT   NOT NULL,
    image       TEXT   NOT NULL,
    operation   TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    held_by     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    PRIMARY KEY (environment, app)
);

-- +goose Down
DROP TABLE holds;
DROP TABLE quarantine;
DROP TABLE plans;
DROP TABLE snapshots;
DROP TABLE events;
DROP TABLE entries;
DROP TABLE operations;
DROP TABLE locks;
