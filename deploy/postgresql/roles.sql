-- Databases and roles with the least privileges. PostgreSQL 14 or newer, psql, as a superuser; to be repeated at will:
--     SECRETS=folder psql -v ON_ERROR_STOP=1 -f roles.sql postgres
--
--   tuner_owner    makes and upgrades the tables; nothing else connects as it
--   tuner_worker   adds to the record and continues it; deletes nothing, changes no table
--   tuner_reader   looks: dashboards, `tuner status`, `tuner results`, `tuner report`
--   mlflow         owns MLflow's database, which keeps apart because Optuna and MLflow both have a table alembic_version
--
-- Passwords are files, $SECRETS/ROLE_password (/run/secrets if unset): as arguments they would be seen in `ps`.

\set owner_password `cat "${SECRETS:-/run/secrets}/tuner_owner_password"`
\set worker_password `cat "${SECRETS:-/run/secrets}/tuner_worker_password"`
\set reader_password `cat "${SECRETS:-/run/secrets}/tuner_reader_password"`
\set mlflow_password `cat "${SECRETS:-/run/secrets}/mlflow_password"`

-- Nor are they written to the server's log, whatever it logs otherwise. PostgreSQL keeps their hashes only.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
SET client_min_messages = warning;

-- An empty password would leave a role without one.
SELECT CASE WHEN '' IN (:'owner_password', :'worker_password', :'reader_password', :'mlflow_password')
            THEN 'a password file is missing or empty' ELSE '0' END::integer AS passwords_missing \gset

SELECT format('CREATE ROLE %I LOGIN', wanted)
FROM unnest(ARRAY['tuner_owner', 'tuner_worker', 'tuner_reader', 'mlflow']) AS wanted
WHERE wanted NOT IN (SELECT rolname FROM pg_roles) \gexec

ALTER ROLE tuner_owner PASSWORD :'owner_password';
ALTER ROLE tuner_worker PASSWORD :'worker_password';
ALTER ROLE tuner_reader PASSWORD :'reader_password';
ALTER ROLE mlflow PASSWORD :'mlflow_password';

SELECT format('CREATE DATABASE %I OWNER %I', wanted, owner)
FROM (VALUES ('tuner', 'tuner_owner'), ('mlflow', 'mlflow')) AS databases (wanted, owner)
WHERE wanted NOT IN (SELECT datname FROM pg_database) \gexec

REVOKE ALL ON DATABASE tuner, mlflow, postgres FROM PUBLIC;
GRANT CONNECT ON DATABASE tuner TO tuner_worker, tuner_reader;

\connect tuner
ALTER SCHEMA public OWNER TO tuner_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tuner_worker, tuner_reader;

-- Everybody may make large objects, which count as no table: a role that only looks could fill the disk with them.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace
  AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_put', 'lowrite', 'lo_truncate',
                  'lo_truncate64', 'lo_open', 'lo_unlink') \gexec

-- The tables that are there, and those that the owner will make.
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO tuner_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tuner_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO tuner_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE tuner_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO tuner_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE tuner_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO tuner_worker;
ALTER DEFAULT PRIVILEGES FOR ROLE tuner_owner IN SCHEMA public GRANT SELECT ON TABLES TO tuner_reader;

\connect mlflow
ALTER SCHEMA public OWNER TO mlflow;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
