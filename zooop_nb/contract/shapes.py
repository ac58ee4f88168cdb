"""The responses of v1 as typed shapes.

Tolerant, as a client of a moving API must be: unknown fields are ignored, and every param type,
status and code is text, so that a new one passes through. What the API may leave out has a default.
API documentation: "Endpoints".
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from zooop_nb.contract.credits import Number

Price = Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]
"""A figure that may be reserved and compared: a quote below 0 would lift every budget."""


class Shape(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The base class: field names in snake_case here, in camelCase on the wire."""


class KeyInfo(Shape, frozen=True):
    """`me.key`: the token about itself. Caps and sums in credits."""

    id: str
    prefix: str
    label: str | None = None
    created_at: str | None = None
    expires_at: str | None = None
    daily_credit_cap: Number | None = None
    credits_spent_today: Number | None = None
    credits_remaining_today: Number | None = None


class Project(Shape, frozen=True):
    """`me.project`: both null, with `bound: false`, when the project was deleted."""

    id: str | None = None
    name: str | None = None
    bound: bool = True


class UserWallet(Shape, frozen=True):
    """A personal token's wallet, in credits."""

    credit_balance: Number


class TeamWallet(Shape, frozen=True):
    """A team token's shared wallet, in credits."""

    id: str
    credit_balance: Number


class Me(Shape, frozen=True):
    """`GET /v1/me`. Exactly one of `user` and `team` is present."""

    key: KeyInfo
    project: Project
    user: UserWallet | None = None
    team: TeamWallet | None = None
    limits: dict[str, Any] = {}

    @property
    def wallet(self) -> str:
        """`team` or `personal`."""
        return "team" if self.team is not None else "personal"

    @property
    def balance(self) -> float | None:
        """The credits in the wallet that pays; None if the API did not say."""
        wallet = self.team or self.user
        return None if wallet is None else wallet.credit_balance


class Brand(Shape, frozen=True):
    """Who makes a model."""

    id: str = ""
    name: str = ""
    logo: str | None = None


class TypicalPrice(Shape, frozen=True):
    """A ballpark; only a quote is a price."""

    typical_credits: Number | None = None
    unit: str = ""
    note: str | None = None


class Version(Shape, frozen=True):
    """One version of a model."""

    id: str
    name: str = ""
    typical_price: TypicalPrice | None = None


class Param(Shape, frozen=True):
    """One entry of `params[]`, as it came: `orders.params` reads it.

    Nothing is typed, so that one odd entry does not make the whole list undecodable. An option may be text,
    or `{value, label, previewUrl}`.
    """

    id: Any = None
    type: Any = ""
    required: Any = False
    display_name: Any = None
    description: Any = None
    default: Any = None
    options: Any = None
    enum_values: Any = None
    constraints: Any = None
    max_length: Any = None
    min: Any = None
    max: Any = None


if TYPE_CHECKING:
    Params = list[Param]
else:
    # Decoded as anything and read by `_params`: null, or one entry that is no object, spoils no whole list.
    Params = Any


def _params(found: Any) -> list[Param]:
    """Return the entries of `params[]` that can be read."""
    entries = found if isinstance(found, list) else []
    return [
        entry if isinstance(entry, Param) else msgspec.convert(entry, Param)
        for entry in entries
        if isinstance(entry, Param | dict)
    ]


class Model(Shape, frozen=True):
    """One entry of `GET /v1/models` (the API also calls it an interface)."""

    id: str
    name: str
    type: str = ""
    sub_type: str = ""
    description: str | None = None
    brand: Brand = Brand()
    prompt_required: bool = False
    prompt_max_length: int | None = None
    params: Params = msgspec.field(default_factory=list)
    versions: list[Version] = []
    tags: list[str] = []

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "params", _params(self.params))


class Recipe(Shape, frozen=True):
    """One AI tool or template: a model, a version and some params fixed by the server."""

    slug: str
    name: str = ""
    media_type: str = ""
    sub_type: str | None = None
    summary: str | None = None
    cover_url: str | None = None
    tags: list[str] = []
    params: Params = msgspec.field(default_factory=list)
    typical_price: TypicalPrice | None = None
    official: bool | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "params", _params(self.params))


class Breakdown(Shape, frozen=True):
    """The itemised price of a quote. API documentation: `POST /v1/quote`."""

    pricing_key: str | None = None
    base: Number | None = None
    multiplier: Number | None = None
    surcharges: Number | None = None
    base_price: Number | None = None
    min_price_applied: bool | None = None


class Quote(Shape, frozen=True):
    """The exact price in credits, and the median seconds of the last ten successes, if there are any."""

    credits: Price
    estimated_seconds: Number | None = None
    model_id: str | None = None
    version_id: str | None = None
    model_name: str | None = None
    breakdown: Breakdown = Breakdown()


class Submitted(Shape, frozen=True):
    """The response to `POST /v1/tasks`; `idempotent` if the key was known already."""

    task_id: str
    status: str = "queued"
    model_id: str | None = None
    version_id: str | None = None
    idempotent: bool = False


class TaskOutput(Shape, frozen=True):
    """One output of a task."""

    url: str
    thumbnail_url: str | None = None


class TaskState(Shape, frozen=True):
    """`GET /v1/tasks/{id}`. The documentation shows a response without the id, which the caller knows."""

    status: str
    task_id: str = ""
    outputs: list[TaskOutput] | None = None
    error: Any = None
    credits_charged: Number | None = None
    created_at: str | None = None
    completed_at: str | None = None


class Uploaded(Shape, frozen=True):
    """The responses to `POST /v1/uploads` and to its poll; which fields are present depends on `status`."""

    status: str
    url: str | None = None
    size: int | None = None
    content_type: str | None = None
    upload_id: str | None = None
    poll_url: str | None = None
    labels: Any = None
    error: Any = None
    reason: str | None = None


class Description(Shape, frozen=True):
    """`POST /v1/describe-image`: an image as a structured prompt, for 1 credit."""

    credits: Number
    overall_description: str
    subject: str | None = None
    composition: str | None = None
    style: str | None = None
    lighting: str | None = None
    palette: str | None = None
    mood: str | None = None
    camera: str | None = None


class ModelList(Shape, frozen=True):
    models: list[Model]


class ToolList(Shape, frozen=True):
    ai_tools: list[Recipe]


class TemplateList(Shape, frozen=True):
    templates: list[Recipe]
