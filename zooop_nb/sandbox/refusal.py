"""The documented error envelope as an exception, used for every error response of the sandbox.

Rules raise it, and the server turns it into a response. API documentation: "Error envelope".
"""

_FAMILY_OF_STATUS = {
    401: "authentication_error",
    402: "permission_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def family(status: int) -> str:
    """Return the envelope's `type` for an HTTP status. The documentation names five families, no mapping."""
    if status >= 500:
        return "api_error"
    return _FAMILY_OF_STATUS.get(status, "invalid_request_error")


class Refusal(Exception):
    """An error response in the documented envelope.

    `status` is the HTTP status, `code` the machine-readable reason, `type` the family (derived from the
    status by default), `param` the one body or query field at fault, `retry_after` the value of the
    `Retry-After` header in seconds. `extras` are added to the envelope unchanged: `params`, `cap`,
    `labels`, ...
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        type: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        **extras: object,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.type = type or family(status)
        self.param = param
        self.retry_after = retry_after
        self.extras = extras

    def envelope(self) -> dict[str, object]:
        """Return the response body: `{"error": {"message", "type", "code", ("param"), ...}}`."""
        error: dict[str, object] = {"message": self.message, "type": self.type, "code": self.code}
        if self.param is not None:
            error["param"] = self.param
        return {"error": error | self.extras}
