"""Asking people in Slack: messages with buttons, forms, and a slash command."""

from handlers.slack.app import build_slack_app
from handlers.slack.client import SLACK_API, open_client
from handlers.slack.doctor import BOT_SCOPES, Finding, check_app_token, check_slack
from handlers.slack.errors import DeliveryError, SlackError, SlackSetupError
from handlers.slack.handler import SlackApprovalHandler
from handlers.slack.http_server import EVENTS_PATH, HEALTH_PATH, HttpServer, serve_http
from handlers.slack.progress import ThreadProgress
from handlers.slack.socket_mode import SocketListener, serve_socket
from handlers.slack.workspace import refuse_bad_token

__all__ = [
    "BOT_SCOPES",
    "EVENTS_PATH",
    "HEALTH_PATH",
    "SLACK_API",
    "DeliveryError",
    "Finding",
    "HttpServer",
    "SlackApprovalHandler",
    "SlackError",
    "SlackSetupError",
    "SocketListener",
    "ThreadProgress",
    "build_slack_app",
    "check_app_token",
    "check_slack",
    "open_client",
    "refuse_bad_token",
    "serve_http",
    "serve_socket",
]
