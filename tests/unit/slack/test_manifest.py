"""manifest.yaml asks for what the bot uses, as Slack takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from handlers.slack import BOT_SCOPES

ROOT = Path(__file__).parents[3]


@pytest.fixture
def manifest() -> Any:
    return yaml.safe_load((ROOT / "manifest.yaml").read_text("utf-8"))


def test_the_manifest_is_one_that_slack_takes(manifest: Any) -> None:
    schema = json.loads((Path(__file__).parent / "slack-manifest.schema.json").read_text("utf-8"))

    Draft7Validator({**schema["definitions"]["v1"], "definitions": schema["definitions"]}).validate(manifest)
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140
    assert all(len(command["command"]) <= 32 for command in manifest["features"]["slash_commands"])


def test_the_manifest_asks_for_the_scopes_that_doctor_looks_for(manifest: Any) -> None:
    assert sorted(manifest["oauth_config"]["scopes"]["bot"]) == sorted(BOT_SCOPES)
    assert "user" not in manifest["oauth_config"]["scopes"]


def test_the_manifest_switches_on_what_the_bot_listens_to(manifest: Any) -> None:
    assert [command["command"] for command in manifest["features"]["slash_commands"]] == ["/spectra"]
    assert manifest["settings"]["interactivity"]["is_enabled"]
    assert manifest["settings"]["socket_mode_enabled"]
