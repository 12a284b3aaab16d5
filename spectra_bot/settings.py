"""What the environment says: one frozen value, checked once, with an error that names what is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from spectra_bot.errors import SpectraError
from spectra_bot.forms import problems
from spectra_bot.temporal import TemporalOptions

_SLACK_LACKS = "Slack is not set up; your app at https://api.slack.com/apps has what is missing:"


class SettingsError(SpectraError):
    """A setting is missing or can't be used; says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackAccess:
    """What the bot needs to speak with Slack: a bot token, and a way to hear of clicks."""

    bot_token: SecretStr
    app_token: SecretStr | None
    """With it the bot opens a socket to Slack; without it Slack calls the bot over HTTP."""
    signing_secret: SecretStr | None


def _places(value: object) -> object:
    if isinstance(value, str):
        return tuple(place.strip() for place in value.replace(os.pathsep, ",").split(",") if place.strip())
    return value


def _size(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError as error:
        raise ValueError("a number of bytes is needed, or one with a unit, such as 4MiB") from error


class Settings(BaseSettings):
    """Every setting, read from the environment and a `.env` file in the current folder; the first wins."""

    model_config = SettingsConfigDict(
        env_prefix="SPECTRA_",
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",  # a .env file may hold other programs' settings; `doctor` tells of unknown names
        populate_by_name=True,
        validate_default=True,
    )

    db: Path = Path("spectra.db")
    """The database file."""
    engine: Literal["embedded", "temporal"] = "embedded"
    """What carries runs on: this machine and its database file, or a Temporal cluster."""
    temporal_address: str = Field(default="localhost:7233", validation_alias="TEMPORAL_ADDRESS")
    """Where Temporal is, as host:port."""
    temporal_namespace: str = Field(default="default", validation_alias="TEMPORAL_NAMESPACE")
    """The namespace there."""
    temporal_task_queue: str = "spectra"
    """The bots that share it share their runs."""
    temporal_payloads: SecretStr | None = None
    """A place for payloads above 256 KiB, as an fsspec URL that all bots share: file:///srv/spectra, s3://bucket/prefix."""
    temporal_build_id: str | None = None
    """The version of what this worker runs, for Temporal's worker versioning; without it there is none."""
    temporal_deployment: Annotated[str, Field(pattern=r"^[^.:\s]+$")] = "spectra-bot"
    """The name under which Temporal keeps these versions."""
    temporal_tls: bool = Field(default=False, validation_alias="TEMPORAL_TLS")
    """Speak TLS with Temporal; an API key or a certificate implies it."""
    temporal_api_key: SecretStr | None = Field(default=None, validation_alias="TEMPORAL_API_KEY")
    """The API key, as Temporal Cloud gives it."""
    temporal_server_ca: Path | None = Field(default=None, validation_alias="TEMPORAL_TLS_SERVER_CA_CERT_PATH")
    """The file with the certificate that Temporal's is signed with, where it is not a public one."""
    temporal_client_cert: Path | None = Field(default=None, validation_alias="TEMPORAL_TLS_CLIENT_CERT_PATH")
    """The file with our certificate, for mutual TLS."""
    temporal_client_key: Path | None = Field(default=None, validation_alias="TEMPORAL_TLS_CLIENT_KEY_PATH")
    """The file with its key."""
    workflows: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_places)] = ()
    """Modules and files with workflows; several are separated by commas or as in PATH."""
    channel: str | None = None
    """Where a question goes that nothing else gives a channel."""
    slack_bot_token: SecretStr | None = Field(default=None, validation_alias="SLACK_BOT_TOKEN")
    """The bot user's token, xoxb-..."""
    slack_app_token: SecretStr | None = Field(default=None, validation_alias="SLACK_APP_TOKEN")
    """The app-level token, xapp-..., for Socket Mode."""
    slack_signing_secret: SecretStr | None = Field(default=None, validation_alias="SLACK_SIGNING_SECRET")
    """Proves that a request over HTTP comes from Slack."""
    slack_api_url: str = "https://slack.com/api/"
    """Where Slack's Web API is; a test points it at a stand-in."""
    allow_other_workspaces: bool = False
    """People of other workspaces (Slack Connect) may decide."""
    max_payload: Annotated[ByteSize, WrapValidator(_size), Field(ge=1024, le=512 * 1024 * 1024)] = "4MiB"  # type: ignore[assignment]  # read
    """The largest stored value: inputs, an output, a `once` result, data or notes; as `4MiB` or in bytes."""
    redis_url: SecretStr | None = None
    """The Redis of the queue, redis://USER:PASSWORD@HOST:PORT; without it there is no queue."""
    redis_requests: str = "spectra:requests"
    """The stream where questions go out."""
    redis_answers: str = "spectra:answers"
    """The stream where answers come in; its name is part of who gave them."""
    redis_set_aside: str = "spectra:set-aside"
    """The stream where refused answers go."""
    redis_trusts_names: bool = False
    """An answer from the queue may say who decided; whoever may write there is believed."""
    agent_model: str | None = None
    """The model of the demo's agent by its name in pydantic-ai; `offline` is a script for the demo's sample."""
    host: str = "127.0.0.1"
    """Where `serve` listens over HTTP."""
    port: Annotated[int, Field(ge=0, le=65535)] = 3000
    """0 takes a free port."""
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    ] = "INFO"

    @classmethod
    def load(cls, **overrides: object) -> Settings:
        """Read the environment; what is given here counts more.

        Raises:
            SettingsError: naming each setting that can't be used.
        """
        try:
            return cls(**overrides)  # type: ignore[arg-type]  # pydantic checks them
        except ValidationError as error:
            found = (f"{_variable(name)}: {problem}" for name, problem in problems(error).items())
            raise SettingsError("; ".join(found)) from error

    @classmethod
    def load_what_fits(cls, **overrides: object) -> tuple[Settings, list[str]]:
        """Read the environment with defaults for what can't be used, and what is wrong with that, a line each."""
        try:
            return cls.load(**overrides), []
        except SettingsError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            found = problems(error.__cause__)
        defaults = {
            name: field.default for name, field in cls.model_fields.items() if {name, _variable(name)} & found.keys()
        }
        return cls.load(**overrides, **defaults), [f"{_variable(name)}: {problem}" for name, problem in found.items()]

    @property
    def database(self) -> Path | None:
        """The database file; None where runs are in Temporal."""
        return self.db if self.engine == "embedded" else None

    def temporal(self) -> TemporalOptions | None:
        """The way to Temporal; None where runs are carried on by this machine.

        Raises:
            SettingsError: naming the file that can't be read, or what is missing beside it.
        """
        if self.engine != "temporal":
            return None
        if (self.temporal_client_cert is None) != (self.temporal_client_key is None):
            raise SettingsError(
                "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH belong together; one is not set"
            )
        return TemporalOptions(
            address=self.temporal_address,
            namespace=self.temporal_namespace,
            task_queue=self.temporal_task_queue,
            tls=self.temporal_tls or self.temporal_api_key is not None,
            payloads=_value(self.temporal_payloads) if self.temporal_payloads is not None else None,
            api_key=_value(self.temporal_api_key) if self.temporal_api_key is not None else None,
            server_ca=_content("TEMPORAL_TLS_SERVER_CA_CERT_PATH", self.temporal_server_ca),
            client_cert=_content("TEMPORAL_TLS_CLIENT_CERT_PATH", self.temporal_client_cert),
            client_key=_content("TEMPORAL_TLS_CLIENT_KEY_PATH", self.temporal_client_key),
            build_id=self.temporal_build_id,
            deployment=self.temporal_deployment,
        )

    def slack(self) -> SlackAccess:
        """Access to Slack.

        Raises:
            SettingsError: naming each setting that is missing or of the wrong kind, and where to find it.
        """
        found = self.slack_problems()
        if found or self.slack_bot_token is None:
            raise SettingsError("\n  ".join([_SLACK_LACKS, *found]))
        return SlackAccess(
            bot_token=self.slack_bot_token,
            app_token=self.slack_app_token,
            signing_secret=self.slack_signing_secret,
        )

    def slack_posting(self) -> SecretStr | None:
        """The token with which questions are posted, and no more; None where nothing of Slack is set.

        Raises:
            SettingsError: it is missing beside other settings of Slack, or of the wrong kind.
        """
        found = self.slack_posting_problems() if self.has_slack else []
        if found:
            raise SettingsError("\n  ".join([_SLACK_LACKS, *found]))
        return self.slack_bot_token

    @property
    def has_slack(self) -> bool:
        """Something of Slack is set, so it is meant to work."""
        return any((self.slack_bot_token, self.slack_app_token, self.slack_signing_secret))

    @property
    def serves_slack(self) -> bool:
        """`serve` needs Slack: it is set, or nothing else is to serve."""
        return self.has_slack or self.redis_url is None

    def slack_problems(self) -> list[str]:
        """What stands between these settings and Slack, a line each."""
        return [*self.slack_posting_problems(), *self.slack_listening_problems()]

    def slack_posting_problems(self) -> list[str]:
        """What keeps these settings from posting questions, a line each."""
        found = []
        if self.slack_bot_token is None:
            found.append(
                "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-...) from OAuth & Permissions"
            )
        elif not _value(self.slack_bot_token).startswith(("xoxb-", "xoxe.xoxb-")):
            found.append("SLACK_BOT_TOKEN is not a bot token: it begins with xoxb-; see OAuth & Permissions")
        return found

    def slack_listening_problems(self) -> list[str]:
        """What keeps these settings from hearing of clicks, a line each."""
        found = []
        if self.slack_app_token is None and self.slack_signing_secret is None:
            found.append(
                "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set: for Socket Mode make an app-level "
                "token with connections:write under Basic Information, for HTTP copy the Signing Secret there"
            )
        if self.slack_app_token is not None and not _value(self.slack_app_token).startswith("xapp-"):
            found.append("SLACK_APP_TOKEN is no app-level token: it begins with xapp-; see Basic Information")
        return found

    @classmethod
    def unknown_names(cls) -> list[str]:
        """The SPECTRA_ variables of the environment and of the `.env` file that no setting reads."""
        known = {_variable(name) for name in cls.model_fields}
        written = {name.upper() for name in DotEnvSettingsSource(cls).env_vars}
        return sorted(name for name in {*os.environ, *written} if name.startswith("SPECTRA_") and name not in known)

    @classmethod
    def table(cls) -> list[tuple[str, str]]:
        """Each setting's variable with its default, in the order of this file."""
        return [
            (_variable(name), "" if field.default in (None, ()) else str(field.default))
            for name, field in cls.model_fields.items()
        ]


def environment_of_others() -> dict[str, str]:
    """The environment for a program that is not ours: without our settings, tokens among them."""
    ours = {_variable(name) for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _variable(name: str) -> str:
    """The environment variable of a field, or of the alias that pydantic names in its error."""
    field = Settings.model_fields.get(name)
    if field is None:
        return name
    return field.validation_alias if isinstance(field.validation_alias, str) else f"SPECTRA_{name.upper()}"


def _content(variable: str, file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{variable}: {file} can't be read: {error.strerror}") from error


def _value(secret: SecretStr) -> str:
    return secret.get_secret_value()
