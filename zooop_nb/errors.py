"""Every error that zooop-nb raises, in one tree.

    ZooopError                    the root
    ├── InputError                the order or command is not valid as written
    │   ├── UnknownName           a verb, model, version, param, option or order that does not exist
    │   │   └── UnknownVariable   a {name} that is not defined in the notebook
    │   ├── BadValue              a value that its param, option or setting does not accept
    │   ├── MissingValue          a missing prompt or required param
    │   └── BadMedia              a reference image, sound or clip that is missing, empty or of the wrong kind
    ├── SettingsError             a setting that cannot be used
    │   ├── MissingKey            no API key
    │   └── MissingExtra          an optional package that is not installed
    ├── SpendingError             stopped before it was paid
    │   ├── OverBudget            the quote exceeds the budget, the wallet or the daily cap
    │   ├── ConfirmationNeeded    the order needs a yes, and the front end takes no input
    │   ├── Declined              the answer was no
    │   └── Withdrawn             the order was queued, and not sent after all
    ├── APIError                  the API refused, in its documented error envelope
    │   ├── InvalidRequest        `invalid_request_error`
    │   │   └── ModerationBlocked a prompt or upload that violates the content policy
    │   ├── AuthenticationFailed  `authentication_error`
    │   ├── PermissionRefused     `permission_error`
    │   ├── RateLimited           `rate_limit_error`
    │   │   └── DailyCapReached   the token's daily cap; retrying does not help
    │   ├── InsufficientCredits   402: wallet, arrears or daily cap
    │   └── ServerFailed          `api_error`
    ├── Unreachable               no response
    ├── InvalidResponse           a response that the API does not document
    ├── PaidTaskError             about an order that is, or may be, paid
    │   ├── TaskFailed            the task ended as `failed` or `cancelled`
    │   ├── DownloadFailed        the task succeeded, but an output could not be downloaded
    │   └── OrderUnknown          whether the order arrived cannot be determined
    ├── LedgerError               the ledger cannot be opened, read or written
    ├── SandboxFailed             the local sandbox did not start
    └── DemoFailed                the quickstart notebook did not finish, or holds what must not be kept

An error carries its remedies as data (`Remedy`); each face (Python, notebook, command line) words them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """What the reader can do about an error. Each face has its own wording."""

    SET_KEY = "set_key"
    CREATE_TOKEN = "create_token"
    REPLACE_TOKEN = "replace_token"
    TRY_SANDBOX = "try_sandbox"
    START_SANDBOX = "start_sandbox"
    INSTALL = "install"
    PICK_NEAREST = "pick_nearest"
    LIST_MODELS = "list_models"
    SHOW_PARAMS = "show_params"
    QUOTE_TEXT = "quote_text"
    USE_ANOTHER_MODEL = "use_another_model"
    SAY_YES = "say_yes"
    RAISE_BUDGET = "raise_budget"
    TOP_UP = "top_up"
    WAIT = "wait"
    TRY_LATER = "try_later"
    CHECK_HOST = "check_host"
    CHECK_NETWORK = "check_network"
    RESUME = "resume"
    FOLLOW_AGAIN = "follow_again"
    REWORD = "reword"
    CHECK_FILE = "check_file"
    SEE_TASKS = "see_tasks"
    ORDER_FRESH = "order_fresh"
    FREE_LEDGER = "free_ledger"
    CHOOSE_FOLDER = "choose_folder"
    RESTART_KERNEL = "restart_kernel"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One action, with the values that its wording needs."""

    action: Action
    values: Mapping[str, str] = field(default_factory=dict)


def remedy(action: Action, **values: object) -> Remedy:
    """Return a `Remedy` with its values as text."""
    return Remedy(action, {name: str(value) for name, value in values.items()})


_PYTHON_WORDS: Mapping[Action, str] = {
    Action.SET_KEY: "Set ZOOOP_API_KEY in your own terminal and restart Python.",
    Action.CREATE_TOKEN: "Create a token at https://zooop.ai/user#apiKeys.",
    Action.REPLACE_TOKEN: "Revoke the token and create another at https://zooop.ai/user#apiKeys.",
    Action.TRY_SANDBOX: "To try it free: python -m zooop_nb sandbox.",
    Action.START_SANDBOX: "Is the sandbox running? python -m zooop_nb sandbox starts one.",
    Action.INSTALL: "Install it: pip install '{package}'.",
    Action.PICK_NEAREST: "Did you mean {nearest}?",
    Action.LIST_MODELS: 'studio.models("{verb}") lists them.',
    Action.SHOW_PARAMS: "It takes: {params}.",
    Action.QUOTE_TEXT: "To have it in the prompt, put the prompt into quotes.",
    Action.USE_ANOTHER_MODEL: "Choose another model.",
    Action.SAY_YES: "Pass yes=True to go ahead.",
    Action.RAISE_BUDGET: "Raise budget= if you mean to spend it.",
    Action.TOP_UP: "Add credits at https://zooop.ai/pricing.",
    Action.WAIT: "Wait {seconds} s, then try again.",
    Action.TRY_LATER: "Try again later.",
    Action.CHECK_HOST: "Check ZOOOP_API_HOST ({host}) and your network.",
    Action.CHECK_NETWORK: "Check your network, proxy and DNS.",
    Action.RESUME: 'Nothing is lost: studio.resume("{order}") picks it up.',
    Action.FOLLOW_AGAIN: 'It goes on: studio.resume("{order}") waits for it again.',
    Action.REWORD: "Change the prompt or the picture; the same one will be refused again.",
    Action.CHECK_FILE: "Check the file.",
    Action.SEE_TASKS: "studio.tasks() lists what is unfinished.",
    Action.ORDER_FRESH: (
        'studio.result("{order}") shows it, studio.resume("{order}") looks again; fresh=True orders another.'
    ),
    Action.FREE_LEDGER: "Check that {path} can be written and that the disk has room.",
    Action.CHOOSE_FOLDER: "Set {variable} to a folder that you can write to.",
    Action.RESTART_KERNEL: "Restart the kernel and leave it out; the setting nested_loops does what it did.",
}


def python_words(remedies: Iterable[Remedy]) -> str:
    """Word remedies for a reader of Python or of a terminal."""
    return " ".join(_PYTHON_WORDS[each.action].format_map(each.values) for each in remedies)


class ZooopError(Exception):
    """The root of the tree.

    `message` says what happened and to which value, `remedies` what to do about it. `maybe_arrived` tells
    whether the request may have had its effect although it failed: its response was lost.
    """

    def __init__(
        self,
        message: str,
        *,
        value: str | None = None,
        remedies: Iterable[Remedy] = (),
        maybe_arrived: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.remedies: tuple[Remedy, ...] = tuple(remedies)
        self.maybe_arrived = maybe_arrived

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes pickle errors, and the constructors take keywords.
        return _revive, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        return " ".join(filter(None, (self.message, python_words(self.remedies))))


def _revive(kind: type[ZooopError], args: tuple[object, ...], state: dict[str, object]) -> ZooopError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(ZooopError):
    """The order or command is not valid as written. Nothing was sent."""

    nearest: tuple[str, ...] = ()
    """Similar names that do exist, if the error is about a name."""


class UnknownName(InputError):
    """A name that does not exist. `what` is the kind of name."""

    def __init__(
        self,
        what: str,
        value: str,
        *,
        nearest: Iterable[str] = (),
        remedies: Iterable[Remedy] = (),
        message: str | None = None,
    ) -> None:
        self.what = what
        self.nearest = tuple(nearest)
        near = [remedy(Action.PICK_NEAREST, nearest=" or ".join(self.nearest))] if self.nearest else []
        message = message or f"There is no {what} “{value}”."
        super().__init__(message, value=value, remedies=[*near, *remedies])


class UnknownVariable(UnknownName):
    """A `{name}` whose variable, attribute or index does not exist, or may not be used."""


class BadValue(InputError):
    """A value that its param, option or setting does not accept."""


class MissingValue(InputError):
    """A prompt or a required param is missing."""


class BadMedia(InputError):
    """A reference image, sound or clip cannot be used."""


class SettingsError(ZooopError):
    """A setting cannot be used."""


class MissingKey(SettingsError):
    """There is no API key."""


class MissingExtra(SettingsError):
    """An optional package is not installed."""


class SpendingError(ZooopError):
    """Stopped before it was paid."""


class OverBudget(SpendingError):
    """The quote exceeds the budget, the wallet or the token's daily cap."""


class ConfirmationNeeded(SpendingError):
    """The order needs a confirmation, and the front end takes no input."""


class Declined(SpendingError):
    """The answer to the confirmation was no."""


class Withdrawn(SpendingError):
    """The order was confirmed and queued, and not sent after all: it costs nothing."""


class APIError(ZooopError):
    """A refusal by the API. API documentation: "Error envelope".

    `status` is the HTTP status; `type`, `code` and `param` (the field at fault) come from the envelope,
    unknown values included; `extras` holds its other fields (`params`, `cap`, `spent`, `labels`,
    `validCategories`, ...); `retry_after` is the server's `Retry-After` in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str,
        code: str,
        param: str | None = None,
        extras: Mapping[str, object] | None = None,
        retry_after: float | None = None,
        remedies: Iterable[Remedy] = (),
        maybe_arrived: bool = False,
    ) -> None:
        super().__init__(message, value=param, remedies=remedies, maybe_arrived=maybe_arrived)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.extras: Mapping[str, object] = dict(extras or {})
        self.retry_after = retry_after


class InvalidRequest(APIError):
    """`invalid_request_error`: the body, a param or a path is wrong."""


class ModerationBlocked(InvalidRequest):
    """A prompt or upload violates the content policy (422 or 451); `extras["labels"]` may say why."""


class AuthenticationFailed(APIError):
    """`authentication_error`: the token is missing, wrong, revoked or expired."""


class PermissionRefused(APIError):
    """`permission_error`: a banned account, or a model that is not public."""


class RateLimited(APIError):
    """`rate_limit_error`: too many requests in a minute."""


class DailyCapReached(RateLimited):
    """The token's daily cap was reached before this request; it resets at midnight UTC."""


class InsufficientCredits(APIError):
    """402: the wallet, an account in arrears, or the token's daily cap does not allow this cost."""


class ServerFailed(APIError):
    """`api_error`: a failure on the API's side."""


class Unreachable(ZooopError):
    """No response: connection refused or reset, timeout, or unknown host."""


class InvalidResponse(ZooopError):
    """A response that the API does not document, such as a proxy's page.

    `status` is its HTTP status where that is the reason, `transient` whether it is one that is retried (502,
    say), `retry_after` its `Retry-After` in seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        value: str | None = None,
        status: int | None = None,
        transient: bool = False,
        retry_after: float | None = None,
        remedies: Iterable[Remedy] = (),
        maybe_arrived: bool = False,
    ) -> None:
        super().__init__(message, value=value, remedies=remedies, maybe_arrived=maybe_arrived)
        self.status = status
        self.transient = transient
        self.retry_after = retry_after


class PaidTaskError(ZooopError):
    """About an order that is, or may be, paid. Its remedy is to resume it; only `fresh` orders another."""

    def __init__(
        self,
        message: str,
        *,
        order_id: str,
        task_id: str | None = None,
        result: object = None,
        remedies: Iterable[Remedy] = (),
    ) -> None:
        super().__init__(message, value=order_id, remedies=remedies)
        self.order_id = order_id
        self.task_id = task_id
        self.result = result
        """The `Result` so far, if there is one."""


class TaskFailed(PaidTaskError):
    """The task ended as `failed` or `cancelled`. `result.credits` says what it cost."""


class DownloadFailed(PaidTaskError):
    """The task succeeded and is paid, but an output could not be downloaded."""


class OrderUnknown(PaidTaskError):
    """Whether the order arrived cannot be determined, and it must not be sent again automatically."""


class LedgerError(ZooopError):
    """The ledger cannot be opened, read or written. Nothing is ordered without it."""


class SandboxFailed(ZooopError):
    """The local sandbox did not start."""


class DemoFailed(ZooopError):
    """The quickstart notebook did not finish, or its outputs hold a token or an address of this machine."""


_BY_CODE: Mapping[str, type[APIError]] = {
    "moderation_blocked": ModerationBlocked,
    "policy_violation": ModerationBlocked,
    "token_daily_cap_reached": DailyCapReached,
    "token_daily_cap_exceeded": InsufficientCredits,
    "insufficient_credits": InsufficientCredits,
    "arrears": InsufficientCredits,
}
_BY_TYPE: Mapping[str, type[APIError]] = {
    "invalid_request_error": InvalidRequest,
    "authentication_error": AuthenticationFailed,
    "permission_error": PermissionRefused,
    "rate_limit_error": RateLimited,
    "api_error": ServerFailed,
}
_BY_STATUS: Mapping[int, type[APIError]] = {
    401: AuthenticationFailed,
    402: InsufficientCredits,
    403: PermissionRefused,
    429: RateLimited,
}


def class_for(status: int, type: str, code: str) -> type[APIError]:
    """Return the class of a refusal: by its code, else its type, else its HTTP status."""
    by_status = _BY_STATUS.get(status, ServerFailed if status >= 500 else InvalidRequest)
    return _BY_CODE.get(code) or _BY_TYPE.get(type) or by_status
