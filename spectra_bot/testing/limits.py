"""The limits of messages and views, answered with Slack's own error codes. Pure.

`invalid_blocks` and `invalid_arguments` say in `response_metadata.messages` what is wrong and at
which JSON pointer, in the words Slack uses.
"""

import json

from pydantic import JsonValue

from spectra_bot.testing.block_limits import Surface, check_blocks
from spectra_bot.testing.element_limits import check_length, check_text
from spectra_bot.testing.json_shapes import JsonObject, as_list, as_object, as_objects, texts_in
from spectra_bot.testing.refusals import Finding, RefusedError

POSTED_TEXT = 40_000
UPDATED_TEXT = 4_000
VIEW_BYTES = 250_000

# Slack publishes no number for `msg_blocks_too_long`. Reported: 9,597 characters in 50 blocks pass, 11,341
# in 45 blocks do not, https://github.com/slackapi/bolt-js/issues/2867; a maintainer speaks of 12,000 with
# a buffer for each block, https://github.com/slackapi/bolt-js/issues/2509. This agrees with both reports.
BLOCKS_TEXT = 12_000
BLOCK_BUFFER = 40


def check_message(text: str, blocks: list[JsonValue], *, is_update: bool = False) -> None:
    """Refuse the text and blocks of a message that Slack would refuse.

    A posted text above 40,000 characters is not refused: Slack cuts it.

    Raises:
        RefusedError: `no_text`, `msg_too_long`, `invalid_blocks` or `msg_blocks_too_long`.
    """
    if not text.strip() and not blocks:
        raise RefusedError("no_text")
    if is_update and len(text) > UPDATED_TEXT:
        raise RefusedError("msg_too_long")
    if any(not isinstance(block, dict) for block in blocks):
        raise RefusedError("invalid_blocks_format")
    findings = tuple(check_blocks(blocks, "/blocks", Surface.MESSAGE))
    if findings:
        raise RefusedError("invalid_blocks", findings)
    if sum(map(len, texts_in(blocks))) + BLOCK_BUFFER * len(blocks) > BLOCKS_TEXT:
        raise RefusedError("msg_blocks_too_long")


def check_metadata(metadata: JsonValue) -> None:
    """Refuse message metadata that is not an event type with an object as its payload.

    Raises:
        RefusedError: `invalid_metadata_format` or `invalid_metadata_schema`.
    """
    if not isinstance(metadata, dict):
        raise RefusedError("invalid_metadata_format")
    if metadata and not (
        isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict)
    ):
        raise RefusedError("invalid_metadata_schema")


def check_view(view: JsonObject) -> None:
    """Refuse a modal or home view that Slack would refuse.

    Raises:
        RefusedError: `view_too_large`, or `invalid_arguments` with what is wrong and where.
    """
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise RefusedError("view_too_large")
    surface = Surface.HOME if view.get("type") == "home" else Surface.MODAL
    findings = [
        *_check_frame(view, surface),
        *check_length(view.get("private_metadata") or None, "/view/private_metadata", 3000),
        *check_length(view.get("callback_id") or None, "/view/callback_id", 255),
        *check_length(view.get("external_id") or None, "/view/external_id", 255),
        *check_blocks(view.get("blocks"), "/view/blocks", surface),
    ]
    if findings:
        raise RefusedError("invalid_arguments", findings)


def _check_frame(view: JsonObject, surface: Surface) -> list[Finding]:
    if view.get("type") not in ("modal", "home"):
        return [Finding("/view/type", f"unsupported type: {view.get('type')}")]
    if surface is Surface.HOME:
        return []
    findings: list[Finding] = []
    if "title" not in view:
        findings.append(Finding("/view", "missing required field: title"))
    has_input = any(block.get("type") == "input" for block in as_objects(view.get("blocks")))
    if has_input and not as_object(view.get("submit")):
        findings.append(Finding("/view", "missing required field: submit"))
    for key in ("title", "submit", "close"):
        findings.extend(check_text(view.get(key), f"/view/{key}", 24))
    return findings


def check_errors(errors: JsonValue, view: JsonObject) -> None:
    """Refuse the `errors` of a `response_action` that a modal cannot show.

    Slack marks fields by the `block_id` of an input; anything else shows the person
    "We had some trouble connecting".

    Raises:
        RefusedError: `invalid_arguments`, naming the block ids that are no inputs.
    """
    inputs = {block.get("block_id") for block in as_objects(view.get("blocks")) if block.get("type") == "input"}
    named = as_object(errors)
    findings = [Finding(f"/errors/{name}", "is not the block_id of an input") for name in named if name not in inputs]
    findings += [
        Finding(f"/errors/{name}", "must be a string")
        for name, text in named.items()
        if not isinstance(text, str) or not text
    ]
    if findings or not named:
        raise RefusedError("invalid_arguments", findings or [Finding("/errors", "must name a field")])


def cut(text: str) -> str:
    """Cut a posted text where Slack does."""
    return text[:POSTED_TEXT]


def blocks_of(value: JsonValue) -> list[JsonValue]:
    """Read the `blocks` argument of a message, however it was sent.

    Raises:
        RefusedError: `invalid_blocks_format`.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise RefusedError("invalid_blocks_format")
    return as_list(value)
