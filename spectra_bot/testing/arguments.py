"""The arguments of a Web API call, however they were sent: query, form or JSON."""

import json

from aiohttp import web
from pydantic import JsonValue

from spectra_bot.testing.json_shapes import JsonObject
from spectra_bot.testing.refusals import Finding, RefusedError

# Form fields that carry JSON, and what Slack answers when they do not.
_ENCODED = {
    "blocks": "invalid_blocks_format",
    "attachments": "invalid_attachments",
    "metadata": "invalid_metadata_format",
    "view": "invalid_arguments",
    "files": "invalid_arguments",
}


class Arguments:
    """What the app passed to one method."""

    def __init__(self, values: JsonObject) -> None:
        """Read from decoded values; null counts as absent."""
        self.values: JsonObject = {key: value for key, value in values.items() if value is not None}

    def has(self, name: str) -> bool:
        """Tell whether the argument was passed."""
        return name in self.values

    def text(self, name: str) -> str:
        """Read a string, or an empty one."""
        value = self.values.get(name)
        return "" if value is None or isinstance(value, dict | list) else str(value)

    def required(self, name: str) -> str:
        """Read a string that must be there.

        Raises:
            RefusedError: `invalid_arguments`, naming the field.
        """
        if not (text := self.text(name)):
            raise RefusedError("invalid_arguments", [Finding(f"/{name}", f"missing required field: {name}")])
        return text

    def flag(self, name: str) -> bool:
        """Read a boolean as slack_sdk sends it: `true`, `1` or a JSON boolean."""
        return self.text(name).lower() in ("1", "true")

    def decoded(self, name: str) -> JsonValue:
        """Read a structured value, decoding it if it came as JSON text.

        Raises:
            RefusedError: what Slack says of this argument when it is not JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            decoded: JsonValue = json.loads(value)
        except ValueError:
            raise RefusedError(_ENCODED.get(name, "invalid_arguments")) from None
        return decoded


async def read_arguments(request: web.Request) -> Arguments:
    """Gather the arguments of a call; a JSON body wins over a form, a form over the query.

    Raises:
        RefusedError: `invalid_json` or `json_not_object`.
    """
    values: JsonObject = dict(request.query)
    if request.content_type == "application/json":
        try:
            body: JsonValue = json.loads(await request.text() or "{}")
        except ValueError:
            raise RefusedError("invalid_json") from None
        if not isinstance(body, dict):
            raise RefusedError("json_not_object")
        values.update(body)
    else:
        form = await request.post()
        values.update({key: value for key, value in form.items() if isinstance(value, str)})
    return Arguments(values)


def token_of(request: web.Request, arguments: Arguments) -> str:
    """Read the token from the Authorization header, or from the body."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else arguments.text("token")
