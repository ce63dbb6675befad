"""The emulator as a test has it: a script to write and the requests to look at, beside the server itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from workers_ai.gateway import ID_VARIABLES, TOKEN_VARIABLES
from workers_ai.local import Account, FaultRules, LocalServer, Script, ScriptError
from workers_ai.testing.seen_request import SeenRequest


class Emulator:
    """The value of the fixture `workers_ai_server`. As long as no turn is scripted the emulator answers by itself.

    local: the server, for what is not here.
    """

    variables_in_the_way = (*ID_VARIABLES, *TOKEN_VARIABLES)
    """Variables of the environment that would lead elsewhere: a gateway that the emulator does not have."""

    def __init__(self, local: LocalServer | None = None) -> None:
        self.local = local or LocalServer()

    def __enter__(self) -> Emulator:
        self.local.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.local.stop()

    @property
    def script(self) -> Script:
        """The turns, and what went wrong with them."""
        return self.local.script

    @property
    def faults(self) -> FaultRules:
        """What goes wrong with the next requests, of any kind: the value of `workers_ai_faults`."""
        return self.local.faults

    def reply(self, text: str | Mapping[str, Any] | list[Any], *, reasoning: str = "", cut: bool = False) -> None:
        """The next chat is answered with these words: see `workers_ai.local.Script.reply`."""
        self.script.reply(text, reasoning=reasoning, cut=cut)

    def call_tool(self, name: str, /, **arguments: Any) -> None:
        """The next chat is answered with this call: see `workers_ai.local.Script.call_tools`."""
        self.script.call_tool(name, **arguments)

    def call_tools(self, *calls: tuple[str, Mapping[str, Any]], text: str = "", reasoning: str = "") -> None:
        """The next chat is answered with several calls at once: see `workers_ai.local.Script.call_tools`."""
        self.script.call_tools(*calls, text=text, reasoning=reasoning)

    def fail(self, code: int, message: str | None = None, *, status: int | None = None) -> None:
        """The next chat is refused: see `workers_ai.local.Script.fail`."""
        self.script.fail(code, message, status=status)

    def drop(self) -> None:
        """Forget the turns and the faults that are left, so that they are not missed at the end of the test."""
        self.script.drop()
        self.faults.clear()

    def check(self) -> None:
        """Raise `workers_ai.local.ScriptError` unless script and faults were used up and all was answered.

        The plugin does it at the end of each test.
        """
        self.script.check()
        if waiting := self.faults.waiting:
            raise ScriptError(f"No request met these faults of the emulator: {', '.join(waiting)}")

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests that arrived so far, oldest first, whatever they were answered."""
        return [SeenRequest.of(request) for request in self.local.requests]

    @property
    def last(self) -> SeenRequest:
        """The latest of them. Raises AssertionError if there is none."""
        requests = self.requests
        assert requests, "no request has reached the emulator"
        return requests[-1]

    @property
    def account(self) -> Account:
        """The account it serves: gateways, queue, and what was used."""
        return self.local.account

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.local.account_id

    @property
    def api_token(self) -> str:
        """The account's token; it opens nothing but this server."""
        return self.local.api_token

    @property
    def base_url(self) -> str:
        """What stands for `https://api.cloudflare.com/client/v4`."""
        return self.local.base_url

    def environment(self) -> dict[str, str]:
        """The variables with which a program speaks to this server; the fixture has set them."""
        return self.local.environment()
