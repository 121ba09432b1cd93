DROP TABLE adopted_tokens;
DROP TABLE imported_users;
