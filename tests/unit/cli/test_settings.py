from __future__ import annotations

import os
from pathlib import Path

import pytest

from spectra_bot import TemporalOptions
from spectra_bot.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("SPECTRA_", "SLACK_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_environment() -> None:
    settings = Settings.load()

    assert (settings.db, settings.workflows, settings.host, settings.port) == (
        Path("spectra.db"),
        (),
        "127.0.0.1",
        3000,
    )
    assert not settings.has_slack


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_DB", "/data/a.db")
    monkeypatch.setenv("SPECTRA_WORKFLOWS", f"one.py{os.pathsep}two, three.four")
    monkeypatch.setenv("SPECTRA_ALLOW_OTHER_WORKSPACES", "true")
    monkeypatch.setenv("SPECTRA_LOG_LEVEL", "debug")

    settings = Settings.load()

    assert settings.db == Path("/data/a.db")
    assert settings.workflows == ("one.py", "two", "three.four")
    assert settings.allow_other_workspaces
    assert settings.log_level == "DEBUG"


def test_dotenv_is_read_and_the_environment_counts_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPECTRA_PORT=4000\nSPECTRA_HOST=0.0.0.0\nOTHER_PROGRAM=1\n")
    monkeypatch.setenv("SPECTRA_PORT", "5000")

    settings = Settings.load()

    assert (settings.port, settings.host) == (5000, "0.0.0.0")  # noqa: S104  a value to read back


def test_call_counts_more_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_DB", "environment.db")

    assert Settings.load(db=Path("call.db")).db == Path("call.db")


def test_value_that_does_not_fit_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_PORT", "high")
    monkeypatch.setenv("SPECTRA_LOG_LEVEL", "loud")

    with pytest.raises(SettingsError) as caught:
        Settings.load()

    assert "SPECTRA_PORT: " in str(caught.value)
    assert "SPECTRA_LOG_LEVEL: " in str(caught.value)


def test_missing_slack_settings_are_named_with_where_to_find_them() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load().slack()

    assert "your app at https://api.slack.com/apps has what is missing" in str(caught.value)
    assert "SLACK_BOT_TOKEN is not set" in str(caught.value)
    assert "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set" in str(caught.value)


@pytest.mark.parametrize("way", ["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"])
def test_bot_token_and_one_way_to_hear_of_clicks_are_enough(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv(way, "xapp-1")

    assert Settings.load().slack().bot_token.get_secret_value() == "xoxb-1"


def test_tokens_of_the_wrong_kind_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xapp-swapped")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xoxb-swapped")

    problems = Settings.load().slack_problems()

    assert len(problems) == 2
    assert "begins with xoxb-" in problems[0]
    assert "begins with xapp-" in problems[1]
    assert not any("swapped" in problem for problem in problems)


def test_secrets_do_not_show_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-hidden")

    assert "hidden" not in repr(Settings.load())


def test_unknown_variables_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_WORKFLOW", "x.py")

    assert Settings.unknown_names() == ["SPECTRA_WORKFLOW"]


def test_unknown_variables_of_the_dotenv_file_are_found_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPECTRA_CHANEL=C1\nspectra_port=4000\nOTHER_PROGRAM=1\n")

    assert Settings.unknown_names() == ["SPECTRA_CHANEL"]


@pytest.mark.parametrize(("text", "size"), [("4096", 4096), ("16MiB", 16 * 2**20), ("2 kB", 2000)])
def test_payload_limit_takes_bytes_and_units(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_MAX_PAYLOAD", text)

    assert Settings.load().max_payload == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("much", "a number of bytes is needed, or one with a unit, such as 4MiB"),
        ("-1", "a number of bytes is needed"),
        ("5 apples", "a number of bytes is needed"),
        ("10", "greater than or equal to 1024"),
        ("1TiB", "less than or equal to 536870912"),
    ],
)
def test_payload_limit_that_does_not_fit_is_named(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_MAX_PAYLOAD", text)

    with pytest.raises(SettingsError, match=f"SPECTRA_MAX_PAYLOAD: .*{said}"):
        Settings.load()


def test_runs_are_on_this_machine_unless_temporal_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal:7233")

    assert Settings.load().temporal() is None
    assert Settings.load().database == Path("spectra.db")


def test_way_to_temporal_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("ca")
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "acme.tmprl.cloud:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "acme.prod")
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret-key")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SPECTRA_TEMPORAL_PAYLOADS", "sftp://ada:hunter2@host/folder")

    options = Settings.load().temporal()

    assert options == TemporalOptions(
        address="acme.tmprl.cloud:7233",
        namespace="acme.prod",
        payloads="sftp://ada:hunter2@host/folder",
        tls=True,
        api_key="secret-key",
        server_ca=b"ca",
    )
    assert "hunter2" not in repr(options) + repr(Settings.load())
    assert "secret-key" not in repr(options)
    assert "secret-key" not in repr(Settings.load())


def test_version_of_the_workers_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    unversioned = Settings.load().temporal()
    monkeypatch.setenv("SPECTRA_TEMPORAL_BUILD_ID", "2026-01-05")
    monkeypatch.setenv("SPECTRA_TEMPORAL_DEPLOYMENT", "ops-bot")

    versioned = Settings.load().temporal()

    assert unversioned == TemporalOptions(build_id=None, deployment="spectra-bot")
    assert versioned == TemporalOptions(build_id="2026-01-05", deployment="ops-bot")


def test_deployment_that_temporal_would_not_tell_from_its_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_TEMPORAL_DEPLOYMENT", "ops.bot")

    with pytest.raises(SettingsError, match="SPECTRA_TEMPORAL_DEPLOYMENT"):
        Settings.load()


def test_certificate_of_temporal_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "nowhere.pem")

    with pytest.raises(SettingsError, match=r"TEMPORAL_TLS_SERVER_CA_CERT_PATH: nowhere.pem can't be read"):
        Settings.load().temporal()


def test_certificate_without_its_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRA_ENGINE", "temporal")
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", "cert.pem")

    with pytest.raises(SettingsError, match="belong together"):
        Settings.load().temporal()
