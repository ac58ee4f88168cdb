"""The one way in which the sandbox says no: the documented error envelope, as an exception.

Rules raise it, the server turns it into an answer. API documentation: "Error envelope".
"""

_FAMILY_OF_STATUS = {
    401: "authentication_error",
    402: "permission_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def family(status: int) -> str:
    """The envelope's `type` for an HTTP status. The documentation names five families, and no table."""
    if status >= 500:
        return "api_error"
    return _FAMILY_OF_STATUS.get(status, "invalid_request_error")


class Refusal(Exception):
    """An answer in the documented error envelope.

    `status` is the HTTP status, `code` the machine-readable reason, `type` the family (by default the
    status's own), `param` the one body or query field at fault, `retry_after` the seconds that the
    `Retry-After` header names. `extras` stand in the envelope as they are: `params`, `cap`, `labels`, ...
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
        """The answer's body: `{"error": {"message", "type", "code", ("param"), ...}}`."""
        error: dict[str, object] = {"message": self.message, "type": self.type, "code": self.code}
        if self.param is not None:
            error["param"] = self.param
        return {"error": error | self.extras}
