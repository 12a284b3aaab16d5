"""The HTTP side of the fake: Web API methods, response urls and uploads, with faults on the way."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from spectra_bot.testing import chat, directory, history, modals
from spectra_bot.testing.arguments import Arguments, read_arguments, token_of
from spectra_bot.testing.calls import Call, CallLog
from spectra_bot.testing.faults import (
    Delayed,
    Dropped,
    Fault,
    FaultPlan,
    Held,
    RateLimited,
    Refused,
    ServerError,
)
from spectra_bot.testing.json_shapes import JsonObject, as_text
from spectra_bot.testing.methods import Method
from spectra_bot.testing.people import Installation
from spectra_bot.testing.refusals import RefusedError
from spectra_bot.testing.uploads import receive, upload_methods
from spectra_bot.testing.workspace import Workspace

RESPONSE_URL = "response_url"
UPLOAD = "upload"
CONNECT = "apps.connections.open"


class WebApi:
    """Answers what the app asks of Slack, and notes every call."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        calls: CallLog,
        faults: FaultPlan,
        app_token: str,
        url_of: Callable[[str], str],
        socket_url: Callable[[], str],
    ) -> None:
        """Work on the workspace.

        Args:
            url_of: makes a path a full http url.
            socket_url: makes a fresh url for one Socket Mode connection.
        """
        self._workspace = workspace
        self._calls = calls
        self._faults = faults
        self._app_token = app_token
        self._socket_url = socket_url
        known = (
            *chat.METHODS,
            *modals.METHODS,
            *directory.METHODS,
            *history.METHODS,
            *upload_methods(lambda file_id: url_of(f"/upload/{file_id}")),
        )
        self._methods: dict[str, Method] = {method.name: method for method in known}

    def routes(self) -> list[web.RouteDef]:
        """List the routes to serve."""
        return [
            web.post("/api/{method}", self._answer_method),
            web.get("/api/{method}", self._answer_method),
            web.post("/response/{key:.+}", self._answer_response_url),
            web.post("/upload/{file_id}", self._answer_upload),
        ]

    async def _answer_method(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        arguments, broken = Arguments({}), None
        try:
            arguments = await read_arguments(request)
        except RefusedError as refusal:
            broken = refusal
        token = token_of(request, arguments)
        headers = {}
        if caller := self._workspace.installations.get(token):
            headers["x-oauth-scopes"] = ",".join(sorted(caller.scopes))

        def work() -> JsonObject:
            if broken is not None:
                raise broken
            return self._work(name, token, arguments)

        return await self._run(request, name, arguments, work, headers)

    def _work(self, name: str, token: str, arguments: Arguments) -> JsonObject:
        if name == CONNECT:
            return self._connect(token)
        if name not in self._methods:
            raise RefusedError("unknown_method", req_method=name)
        method = self._methods[name]
        caller = self._caller(token)
        if method.scopes and not caller.scopes.intersection(method.scopes):
            provided = ",".join(sorted(caller.scopes))
            raise RefusedError("missing_scope", needed=",".join(method.scopes), provided=provided)
        return method.work(self._workspace, caller, arguments)

    def _caller(self, token: str) -> Installation:
        if not token:
            raise RefusedError("not_authed")
        if token == self._app_token:
            raise RefusedError("not_allowed_token_type")
        if token not in self._workspace.installations:
            raise RefusedError("invalid_auth")
        return self._workspace.installations[token]

    def _connect(self, token: str) -> JsonObject:
        if not token:
            raise RefusedError("not_authed")
        if token in self._workspace.installations:
            raise RefusedError("not_allowed_token_type")
        if token != self._app_token:
            raise RefusedError("invalid_auth")
        return {"ok": True, "url": self._socket_url()}

    async def _answer_response_url(self, request: web.Request) -> web.StreamResponse:
        arguments, broken = Arguments({}), None
        try:
            arguments = await read_arguments(request)
        except RefusedError as refusal:
            broken = refusal

        def work() -> JsonObject:
            if broken is not None:
                raise broken
            ticket = self._workspace.tickets.use_response_url(request.match_info["key"])
            chat.respond(self._workspace, ticket, arguments)
            return {"ok": True}

        return await self._run(request, RESPONSE_URL, arguments, work)

    async def _answer_upload(self, request: web.Request) -> web.StreamResponse:
        file_id = request.match_info["file_id"]
        content = await request.read()

        def work() -> JsonObject:
            receive(self._workspace, file_id, content)
            return {"ok": True}

        arguments = Arguments({"file_id": file_id, "length": len(content)})
        return await self._run(request, UPLOAD, arguments, work)

    async def _run(
        self,
        request: web.Request,
        name: str,
        arguments: Arguments,
        work: Callable[[], JsonObject],
        headers: dict[str, str] | None = None,
    ) -> web.StreamResponse:
        fault = self._faults.take(name)
        if isinstance(fault, Delayed):
            await asyncio.sleep(fault.seconds)
        elif isinstance(fault, Held) and not fault.after_work:
            await fault.wait()
        did_work = _is_worked_on(fault)
        body: JsonObject = {"ok": True}
        if did_work:
            try:
                body = work()
            except RefusedError as refusal:
                body = refusal.response()
        if isinstance(fault, Held) and fault.after_work:
            await fault.wait()
        response = _failed(fault) or _succeeded(name, body)
        response.headers.update(headers or {})
        is_dropped = isinstance(fault, Dropped)
        error = fault.error if isinstance(fault, Refused) else as_text(body.get("error")) or None
        self._calls.record(
            Call(
                method=name,
                arguments=arguments.values,
                at=self._workspace.now(),
                status=None if is_dropped else response.status,
                error=error,
                fault=None if fault is None else type(fault).__name__,
                did_work=did_work,
            )
        )
        if is_dropped and request.transport is not None:
            request.transport.abort()
        return response


def _is_worked_on(fault: Fault | None) -> bool:
    if isinstance(fault, ServerError | Dropped):
        return fault.after_work
    return not isinstance(fault, RateLimited | Refused)


def _failed(fault: Fault | None) -> web.Response | None:
    match fault:
        case RateLimited(retry_after=seconds):
            body = {"ok": False, "error": "ratelimited"}
            return web.json_response(body, status=429, headers={"Retry-After": str(seconds)})
        case ServerError(status=status):
            # Slack's own proxies answer these with a page, not with JSON.
            return web.Response(status=status, text="<html>Server Error</html>", content_type="text/html")
        case Refused(error=error):
            return web.json_response({"ok": False, "error": error})
        case _:
            return None


def _succeeded(name: str, body: JsonObject) -> web.Response:
    if name not in (RESPONSE_URL, UPLOAD):
        return web.json_response(body)
    if body["ok"]:
        return web.Response(text="ok")
    is_gone = body["error"] in ("expired_url", "used_url", "file_not_found")
    return web.json_response(body, status=404 if is_gone else 400)
