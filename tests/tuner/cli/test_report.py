"""The report that the command writes, drawn by several processes."""

from pathlib import Path

import pytest

from tests.commands import tuner
from tuner.reports.page import write_report
from tuner.service.locations import records_in
from tuner.stores import curves_in


def test_it_is_the_report_that_one_process_draws_to_the_byte(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = tuner(finished, "report", "toy", "--output", str(tmp_path / "drawn"))
    monkeypatch.chdir(finished)
    with records_in(None) as store:
        write_report(store.record("toy"), tmp_path / "again", curves=curves_in(store, "toy"), store=store.url)
    drawn, again = (
        {each.name: each.read_bytes() for each in (tmp_path / name).iterdir()} for name in ("drawn", "again")
    )

    assert done.returncode == 0, done.stderr
    assert drawn.keys() == again.keys()
    assert [name for name in drawn if drawn[name] != again[name]] == []
