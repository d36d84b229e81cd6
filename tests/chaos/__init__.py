"""Everything fails, over and over: `python -m tests.chaos [--minutes M] [--workers N] [--seed S]`.

Two stores, each a database of one PostgreSQL server, hold experiments of the same names and log to one MLflow server.
Workers are killed with SIGKILL every few seconds. Meanwhile PostgreSQL crashes, is away, is read-only, or holds a lock
for a minute, and MLflow is away, does not answer, or refuses for now. At the end everything is let alone until nothing
is open. Then each store must hold exactly what an undisturbed search would have stored, and MLflow, after a sync, the
same: a run for each trial, and no other.
"""
