"""The tables: our own, and as much of Optuna's as we read or write in bulk. Both live in one database.

`measurement` holds whole curves; a missing value is NaN, which SQLite cannot store. Optuna's identifiers of studies and
trials are also ours. Times are UTC, stored without a zone as Optuna does.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA_VERSION = 9
"""Of our own tables. A store of a lower version is upgraded, one of a higher version refused."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored as UTC without its zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(  # type: ignore[override]  # it hands on what is no time
        self, dialect: Dialect, coltype: object
    ) -> Callable[[object], object]:
        """Reads a value; one that is no time is left as it is, and named where the row is read."""
        convert = super().result_processor(dialect, coltype)

        def read(value: object) -> object:
            try:
                return value if convert is None else convert(value)
            except (ValueError, TypeError, AttributeError):
                return value

        return read


ours = MetaData()

schema = Table(
    "tuner_schema",
    ours,
    Column("version", Integer, nullable=False),
    # Random, made once: tells this store from all others, wherever several of them are seen together.
    Column("identity", String),
)

experiment = Table(
    "experiment",
    ours,
    Column("experiment_id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("settings", Text, nullable=False),  # JSON
    Column("state", String, nullable=False, server_default="open"),
    Column("created", UtcDateTime, nullable=False),
)

experiment_growth = Table(
    "experiment_growth",
    ours,
    Column("growth_id", Integer, primary_key=True),
    Column("experiment_id", ForeignKey("experiment.experiment_id"), nullable=False),
    Column("added", Text, nullable=False),  # JSON: a phrase for each setting
    Column("settings", Text, nullable=False),  # JSON: those before
    Column("time", UtcDateTime, nullable=False),
)

study = Table(
    "study",
    ours,
    Column("study_id", Integer, primary_key=True, autoincrement=False),
    Column("experiment_id", ForeignKey("experiment.experiment_id"), nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("complete", Boolean, nullable=False, default=False),
    # How often the batch size has been claimed: counted in its first round, whichever is searched.
    Column("epoch", Integer, nullable=False, default=0),
    Column("space", Text),  # JSON; the experiment's own if missing
    # Of the batch size, and kept in its first round like the epoch: how far it has come, who has claimed it, how many
    # owners in a row, this one included, have not finished a trial and not handed it back, and why it was set aside.
    Column("stage", String, nullable=False, server_default="search"),
    Column("worker", Text),
    Column("device", Text),
    Column("claimed", UtcDateTime),
    Column("deaths", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    UniqueConstraint("experiment_id", "batch_size", "round"),
)

NO_STUDY = 0
"""The study of an end that has been forgotten: its trial has no result any more."""

trial_end = Table(
    "trial_end",
    ours,
    Column("trial_id", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("limit", Integer, nullable=False),
    Column("spent", Integer, nullable=False),
    Column("loss", Double, nullable=False),
    Column("final", Text, nullable=False),  # JSON, with NaN and Infinity as Python writes them
    Column("ended", UtcDateTime, nullable=False),
    # Also in Optuna's tables. Here trials can be counted without them, in a fifth of the time.
    Column("study_id", Integer, nullable=False),
    Column("role", String, nullable=False),
    Index("trial_end_study", "study_id"),
)

trial_failure = Table(
    "trial_failure",
    ours,
    Column("trial_id", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("ended", UtcDateTime, nullable=False),
)

# No primary key: `trial_end` has one, is written in the same transaction, and thereby keeps a curve from being written
# twice. An index on the trial alone is a tenth of the size of one on (trial, step, metric).
measurement = Table(
    "measurement",
    ours,
    Column("trial_id", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("metric", String, nullable=False),
    Column("value", Double),
    # How many examples the value rests on; all of its split if missing.
    Column("examples", Integer),
    Index("measurement_trial", "trial_id"),
)

# Each measurement is a row, so that a worker's role, which may delete nothing, can measure again.
timing = Table(
    "timing",
    ours,
    Column("timing_id", Integer, primary_key=True),
    Column("experiment_id", ForeignKey("experiment.experiment_id"), nullable=False),
    Column("batch_size", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("seconds", Text, nullable=False),  # JSON: a number for each repetition
    Column("has_measuring", Boolean, nullable=False),
    Column("time", UtcDateTime, nullable=False),
)

optunas = MetaData()
"""Optuna creates these. Columns we do not touch are left out."""

optuna_study = Table("studies", optunas, Column("study_id", Integer, primary_key=True))

OPTUNA_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")

optuna_trial = Table(
    "trials",
    optunas,
    Column("trial_id", Integer, primary_key=True),
    Column("study_id", Integer),
    Column("number", Integer),
    Column("state", Enum(*OPTUNA_STATES, name="trialstate")),
    Column("datetime_start", UtcDateTime),
    Column("datetime_complete", UtcDateTime),
)

optuna_param = Table(
    "trial_params",
    optunas,
    Column("trial_id", Integer),
    Column("param_name", String),
    Column("param_value", Double),
    Column("distribution_json", Text),
)

optuna_value = Table(
    "trial_values",
    optunas,
    Column("trial_id", Integer),
    Column("objective", Integer),
    Column("value", Double),
    Column("value_type", Enum("FINITE", "INF_POS", "INF_NEG", name="trialvaluetype")),
)

optuna_user_attribute = Table(
    "trial_user_attributes",
    optunas,
    Column("trial_id", Integer),
    Column("key", String),
    Column("value_json", Text),
)

optuna_intermediate_value = Table(
    "trial_intermediate_values",
    optunas,
    Column("trial_id", Integer),
    Column("step", Integer),
    Column("intermediate_value", Double),
    Column("intermediate_value_type", Enum("FINITE", "INF_POS", "INF_NEG", "NAN", name="trialintermediatevaluetype")),
)
