-- The trace of each sign-in: what was asked, when, with what verdict. Free of secrets. A token or userinfo request knows its grant
-- alone; the row of the issued code joins grant and flow.
CREATE TABLE flow_steps (
    id        TEXT   NOT NULL PRIMARY KEY,
    flow_id   TEXT,
    grant_id  TEXT,
    client_id TEXT   NOT NULL,
    sub       TEXT,
    step      TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    verdict   TEXT   NOT NULL,
    reference TEXT
);
CREATE INDEX flow_steps_flow ON flow_steps (flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX flow_steps_grant ON flow_steps (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX flow_steps_at ON flow_steps (at);
