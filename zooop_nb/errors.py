"""Every error that zooop-nb raises, in one tree.

    ZooopError                    all of them
    ├── InputError                the order cannot be made as it was written
    │   ├── UnknownName           a verb, model, version, param, option, order ... that does not exist
    │   ├── UnknownVariable       a {name} that names nothing in the notebook
    │   ├── BadValue              a value that the param, option or setting does not take
    │   ├── MissingValue          a prompt or a required param that is not there
    │   └── BadMedia              a reference picture, clip or sound that is missing, empty or of another kind
    ├── SettingsError             a setting that cannot be used
    │   ├── MissingKey            no API key
    │   └── MissingExtra          an optional package that is not installed
    ├── SpendingError             stopped before anything was paid
    │   ├── OverBudget            the quote exceeds the budget, the wallet or the daily cap
    │   ├── ConfirmationNeeded    a question, and nobody there to answer it
    │   └── Declined              the answer was no
    ├── APIError                  the API refused, in its documented envelope
    │   ├── InvalidRequest        `invalid_request_error`
    │   │   └── ModerationBlocked a prompt or an upload against the content policy
    │   ├── AuthenticationFailed  `authentication_error`
    │   ├── PermissionRefused     `permission_error`
    │   ├── RateLimited           `rate_limit_error`
    │   │   └── DailyCapReached   a 429 that no waiting of ours can cure
    │   ├── InsufficientCredits   402: wallet, arrears or daily cap
    │   └── ServerFailed          `api_error`
    ├── Unreachable               no answer came
    ├── InvalidResponse            an answer came that is not the API's
    ├── PaidTaskError             about an order that is, or may be, paid
    │   ├── TaskFailed            the task ended `failed` or `cancelled`
    │   ├── DownloadFailed        the task succeeded, and its output could not be fetched
    │   └── OrderUnknown          it cannot be told whether the order arrived
    └── LedgerError               the ledger cannot be opened or written

An error carries its remedy as data, a `Remedy` or several; each face (Python, notebook, command line)
puts it into its own words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Action(StrEnum):
    """What a reader can do about an error. Each face words it for itself."""

    SET_KEY = "set_key"
    CREATE_TOKEN = "create_token"
    TRY_SANDBOX = "try_sandbox"
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
    CHECK_HOST = "check_host"
    RESUME = "resume"
    FOLLOW_AGAIN = "follow_again"
    REWORD = "reword"
    CHECK_FILE = "check_file"
    SEE_TASKS = "see_tasks"
    FREE_LEDGER = "free_ledger"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do, with the values that its wording needs."""

    do: Action
    values: Mapping[str, str] = field(default_factory=dict)


def remedy(do: Action, **values: object) -> Remedy:
    """A `Remedy` whose values are text."""
    return Remedy(do, {name: str(value) for name, value in values.items()})


_PYTHON_WORDS: Mapping[Action, str] = {
    Action.SET_KEY: "Set ZOOOP_API_KEY in your own terminal and restart Python.",
    Action.CREATE_TOKEN: "Create a token at https://zooop.ai/user#apiKeys.",
    Action.TRY_SANDBOX: "To try it free: python -m zooop_nb sandbox.",
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
    Action.CHECK_HOST: "Check ZOOOP_API_HOST ({host}) and your network.",
    Action.RESUME: 'Nothing is lost: studio.resume("{order}") picks it up.',
    Action.FOLLOW_AGAIN: 'It goes on: studio.resume("{order}") waits for it again.',
    Action.REWORD: "Change the prompt or the picture; the same one will be refused again.",
    Action.CHECK_FILE: "Check the file.",
    Action.SEE_TASKS: "studio.tasks() lists what is unfinished.",
    Action.FREE_LEDGER: "Check that {path} can be written and that the disk has room.",
}


class ZooopError(Exception):
    """The root. `message` says what happened and to which value, `remedies` what to do about it."""

    def __init__(self, message: str, *, value: str | None = None, remedies: Iterable[Remedy] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.remedies: tuple[Remedy, ...] = tuple(remedies)
        self.maybe_arrived = False
        """Whether what was sent may have had its effect all the same: an order that was not answered."""

    def __reduce__(self) -> tuple[object, ...]:
        # From another process, as a pool of workers hands it on: the constructors want keywords.
        return _revive, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        words = (_PYTHON_WORDS[each.do].format_map(each.values) for each in self.remedies)
        return " ".join((self.message, *words))


def _revive(kind: type[ZooopError], args: tuple[object, ...], state: dict[str, object]) -> ZooopError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(ZooopError):
    """The order cannot be made as it was written. Nothing was sent."""


class UnknownName(InputError):
    """Something was named that does not exist; `nearest` holds the names that come near."""

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
        self.nearest: tuple[str, ...] = tuple(nearest)
        near = [remedy(Action.PICK_NEAREST, nearest=" or ".join(self.nearest))] if self.nearest else []
        message = message or f"There is no {what} “{value}”."
        super().__init__(message, value=value, remedies=[*near, *remedies])


class UnknownVariable(InputError):
    """A `{name}` that names nothing."""


class BadValue(InputError):
    """A value that its param, option or setting does not take."""


class MissingValue(InputError):
    """A prompt or a required param is missing."""


class BadMedia(InputError):
    """A reference picture, clip or sound cannot be used."""


class SettingsError(ZooopError):
    """A setting cannot be used."""


class MissingKey(SettingsError):
    """There is no API key."""


class MissingExtra(SettingsError):
    """An optional package is not installed."""


class SpendingError(ZooopError):
    """Stopped before anything was paid."""


class OverBudget(SpendingError):
    """The quote exceeds the budget, the wallet or the token's daily cap."""


class ConfirmationNeeded(SpendingError):
    """The order needs a yes, and nobody is there to give it."""


class Declined(SpendingError):
    """The answer to the question was no."""


class APIError(ZooopError):
    """The API's refusal. API documentation: "Error envelope".

    `status` is the HTTP status, `type` and `code` the envelope's (an unknown one is kept as it came),
    `param` the field at fault, `extras` whatever else stood in the envelope (`params`, `cap`, `spent`,
    `labels`, `validCategories`, ...), `retry_after` the seconds that the server asked to wait.
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
    ) -> None:
        super().__init__(message, value=param, remedies=remedies)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.extras: Mapping[str, object] = dict(extras or {})
        self.retry_after = retry_after


class InvalidRequest(APIError):
    """`invalid_request_error`: the body, a param or a path is wrong."""


class ModerationBlocked(InvalidRequest):
    """A prompt or an upload violates the content policy (422 or 451); `extras["labels"]` may say why."""


class AuthenticationFailed(APIError):
    """`authentication_error`: the token is missing, wrong, revoked or expired."""


class PermissionRefused(APIError):
    """`permission_error`: banned, or a model that is not public."""


class RateLimited(APIError):
    """`rate_limit_error`: too many calls in a minute."""


class DailyCapReached(RateLimited):
    """The token's daily cap was met before this call. No wait of seconds cures it."""


class InsufficientCredits(APIError):
    """402: the wallet, an account in arrears, or the token's daily cap does not allow this cost."""


class ServerFailed(APIError):
    """`api_error`: the API's own trouble."""


class Unreachable(ZooopError):
    """No answer came: refused, reset, timed out, or no such host."""


class InvalidResponse(ZooopError):
    """Something answered, and not as the API answers."""


class PaidTaskError(ZooopError):
    """About an order that is, or may be, paid. Its remedy is to resume, never to make it again."""

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
        """The `Result` so far, where there is one."""


class TaskFailed(PaidTaskError):
    """The task ended `failed` or `cancelled`. What it cost stands in `result.credits`."""


class DownloadFailed(PaidTaskError):
    """The task succeeded and is paid; an output could not be fetched."""


class OrderUnknown(PaidTaskError):
    """It cannot be told whether the order arrived, and it must not be sent again by itself."""


class LedgerError(ZooopError):
    """The ledger cannot be opened, read or written. Nothing is ordered without it."""


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
    """The class of a refusal: by its code, else its type, else its HTTP status."""
    by_status = _BY_STATUS.get(status, ServerFailed if status >= 500 else InvalidRequest)
    return _BY_CODE.get(code) or _BY_TYPE.get(type) or by_status
