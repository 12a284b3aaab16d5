"""The modals that are open in the fake workspace, and the home views."""

from collections.abc import Callable

from pydantic import JsonValue

from spectra_bot.testing.controls import with_ids
from spectra_bot.testing.json_shapes import JsonObject, as_list
from spectra_bot.testing.messages import OpenView
from spectra_bot.testing.people import Installation
from spectra_bot.testing.refusals import RefusedError

VIEWS_ON_STACK = 3


class ViewBook:
    """The views of a workspace by person: stacks of modals, the visible one last, and homes."""

    def __init__(
        self, *, team_id: str, app: Installation, fresh: Callable[[str], str], now: Callable[[], float]
    ) -> None:
        """Make ids by `fresh`, from a prefix; `now` is in seconds since the epoch."""
        self.stacks: dict[str, tuple[OpenView, ...]] = {}
        self.homes: dict[str, OpenView] = {}
        self._team_id = team_id
        self._app = app
        self._fresh = fresh
        self._now = now

    def open(self, user: str, view: JsonObject, *, onto: tuple[OpenView, ...] = ()) -> OpenView:
        """Show a modal, on top of the stack `onto`.

        Raises:
            RefusedError: `push_limit_reached`.
        """
        if len(onto) >= VIEWS_ON_STACK:
            raise RefusedError("push_limit_reached")
        view_id = self._fresh("V")
        opened = self._built(
            view_id,
            user,
            view,
            root_id=onto[0].id if onto else view_id,
            previous_id=onto[-1].id if onto else None,
        )
        self.stacks[user] = (*onto, opened)
        return opened

    def publish_home(self, user: str, view: JsonObject) -> OpenView:
        """Replace a person's home view."""
        view_id = self.homes[user].id if user in self.homes else self._fresh("V")
        self.homes[user] = self._built(view_id, user, view, root_id=view_id, previous_id=None)
        return self.homes[user]

    def replace(self, old: OpenView, view: JsonObject) -> OpenView:
        """Show another content in an open modal; its id stays, its hash changes."""
        if old.user in self.homes and self.homes[old.user].id == old.id:
            return self.publish_home(old.user, view)
        new = self._built(old.id, old.user, view, root_id=old.root_id, previous_id=old.previous_id)
        self.stacks[old.user] = tuple(new if item.id == old.id else item for item in self.stacks[old.user])
        return new

    def close(self, view: OpenView, *, whole_stack: bool = False) -> None:
        """Close a modal, with those above it; or all of the person's."""
        stack = self.stacks.get(view.user, ())
        at = next((index for index, item in enumerate(stack) if item.id == view.id), len(stack))
        self.stacks[view.user] = () if whole_stack else stack[:at]

    def find(self, view_id: str) -> OpenView | None:
        """Find an open modal or a home view by its id."""
        shown = [item for stack in self.stacks.values() for item in stack] + list(self.homes.values())
        return next((item for item in shown if item.id == view_id), None)

    def _built(self, view_id: str, user: str, view: JsonObject, *, root_id: str, previous_id: str | None) -> OpenView:
        digest = f"{int(self._now())}.{self._fresh('')}"
        blocks: list[JsonValue] = [*with_ids(as_list(view.get("blocks")), lambda: self._fresh("id"))]
        stored: JsonObject = {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            **view,
            "blocks": blocks,
            "id": view_id,
            "team_id": self._team_id,
            "app_id": self._app.app_id,
            "bot_id": self._app.bot_id,
            "app_installed_team_id": self._team_id,
            "hash": digest,
            "root_view_id": root_id,
            "previous_view_id": previous_id,
            "state": {"values": {}},
        }
        return OpenView(id=view_id, user=user, hash=digest, root_id=root_id, previous_id=previous_id, view=stored)
