"""The plain texts of what is shown: one-line summaries, seconds, sizes, and text made safe to show."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from zooop_nb.contract.credits import Number, credits_text

UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Characters that are invisible or reorder the text around them."""

_ADDRESS = re.compile(
    r"http://[^\s\"'<>]*"
    r"|(?:https://)?(?:127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\])(?::\d+)?[^\s\"'<>]*"
    r"|https://localhost[^\s\"'<>]*|localhost:[^\s\"'<>]*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""The last label of a host that browsers read as an IPv4 address, in any of its notations."""
_ANY_ADDRESS = re.compile(r"https?://[^\s\"'<>]*", re.IGNORECASE)


def summary_line(
    model: str,
    pricing_key: str | None,
    credits: Number | None,
    eta: float | None,
    count: int = 1,
    total: Number | None = None,
) -> str:
    """Return the one line before submitting: `→ Kling V3 · 720p · 8 credits · ~18s`.

    `credits` are the quote's for one order and `eta` its seconds; `total` is the cost of `count` of them
    (default: `count` times the quote). API documentation: "Quote before submit".
    """
    several = count != 1
    if several and total is None and credits is not None:
        total = credits * count
    parts = [
        f"{count} × {clean(model)}" if several else clean(model),
        clean(pricing_key or ""),
        credits_text(total if several else credits),
        "ETA unknown" if eta is None else f"~{eta:.0f}s{' each' if several else ''}",
    ]
    return "→ " + " · ".join(part for part in parts if part)


def seconds_text(value: float) -> str:
    """Return `3.4 s`, `12.3 s`; whole seconds from a minute on, `125 s`."""
    return f"{value:.0f} s" if value >= 60 else f"{value:.1f}".removesuffix(".0") + " s"


def size_text(size: int) -> str:
    """Return a size in bytes as `12.3 kB` or `4.5 MB`."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(size, 1) / 1e3:.1f} kB"


def clean(text: str, mode: str | None = None, limit: int | None = None) -> str:
    """Return text on one line, without invisible characters and without addresses that must not be shown.

    Those are unencrypted addresses and this machine's; from a sandbox, any. `limit` is in characters.
    """
    text = " ".join(UNSEEN.sub(" ", text).split())
    text = _ADDRESS.sub("(address)", text)
    if mode == "sandbox":
        text = _ANY_ADDRESS.sub("(address)", text)
    return text if limit is None or len(text) <= limit else text[: limit - 1].rstrip() + "…"


def public_url(url: str | None, mode: str | None) -> str | None:
    """Return the URL if a browser anywhere may load it: live, https, and not in a private network."""
    if mode != "live" or not url or UNSEEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or parts.username or port == 0 or "." not in host:
        return None
    if host.endswith((".localhost", ".local", ".internal", ".lan")):
        return None
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return url
    try:
        return url if ipaddress.ip_address(host).is_global else None
    except ValueError:
        return None
