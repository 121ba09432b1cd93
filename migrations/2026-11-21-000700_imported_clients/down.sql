DROP TABLE imported_clients;
