"""The views.* methods: modals that a person opened, and home views."""

from spectra_bot.testing.arguments import Arguments
from spectra_bot.testing.json_shapes import JsonObject
from spectra_bot.testing.limits import check_view
from spectra_bot.testing.messages import OpenView
from spectra_bot.testing.methods import Method
from spectra_bot.testing.people import Installation
from spectra_bot.testing.refusals import Finding, RefusedError
from spectra_bot.testing.workspace import Workspace


def _view(arguments: Arguments, kind: str) -> JsonObject:
    view = arguments.decoded("view")
    if not isinstance(view, dict):
        raise RefusedError("invalid_arguments", [Finding("/view", "must be a JSON object")])
    if view.get("type") != kind:
        raise RefusedError("invalid_arguments", [Finding("/view/type", f"must be {kind}")])
    check_view(view)
    return view


def _check_external_id(workspace: Workspace, view: JsonObject) -> None:
    external_id = view.get("external_id")
    shown = (item for stack in workspace.views.stacks.values() for item in stack)
    if external_id and any(item.view.get("external_id") == external_id for item in shown):
        raise RefusedError("duplicate_external_id")


def open_view(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Open a modal for whom the trigger id belongs to."""
    view = _view(arguments, "modal")
    _check_external_id(workspace, view)
    ticket = workspace.tickets.exchange_trigger(arguments.required("trigger_id"))
    return {"ok": True, "view": workspace.views.open(ticket.user, view).view}


def push_view(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Open a modal above the one that the trigger id comes from, three at most."""
    view = _view(arguments, "modal")
    _check_external_id(workspace, view)
    ticket = workspace.tickets.exchange_trigger(arguments.required("trigger_id"))
    stack = workspace.views.stacks.get(ticket.user, ())
    if not stack or ticket.view_id is None:
        raise RefusedError("not_found")
    return {"ok": True, "view": workspace.views.open(ticket.user, view, onto=stack).view}


def update_view(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Change an open modal, named by `view_id` or `external_id`; a `hash` must be the present one."""
    view = _view(arguments, "modal")
    found: OpenView | None
    if arguments.has("external_id"):
        shown = (item for stack in workspace.views.stacks.values() for item in stack)
        wanted = arguments.text("external_id")
        found = next((item for item in shown if item.view.get("external_id") == wanted), None)
    else:
        found = workspace.views.find(arguments.required("view_id"))
    if found is None:
        raise RefusedError("not_found")
    if arguments.has("hash") and arguments.text("hash") != found.hash:
        raise RefusedError("hash_conflict")
    return {"ok": True, "view": workspace.views.replace(found, view).view}


def publish_home(workspace: Workspace, _by: Installation, arguments: Arguments) -> JsonObject:
    """Show a person their home view; a `hash` must be the present one."""
    view = _view(arguments, "home")
    user = arguments.required("user_id")
    if user not in workspace.people:
        raise RefusedError("user_not_found")
    shown = workspace.views.homes.get(user)
    if arguments.has("hash") and shown is not None and arguments.text("hash") != shown.hash:
        raise RefusedError("hash_conflict")
    return {"ok": True, "view": workspace.views.publish_home(user, view).view}


METHODS = (
    Method("views.open", (), open_view),
    Method("views.push", (), push_view),
    Method("views.update", (), update_view),
    Method("views.publish", (), publish_home),
)
