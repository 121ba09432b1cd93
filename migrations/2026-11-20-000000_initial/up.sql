-- Portable SQL: SQLite and PostgreSQL both run this file. Times are seconds since 1970, JSON is text.

CREATE TABLE users (
    sub                TEXT    NOT NULL PRIMARY KEY,
    username           TEXT    NOT NULL UNIQUE,
    role               TEXT    NOT NULL,
    state              TEXT    NOT NULL,
    locale             TEXT,
    password_hash      TEXT,
    credential_version BIGINT  NOT NULL,
    claims             TEXT    NOT NULL,
    -- what a search looks through: username and e-mail address in lower case
    search             TEXT    NOT NULL,
    created_at         BIGINT  NOT NULL,
    updated_at         BIGINT  NOT NULL
);

-- The one place where names are unique, over all people and kinds.
CREATE TABLE sign_in_names (
    key  TEXT NOT NULL PRIMARY KEY,
    sub  TEXT NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL
);
CREATE INDEX sign_in_names_sub ON sign_in_names (sub);

CREATE TABLE clients (
    client_id         TEXT    NOT NULL PRIMARY KEY,
    name              TEXT    NOT NULL,
    preset            TEXT    NOT NULL,
    disabled          BOOLEAN NOT NULL,
    first_party       BOOLEAN NOT NULL,
    standing_grant_id TEXT    NOT NULL,
    settings          TEXT    NOT NULL,
    created_at        BIGINT  NOT NULL,
    updated_at        BIGINT  NOT NULL
);

CREATE TABLE client_secrets (
    id         TEXT   NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    hash       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX client_secrets_client ON client_secrets (client_id);

CREATE TABLE sessions (
    sid           TEXT   NOT NULL PRIMARY KEY,
    cookie_digest TEXT   NOT NULL UNIQUE,
    sub           TEXT   NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
    auth_time     BIGINT NOT NULL,
    amr           TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT,
    user_agent    TEXT,
    address       TEXT
);
CREATE INDEX sessions_sub ON sessions (sub);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

-- One row for everything issued together: the code, its access tokens, its refresh tokens. The foreign keys also keep a
-- grant from appearing behind the back of a removal.
CREATE TABLE grants (
    id                         TEXT    NOT NULL PRIMARY KEY,
    sub                        TEXT    REFERENCES users (sub) ON DELETE CASCADE,
    client_id                  TEXT    NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    scope                      TEXT    NOT NULL,
    sid                        TEXT,
    offline                    BOOLEAN NOT NULL,
    auth_time                  BIGINT,
    amr                        TEXT    NOT NULL,
    nonce                      TEXT,
    code_digest                TEXT,
    code_redirect_uri          TEXT,
    code_redirect_uri_was_sent BOOLEAN,
    code_challenge             TEXT,
    code_expires_at            BIGINT,
    code_redeemed_at           BIGINT,
    refresh_generation         BIGINT,
    refresh_nonce              TEXT,
    refresh_rotated_at         BIGINT,
    created_at                 BIGINT  NOT NULL,
    expires_at                 BIGINT,
    revoked_at                 BIGINT
);
CREATE UNIQUE INDEX grants_code ON grants (code_digest) WHERE code_digest IS NOT NULL;
CREATE INDEX grants_sub ON grants (sub) WHERE sub IS NOT NULL;
CREATE INDEX grants_client ON grants (client_id);
CREATE INDEX grants_sid ON grants (sid) WHERE sid IS NOT NULL;
CREATE INDEX grants_expiry ON grants (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX grants_revoked ON grants (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE consents (
    sub        TEXT   NOT NULL REFERENCES users (sub) ON DELETE CASCADE,
    client_id  TEXT   NOT NULL REFERENCES clients (client_id) ON DELETE CASCADE,
    scope      TEXT   NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (sub, client_id)
);
CREATE INDEX consents_client ON consents (client_id);

CREATE TABLE roles (
    name TEXT NOT NULL PRIMARY KEY
);

CREATE TABLE role_maps (
    name TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE sealed_keys (
    kid             TEXT   NOT NULL PRIMARY KEY,
    purpose         TEXT   NOT NULL,
    sealed          TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    active_from     BIGINT NOT NULL,
    published_until BIGINT
);

CREATE TABLE denied_tokens (
    jti        TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX denied_tokens_expiry ON denied_tokens (expires_at);

CREATE TABLE audit (
    id        TEXT   NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    sub       TEXT,
    client_id TEXT,
    grant_id  TEXT,
    detail    TEXT
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_sub ON audit (sub) WHERE sub IS NOT NULL;

CREATE TABLE refusals (
    reference TEXT   NOT NULL PRIMARY KEY,
    at        BIGINT NOT NULL,
    endpoint  TEXT   NOT NULL,
    error     TEXT   NOT NULL,
    detail    TEXT   NOT NULL
);
CREATE INDEX refusals_at ON refusals (at);

-- What caches must drop. The counter's row is locked by each transaction that records changes until it commits, so the
-- order of sequence numbers is the order of commits and a reader of the newest number has missed none below it.
CREATE TABLE changes (
    seq  BIGINT NOT NULL PRIMARY KEY,
    kind TEXT   NOT NULL,
    id   TEXT   NOT NULL,
    -- 0 until the sweeper first sees the row; it is removed a retention later
    at   BIGINT NOT NULL
);

CREATE TABLE change_counter (
    id    INTEGER NOT NULL PRIMARY KEY,
    value BIGINT  NOT NULL
);
INSERT INTO change_counter (id, value) VALUES (1, 0);

CREATE TABLE ephemeral (
    key        TEXT   NOT NULL PRIMARY KEY,
    value      TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ephemeral_expiry ON ephemeral (expires_at);
