-- What was taken over from another site.

-- One row for each person of the site that was taken over. It outlives the person, so that somebody who was removed here is not
-- brought back by the next run.
CREATE TABLE imported_users (
    -- the primary key at the site
    site_key      TEXT   NOT NULL PRIMARY KEY,
    sub           TEXT   NOT NULL,
    -- digest of what the site said at the last run
    source_digest TEXT   NOT NULL,
    -- digest of what was written here: another one now means that the person was changed here since
    local_digest  TEXT   NOT NULL,
    -- scheme and parameters of the imported password hash, while it is the person's
    cost          TEXT
);
CREATE INDEX imported_users_sub ON imported_users (sub);
CREATE INDEX imported_users_cost ON imported_users (cost) WHERE cost IS NOT NULL;

-- Tokens that another server issued and that count here, by the SHA-256 of the token; each hangs on a grant.
CREATE TABLE adopted_tokens (
    digest     TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    grant_id   TEXT   NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX adopted_tokens_grant ON adopted_tokens (grant_id);
CREATE INDEX adopted_tokens_expiry ON adopted_tokens (expires_at) WHERE expires_at IS NOT NULL;
