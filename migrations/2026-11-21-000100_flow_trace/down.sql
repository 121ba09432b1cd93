DROP TABLE flow_steps;
