"""The one account that the emulator serves: who may enter, its gateways, what it used."""

import re
from collections.abc import Iterable, Mapping

from . import errors
from .families import MODELS, VENDOR_MODELS
from .gateway import Gateway
from .queue import Queue
from .retired import RETIRED
from .usage import Ledger, Usage

DEFAULT_ACCOUNT_ID = "0" * 32
# Not a secret: it opens nothing but an emulator.
DEFAULT_API_TOKEN = "local-emulator-token"

AI_READ, AI_EDIT = "Workers AI Read", "Workers AI Edit"
GATEWAY_READ, GATEWAY_EDIT = "AI Gateway Read", "AI Gateway Edit"
PERMISSIONS = (AI_READ, AI_EDIT, GATEWAY_READ, GATEWAY_EDIT)

_BEARER = re.compile(r"Bearer +(?P<token>\S+)", re.IGNORECASE)


class Account:
    """Id, token, gateways and the running totals (`usage`) of the emulated account.

    gateways: ids, or `Gateway` objects where one has a token or a cache; `default` is always there, as Cloudflare
        makes it by itself.
    credits: USD that other vendors' models are paid from, unless the gateway stores a key for them.
    missing_models: ids that are refused as unknown (5007); any other id that starts with `@cf/` or `@hf/` is served.
    only_listed: serve the models of the listing and no other: retired ones are refused by their date (5028), the rest
        as unknown.
    permissions: of the token. owned_by_account: the token is the account's own and no user's.
    queue: the batch queue; a quick one if None.
    free_neurons: what the models of Workers AI may use before each further call is refused (429, 4006), as on the Free
        plan 10,000 a day; None for no end. It counts from the start of the account: no midnight comes here.
    """

    def __init__(
        self,
        account_id: str = DEFAULT_ACCOUNT_ID,
        api_token: str = DEFAULT_API_TOKEN,
        *,
        gateways: Iterable[str | Gateway] = (),
        credits: float = 0.0,
        missing_models: Iterable[str] = ("@cf/does/not-exist",),
        only_listed: bool = False,
        permissions: Iterable[str] = PERMISSIONS,
        owned_by_account: bool = False,
        queue: Queue | None = None,
        free_neurons: float | None = None,
    ) -> None:
        self.account_id = account_id
        self.api_token = api_token
        self.gateways: dict[str, Gateway] = {}
        self.credits = credits
        self.missing_models = frozenset(missing_models)
        self.only_listed = only_listed
        self.permissions = frozenset(permissions)
        self.owned_by_account = owned_by_account
        self.usage = Ledger()
        self.queue = queue or Queue()
        self.free_neurons = free_neurons
        for gateway in ("default", *gateways):
            self.add_gateway(gateway)

    def add_gateway(self, gateway: str | Gateway) -> Gateway:
        """Make a gateway known, in place of one with the same id."""
        made = Gateway(gateway) if isinstance(gateway, str) else gateway
        self.gateways[made.id] = made
        return made

    def admit(self, headers: Mapping[str, str], account_id: str, path: str) -> None:
        """Raise `ServiceError` unless a call to the REST host may go on. `path`: as asked, for the message."""
        token = _token_in(headers.get("authorization", ""))
        if token is None:
            raise errors.missing_token()
        if token != self.api_token:
            raise errors.wrong_token()
        if account_id != self.account_id:
            raise errors.no_route(path)

    def check_permission(self, permission: str) -> None:
        """Raise `ServiceError` (403, 10000) unless the token has it."""
        if permission not in self.permissions:
            raise errors.not_permitted()

    def verify_token(self, headers: Mapping[str, str], *, account_id: str | None) -> None:
        """Raise `ServiceError` unless the token is good where it is asked about.

        account_id: of the account's form, None of the user's; neither knows the other's tokens.
        """
        token = _token_in(headers.get("authorization", ""))
        if token is None:
            raise errors.missing_token()
        here = account_id == self.account_id if self.owned_by_account else account_id is None
        if token != self.api_token or not here:
            raise errors.invalid_token()

    def gateway(self, gateway_id: str) -> Gateway:
        """The gateway of this id; `ServiceError` 2001 if there is none."""
        if gateway_id not in self.gateways:
            # The status of this refusal is not published; 400 is what its kind has.
            raise errors.gateway(400, 2001, "Please configure AI Gateway in the Cloudflare dashboard")
        return self.gateways[gateway_id]

    def admit_to_gateway(self, headers: Mapping[str, str], account_id: str, gateway_id: str) -> Gateway:
        """The gateway a call to the gateway host is for; `ServiceError` unless it may enter it (2001, 2009)."""
        gateway = self.gateway(gateway_id if account_id == self.account_id else "")
        if gateway.token is not None and _token_in(headers.get("cf-aig-authorization", "")) != gateway.token:
            raise errors.gateway(401, 2009, "Unauthorized")
        return gateway

    def admit_to_models(self, headers: Mapping[str, str]) -> None:
        """Behind the gateway the models want their own token: without it 10000, missing or wrong (quirk 84)."""
        if _token_in(headers.get("authorization", "")) != self.api_token:
            raise errors.wrong_token()

    def check_allocation(self, model: str) -> None:
        """Raise `ServiceError` (429, 4006) once the free neurons are used; other vendors' models cost none."""
        if self.free_neurons is not None and model not in VENDOR_MODELS and self.usage.neurons >= self.free_neurons:
            raise errors.allocation_used(self.free_neurons)

    def charge(self, model: str, usage: Usage, *, own_key: bool = False) -> None:
        """Count one call; other vendors' models are paid from the credits, unless with a key of one's own."""
        self.usage.charge(model, usage)
        if model in VENDOR_MODELS and not own_key:
            self.credits -= usage.usd

    def check_model(self, model: str, gateway: Gateway | None = None) -> None:
        """Raise `ServiceError` for an id that is not served (quirk 83), and for a vendor's that nobody pays for."""
        through_gateway = gateway is not None
        if model.startswith(("@cf/", "@hf/")) and model not in self.missing_models:
            if self.only_listed and model in RETIRED:
                raise errors.retired(RETIRED[model])
            if not self.only_listed or model in MODELS:
                return
        if gateway is not None and model in VENDOR_MODELS:
            if not gateway.stored_keys and self.credits <= 0:
                raise errors.gateway(402, 2021, "Insufficient balance; add money to your gateway or use BYOK")
            return
        if through_gateway and not model.startswith("@"):
            raise errors.gateway(404, 7003, f"Model not found: {model}")
        raise errors.no_such_model(model)


def _token_in(authorization: str) -> str | None:
    found = _BEARER.fullmatch(authorization.strip())
    return found["token"] if found else None
