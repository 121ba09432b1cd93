-- What others have to be told: written with the change, delivered afterwards. One row a thing (topic, key): a change that
-- comes while its row still waits makes the row newer (version) instead of adding another.
CREATE TABLE outbox (
    id           TEXT   NOT NULL PRIMARY KEY,
    topic        TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    -- rows of one subject are delivered one after the other
    subject      TEXT   NOT NULL,
    body         TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    attempts     BIGINT NOT NULL,
    next_at      BIGINT NOT NULL,
    lease        TEXT   NOT NULL,
    leased_until BIGINT NOT NULL,
    failure      TEXT,
    failed_at    BIGINT
);
CREATE UNIQUE INDEX outbox_key ON outbox (topic, key);
CREATE INDEX outbox_subject ON outbox (subject, id);
CREATE INDEX outbox_due ON outbox (next_at) WHERE failed_at IS NULL;

-- Which clients a session has been used at: who is told when it ends. Grants are shorter-lived than sessions.
CREATE TABLE session_clients (
    sid       TEXT NOT NULL REFERENCES sessions (sid) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    PRIMARY KEY (sid, client_id)
);
CREATE INDEX session_clients_client ON session_clients (client_id);

-- Which account of the chat a person has. No foreign key: the account is switched off after the person was removed.
CREATE TABLE chat_people (
    sub     TEXT NOT NULL PRIMARY KEY,
    chat_id TEXT NOT NULL UNIQUE
);

-- The chat's login token of a session, sealed. No foreign key: it is ended there after the session has gone here.
CREATE TABLE chat_tokens (
    sid        TEXT   NOT NULL PRIMARY KEY,
    sub        TEXT   NOT NULL,
    chat_id    TEXT   NOT NULL,
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX chat_tokens_sub ON chat_tokens (sub);

-- The connection to the chat (its token sealed), and how far a reconciliation has come.
CREATE TABLE chat_state (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- A number for each person, for clients that know nothing else. Never given to anybody else, so it outlives the person.
CREATE TABLE numeric_ids (
    sub    TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE
);
