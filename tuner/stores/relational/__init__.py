"""The store in a relational database: tables, claims that write them, and readers."""
