-- One row for each application of the site that became a client; it goes with the client.
CREATE TABLE imported_clients (
    client_id     TEXT   NOT NULL PRIMARY KEY REFERENCES clients (client_id) ON DELETE CASCADE,
    -- digest of what the site said at the last run, its secret excepted
    source_digest TEXT   NOT NULL,
    -- digest of the secret as the site has it
    secret_digest TEXT   NOT NULL,
    -- digest of what was written here: another one now means that the client was changed here since
    local_digest  TEXT   NOT NULL
);
-- Whose tokens came over before there was this table came from the site; whether it was changed here since is not known.
INSERT INTO imported_clients SELECT DISTINCT grants.client_id, '', '', ''
    FROM adopted_tokens JOIN grants ON grants.id = adopted_tokens.grant_id;
