-- Portable SQL: SQLite and PostgreSQL both run this file.

-- Opaque tokens with a name: of a person, or of a client; one of the two is set.
CREATE TABLE personal_tokens (
    id           TEXT   NOT NULL PRIMARY KEY,
    digest       TEXT   NOT NULL UNIQUE,
    sub          TEXT   REFERENCES users (sub) ON DELETE CASCADE,
    client_id    TEXT   REFERENCES clients (client_id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    scope        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX personal_tokens_sub ON personal_tokens (sub) WHERE sub IS NOT NULL;
CREATE INDEX personal_tokens_client ON personal_tokens (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX personal_tokens_expiry ON personal_tokens (expires_at);
