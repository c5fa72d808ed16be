"""PostgreSQL: the schema, the named statements, and the one way records become durable."""
