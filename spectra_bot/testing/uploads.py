"""Uploading a file: ask for a url, post the bytes there, then share it."""

from collections.abc import Callable
from dataclasses import replace

from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.chat import reachable
from spectra_bot.testing.json_shapes import JsonObject, as_objects, as_text
from spectra_bot.testing.messages import StoredFile
from spectra_bot.testing.methods import Method
from spectra_bot.testing.people import Installation
from spectra_bot.testing.refusals import Finding, RefusedError
from spectra_bot.testing.workspace import Workspace

WRITE_FILES = ("files:write",)


def upload_methods(upload_url: Callable[[str], str]) -> tuple[Method, ...]:
    """Build the methods; `upload_url` turns a file id into where its bytes go."""

    def get_upload_url(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
        name = arguments.required("filename")
        length = arguments.required("length")
        if not length.isdecimal() or int(length) == 0:
            raise RefusedError("invalid_arguments", [Finding("/length", "must be greater than 0")])
        file = StoredFile(id=workspace.fresh("F"), name=name, length=int(length))
        workspace.files[file.id] = file
        return {"ok": True, "upload_url": upload_url(file.id), "file_id": file.id}

    return (
        Method("files.getUploadURLExternal", WRITE_FILES, get_upload_url),
        Method("files.completeUploadExternal", WRITE_FILES, complete_upload),
    )


def receive(workspace: Workspace, file_id: str, content: bytes) -> None:
    """Take the bytes of a file.

    Raises:
        RefusedError: `file_not_found`, or `invalid_length` when it is not as long as announced.
    """
    file = workspace.files.get(file_id)
    if file is None or file.is_shared:
        raise RefusedError("file_not_found")
    if len(content) != file.length:
        raise RefusedError("invalid_length")
    workspace.files[file_id] = replace(file, content=content)


def complete_upload(workspace: Workspace, by: Installation, arguments: Arguments) -> JsonObject:
    """Share uploaded files, in a channel or thread when one is named."""
    listed = as_objects(arguments.decoded("files"))
    files = [workspace.files.get(as_text(item.get("id"))) for item in listed]
    if not files:
        raise RefusedError("invalid_arguments", [Finding("/files", "missing required field: files")])
    uploaded = [file for file in files if file is not None and file.content is not None]
    if len(uploaded) < len(files):
        raise RefusedError("file_not_found")
    names = arguments.text("channel_id") or arguments.text("channels")
    channels = [reachable(workspace, by, name) for name in names.split(",") if name]
    thread_ts = arguments.text("thread_ts") or None
    for channel in channels:
        if thread_ts and (channel.id, thread_ts) not in workspace.messages:
            raise RefusedError("thread_not_found")
    for file, item in zip(uploaded, listed, strict=True):
        title = as_text(item.get("title")) or file.name
        workspace.files[file.id] = replace(file, title=title, is_shared=True)
    for channel in channels:
        workspace.post(
            channel=channel.id,
            text=arguments.text("initial_comment"),
            by=by,
            thread_ts=thread_ts,
            files=tuple(file.id for file in uploaded),
        )
    return {
        "ok": True,
        "files": [{"id": file.id, "title": workspace.files[file.id].title} for file in uploaded],
    }
