"""The image, its pins, and the files around it stand up to the linters of their kinds."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.commands import ROOT
from tests.deploy.composed import DEPLOY, read_compose
from tests.deploy.conftest import PASSWORDS

PROGRAMS = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
SCRIPTS = sorted(
    str(each)
    for each in DEPLOY.rglob("*")
    if each.is_file() and each.read_bytes().startswith((b"#!/bin/sh", b"#!/bin/b"))
)


def pins() -> dict[str, str]:
    """The version of each package in the constraints file."""
    lines = [each for each in (DEPLOY / "constraints.txt").read_text().splitlines() if not each.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", each) for each in lines)  # no place to get it from
    return dict(each.split("==") for each in lines)


def lint(program: str, *arguments: str) -> str:
    """What a linter has to say of something; nothing, if it is content."""
    found = shutil.which(program, path=PROGRAMS)
    assert found, f"{program} is missing: pip install -e '.[test]'"
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_dockerfile_is_in_order() -> None:
    assert lint("hadolint", str(DEPLOY / "Dockerfile")) == ""


def test_the_scripts_are_in_order() -> None:
    assert {Path(each).name for each in SCRIPTS} >= {"prepare", "with-secrets"}
    assert lint("shellcheck", *SCRIPTS) == ""


def test_every_yaml_file_is_in_order() -> None:
    rules = "{extends: relaxed, rules: {line-length: {max: 120}, key-duplicates: enable}}"

    assert lint("yamllint", "--strict", "-d", rules, str(DEPLOY)) == ""


def test_the_compose_file_fits_the_compose_specification() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")

    assert lint("check-jsonschema", *schema, str(DEPLOY / "compose.yaml")) == ""


def test_only_the_dashboards_are_published_and_on_loopback_alone() -> None:
    published = {name: list(each.ports) for name, each in read_compose().services.items() if each.ports}

    assert published == {"mlflow": ["127.0.0.1:5000:5000"], "dashboard": ["127.0.0.1:8080:8080"]}


def test_each_service_is_given_its_own_password_and_no_rights_it_does_not_need() -> None:
    for name, service in read_compose().services.items():
        own = Path(service.environment.get("PGPASSWORD_FILE", "")).name
        assert list(service.secrets) == (list(PASSWORDS) if name == "postgres" else [own])
        assert (service.read_only, list(service.cap_drop)) == (True, ["ALL"])


def test_no_service_may_take_the_memory_of_its_neighbours() -> None:
    limits = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", each.mem_limit) for name, each in read_compose().services.items()}

    assert all(re.fullmatch(r"[1-8]g", each) for each in limits.values()), limits


def test_what_we_depend_on_is_pinned_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for name, group in project["optional-dependencies"].items() if name != "test" for each in group]
    pinned = pins()

    for each in map(Requirement, project["dependencies"] + extras):
        assert each.specifier.contains(pinned[canonicalize_name(each.name)]), each


def test_the_pins_are_complete_and_agree_with_each_other() -> None:
    """Everything that something pinned requires is pinned, to a version that it accepts."""
    pinned = pins()
    others = [name for name, pin in pinned.items() if installed(name) not in (None, pin)]
    if others:
        pytest.skip(
            f"this environment has other versions than deploy/constraints.txt, which CI's is made with: {others}"
        )

    for name in filter(installed, pinned):
        for each in map(Requirement, distribution(name).requires or ()):
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                assert each.specifier.contains(pinned[canonicalize_name(each.name)], prereleases=True), (name, each)


def installed(name: str) -> str | None:
    """The version of a package here."""
    try:
        return version(name)
    except PackageNotFoundError:  # Ray's, where it is not installed
        return None


def test_all_that_the_image_copies_is_let_into_its_context() -> None:
    copied = re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    allowed = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), flags=re.MULTILINE)

    assert sorted(each for line in copied for each in line.split()) == sorted(allowed)
    assert all((ROOT / each).exists() for each in allowed)


def test_preparing_makes_every_password_once_and_keeps_the_folder_closed(tmp_path: Path) -> None:
    prepare = shutil.copy(DEPLOY / "prepare", tmp_path)
    subprocess.run([prepare], check=True)
    first = {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}
    (tmp_path / "secrets" / "mlflow_password").unlink()

    subprocess.run([prepare], check=True, cwd="/")
    again = {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}

    assert set(first) == set(PASSWORDS) == set(read_compose().secrets)
    assert all(len(each.strip()) == 48 for each in first.values())
    assert len(set(first.values())) == len(first)
    assert {name for name in first if first[name] != again[name]} == {"mlflow_password"}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / "mlflow_password").stat().st_mode & 0o777 == 0o444


def with_secrets(folder: Path, password_file: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as the image's entry point does."""
    return subprocess.run(
        [DEPLOY / "with-secrets", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PGPASSWORD_FILE": password_file},
    )


def test_a_password_in_a_file_reaches_the_command_and_its_arguments_do_not_change(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open ' sesame\n")

    done = with_secrets(tmp_path, "password", "sh", "-c", 'printf "%s|%s" "$PGPASSWORD" "$1"', "sh", "two words")

    assert done.stdout == "open ' sesame|two words"


def test_a_password_file_that_is_missing_ends_the_command_before_it_begins(tmp_path: Path) -> None:
    done = with_secrets(tmp_path, "nowhere", "echo", "begun")

    assert done.returncode != 0
    assert done.stdout == ""
    assert "nowhere" in done.stderr


def test_without_a_password_file_nothing_is_changed(tmp_path: Path) -> None:
    assert with_secrets(tmp_path, "", "sh", "-c", 'printf "%s" "${PGPASSWORD-none}"').stdout == "none"
