"""What `deploy/compose.yaml` says, as far as tests need it."""

from collections.abc import Mapping, Sequence

import yaml
from pydantic import BaseModel

from tests.commands import ROOT

DEPLOY = ROOT / "deploy"


class Check(BaseModel):
    """A health check."""

    test: Sequence[str]


class Service(BaseModel):
    """A service of compose.yaml, or a container of Kubernetes that does the same.

    Attributes:
        mem_limit: The most memory that it may take.
    """

    image: str
    command: Sequence[str] = ()
    entrypoint: Sequence[str] = ("with-secrets",)
    environment: Mapping[str, str] = {}
    secrets: Sequence[str] = ()
    ports: Sequence[str] = ()
    profiles: Sequence[str] = ()
    restart: str = "no"
    mem_limit: str = ""
    read_only: bool = False
    cap_drop: Sequence[str] = ()
    user: str = ""
    healthcheck: Check | None = None


class Compose(BaseModel):
    """The whole file."""

    services: Mapping[str, Service]
    secrets: Mapping[str, Mapping[str, str]]


def read_compose() -> Compose:
    return Compose.model_validate(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))
