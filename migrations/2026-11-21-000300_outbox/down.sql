DROP TABLE numeric_ids;
DROP TABLE chat_state;
DROP TABLE chat_tokens;
DROP TABLE chat_people;
DROP TABLE session_clients;
DROP TABLE outbox;
