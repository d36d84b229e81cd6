"""The roles of `deploy/postgresql/roles.sql`: each can do its work, and nothing else."""

from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, OperationalError

from tests.contracts.stored import TO_VERSION_1
from tests.deploy.conftest import ROLES_SQL, TELLTALE, Cluster
from tests.toy import SMALL
from tests.working import work_through
from tuner.errors import StoreError
from tuner.experiment import parse
from tuner.records import Role
from tuner.stores.opening import open_store

toy = parse(SMALL, source="toy.toml")


@pytest.fixture
def searched(cluster: Cluster) -> Cluster:
    """A server on which the owner made the tables, and a worker has searched the toy."""
    open_store(cluster.url("tuner_owner")).close()
    with closing(open_store(cluster.url("tuner_worker"))) as store:
        store.submit(toy)
        work_through(store)
    return cluster


def refuses(url: str, statement: str) -> bool:
    """Whether the server lets a role not do this."""
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            connection.execute(statement)
        except InsufficientPrivilege:
            return True
    return False


def test_a_worker_searches_and_a_reader_sees_all_of_it(searched: Cluster) -> None:
    with closing(open_store(searched.url("tuner_reader"))) as store:
        record = store.record("toy")
        curves = store.curves("toy", 8)
        claimed = store.claimed()

    assert [each.complete for each in record.studies] == [True, True]
    assert len(curves) == len(record.studies[0].trials)
    assert not claimed


def test_a_worker_deletes_nothing_and_changes_no_table(searched: Cluster) -> None:
    url = searched.url("tuner_worker")

    for table in ("measurement", "trial_end", "trials", "studies", "experiment"):
        assert refuses(url, f"DELETE FROM {table}")
        assert refuses(url, f"TRUNCATE {table}")
        assert refuses(url, f"ALTER TABLE {table} ADD COLUMN more TEXT")
        assert refuses(url, f"DROP TABLE {table}")
    assert refuses(url, "CREATE TABLE more (number INTEGER)")
    assert refuses(url, "CREATE SCHEMA more")
    assert not refuses(url, "UPDATE experiment SET state = state")


def test_a_worker_may_run_again_what_failed_and_give_an_experiment_more(searched: Cluster) -> None:
    more = replace(toy, batch_sizes=(8, 16, 32), search=replace(toy.search, points=14))
    with closing(open_store(searched.url("tuner_worker"))) as store:
        store.reopen("toy")
        store.submit(more)
        work_through(store)
        record = store.record("toy")

    assert [each.complete for each in record.studies] == [True] * 3
    assert [len(each.finished(Role.SEARCH)) for each in record.studies] == [14] * 3


def test_only_the_owner_deletes_an_experiment(searched: Cluster) -> None:
    with closing(open_store(searched.url("tuner_worker"))) as store:
        with pytest.raises(StoreError, match=r"the store .*/tuner failed: permission denied for table"):
            store.delete("toy")
        assert store.record("toy").studies[0].trials

    with closing(open_store(searched.url("tuner_owner"))) as store:
        store.delete("toy")
        assert list(store.names()) == []


def test_a_reader_changes_nothing(searched: Cluster) -> None:
    url = searched.url("tuner_reader")

    assert refuses(url, "UPDATE experiment SET state = 'cancelled'")
    assert refuses(url, "DELETE FROM measurement")
    assert refuses(url, "INSERT INTO tuner_schema VALUES (9)")
    assert refuses(url, "CREATE TABLE more (number INTEGER)")
    assert refuses(url, "CREATE TEMPORARY TABLE more (number INTEGER)")
    with (
        closing(open_store(url)) as store,
        pytest.raises(StoreError, match=r"the store .*/tuner failed: permission denied for table trial_end"),
    ):
        store.reopen("toy")


@pytest.mark.parametrize("role", ["tuner_worker", "tuner_reader"])
@pytest.mark.parametrize(
    "call", ["lo_creat(-1)", "lo_create(0)", "lo_from_bytea(0, 'full')", "lo_import('/etc/passwd')"]
)
def test_no_role_fills_the_disk_with_large_objects(cluster: Cluster, role: str, call: str) -> None:
    assert refuses(cluster.url(role), f"SELECT {call}")


def test_neither_role_sees_mlflows_database_nor_mlflow_theirs(cluster: Cluster) -> None:
    for role, database in (("tuner_worker", "mlflow"), ("tuner_owner", "mlflow"), ("mlflow", "tuner")):
        with pytest.raises(OperationalError, match="permission denied for database"):
            psycopg.connect(cluster.url(role, database=database))


@pytest.mark.parametrize("role", ["tuner_worker", "tuner_reader"])
def test_a_store_without_tables_says_who_has_to_make_them(cluster: Cluster, role: str) -> None:
    with pytest.raises(
        StoreError,
        match=r"cannot be opened: permission denied for schema public; tables are made and upgraded by the role that"
        r" owns them: let it run `tuner migrate`$",
    ):
        open_store(cluster.url(role))


def test_only_the_owner_upgrades_a_store(searched: Cluster) -> None:
    with psycopg.connect(searched.url("tuner_owner"), autocommit=True) as owner:
        for statement in TO_VERSION_1:
            owner.execute(statement)

        with pytest.raises(StoreError, match=r"must be owner of table study.*let it run"):
            open_store(searched.url("tuner_worker"))
        assert owner.execute("SELECT version FROM tuner_schema").fetchall() == [(1,)]

    open_store(searched.url("tuner_owner")).close()
    with closing(open_store(searched.url("tuner_reader"))) as store:
        assert [each.complete for each in store.record("toy").studies] == [True, True]


def test_the_script_may_be_run_again_with_other_passwords(searched: Cluster) -> None:
    before = searched.url("tuner_worker")
    (searched.secrets / "tuner_worker_password").write_text("it's another \\ \"one\n")

    done = searched.server.psql(ROLES_SQL, SECRETS=str(searched.secrets))

    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(OperationalError, match="password authentication failed"):
        psycopg.connect(before)
    port = searched.port
    psycopg.connect(f"host=127.0.0.1 port={port} dbname=tuner user=tuner_worker password='it\\'s another \\\\ \"one'")


def test_a_missing_password_stops_the_script(cluster: Cluster) -> None:
    (cluster.secrets / "mlflow_password").unlink()

    done = cluster.server.psql(ROLES_SQL, SECRETS=str(cluster.secrets))

    assert done.returncode == 3
    assert "a password file is missing or empty" in done.stderr


def test_the_servers_log_holds_no_password(cluster: Cluster) -> None:
    with psycopg.connect(cluster.server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
    assert cluster.server.psql(ROLES_SQL, SECRETS=str(cluster.secrets)).returncode == 0

    log = (cluster.server.folder / "log").read_text()

    assert "log_statement" in log
    assert TELLTALE not in log
