"""The documented error codes as data: the values of an error envelope's `code`, and their statuses.

The client turns codes into exceptions, and the tests hold the OpenAPI document to this list. More codes may
come, and two answers name none: "no enabled provider" (503 on a submit, "various") and a media type that is
not allowed (400 on an upload). API documentation: "Error envelope" and the table of each endpoint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_INVALID = "invalid_request_error"
_AUTHENTICATION = "authentication_error"
_PERMISSION = "permission_error"
_RATE_LIMIT = "rate_limit_error"
_API = "api_error"

TYPES: tuple[str, ...] = (_INVALID, _AUTHENTICATION, _PERMISSION, _RATE_LIMIT, _API)
"""The families that an envelope's `type` names."""


@dataclass(frozen=True, slots=True)
class Code:
    """One documented value of `error.code`."""

    code: str
    statuses: tuple[int, ...]
    """The HTTP statuses that it comes with."""
    type: str
    """The family. The documentation states it for `missing_required_params` and the 451 `moderation_blocked`;
    for the others it follows from the families' names."""
    meaning: str
    extras: tuple[str, ...] = ()
    """Further fields of its envelope. `param` may be in any."""


_ALL: Iterable[Code] = (
    Code("missing_category", (400,), _INVALID, "type or subtype is missing", ("validCategories",)),
    Code(
        "unknown_category",
        (400,),
        _INVALID,
        "the pair of type and subtype is not exposed",
        ("validCategories",),
    ),
    Code("invalid_type", (400,), _INVALID, "a filter by type other than image or video"),
    Code("invalid_payload", (400,), _INVALID, "the body's shape or a value in it is wrong"),
    Code("missing_required_params", (400,), _INVALID, "required params are missing", ("params",)),
    Code("invalid_idempotency_key", (400,), _INVALID, "the key is empty or over 256 characters"),
    Code("missing_token", (401,), _AUTHENTICATION, "no token was sent"),
    Code("invalid_token", (401,), _AUTHENTICATION, "the token is unknown, revoked or expired"),
    Code("arrears", (402,), _PERMISSION, "the account is in arrears"),
    Code("insufficient_credits", (402,), _PERMISSION, "the wallet holds less than this costs"),
    Code(
        "token_daily_cap_exceeded",
        (402,),
        _PERMISSION,
        "this cost would breach the token's daily cap",
        ("cap", "spent"),
    ),
    Code("model_not_public", (403,), _PERMISSION, "the model exists but is not on the public API"),
    Code("account_banned", (403,), _PERMISSION, "the token's owner is banned"),
    Code("unknown_model", (404,), _INVALID, "no such model, or it is disabled"),
    Code("unknown_ai_tool", (404,), _INVALID, "no such AI tool, or it is inactive, or its model is disabled"),
    Code(
        "unknown_template", (404,), _INVALID, "no such template, or it is inactive, or its model is disabled"
    ),
    Code("unknown_task", (404,), _INVALID, "no such task, or this token cannot see it"),
    Code("unknown_upload", (404,), _INVALID, "no such upload, or another token made it"),
    Code("file_too_large", (413,), _INVALID, "the file is over 100 MB"),
    Code(
        "moderation_blocked",
        (422, 451),
        _INVALID,
        "the text or picture is against content policy",
        ("labels",),
    ),
    Code("token_project_unbound", (422,), _INVALID, "the token's project was deleted"),
    Code("policy_violation", (422,), _INVALID, "the vision model refused the picture; refunded"),
    Code("rate_limited", (429,), _RATE_LIMIT, "too many calls in 60 seconds"),
    Code(
        "token_daily_cap_reached",
        (429,),
        _RATE_LIMIT,
        "the token's daily cap was already met",
        ("cap", "spent"),
    ),
    Code("upstream_rate_limited", (429,), _RATE_LIMIT, "the vision service is rate-limited; refunded"),
    Code("storage_upload_failed", (502,), _API, "storing the upload failed"),
    Code("moderation_unavailable", (503,), _API, "moderation cannot be reached"),
    Code("vision_unavailable", (503,), _API, "the vision service cannot be reached; refunded"),
)

CODES: Mapping[str, Code] = MappingProxyType({code.code: code for code in _ALL})
"""Every documented code, by name, in the order of their statuses."""
