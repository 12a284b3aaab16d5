"""What an answer of the app changes on the person's screen."""

from spectra_bot.testing import chat
from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.delivery import Ack, Reply
from spectra_bot.testing.json_shapes import JsonObject, as_object
from spectra_bot.testing.limits import check_errors, check_view
from spectra_bot.testing.messages import OpenView
from spectra_bot.testing.payloads import Kind, Payload
from spectra_bot.testing.refusals import Finding, RefusedError
from spectra_bot.testing.workspace import Workspace


def apply_reply(workspace: Workspace, payload: Payload, reply: Reply) -> Ack:
    """Do what the reply asks for: answer a command, mark fields, change or close a modal.

    What Slack would not show is not done; `problem` of the returned ack says why.
    """
    problem = None
    if reply.status is None:
        problem = "not acknowledged in time"
    elif not 200 <= reply.status < 300:
        problem = f"not acknowledged: HTTP {reply.status}"
    elif payload.may_answer:
        try:
            _apply(workspace, payload, reply)
        except RefusedError as refusal:
            problem = str(refusal)
    return Ack(payload=payload, status=reply.status, body=reply.body, took_s=reply.took_s, problem=problem)


def _apply(workspace: Workspace, payload: Payload, reply: Reply) -> None:
    if payload.view is not None:
        shown = workspace.views.find(payload.view.id)
        if shown is not None:
            _apply_to_view(workspace, shown, as_object(reply.body))
    elif payload.kind is Kind.COMMAND and payload.ticket is not None and reply.body:
        body: JsonObject = reply.body if isinstance(reply.body, dict) else {"text": reply.body}
        chat.respond(workspace, payload.ticket, Arguments(body))


def _apply_to_view(workspace: Workspace, shown: OpenView, answer: JsonObject) -> None:
    match answer.get("response_action"):
        case None:
            workspace.views.close(shown)
        case "clear":
            workspace.views.close(shown, whole_stack=True)
        case "errors":
            check_errors(answer.get("errors"), shown.view)
        case "update":
            view = as_object(answer.get("view"))
            check_view(view)
            workspace.views.replace(shown, view)
        case "push":
            view = as_object(answer.get("view"))
            check_view(view)
            workspace.views.open(shown.user, view, onto=workspace.views.stacks[shown.user])
        case other:
            raise RefusedError("invalid_arguments", [Finding("/response_action", f"unknown: {other}")])
