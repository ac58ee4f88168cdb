"""Is it you, or is it them? The outage diagnosis that the documentation describes.

ZOOOP's site and the API's `/llms.txt` are requested without the token, `/v1/me` with it. It is an outage only
if the site is up and the API keeps failing after the usual three attempts; any other failure is on this side.
API documentation: "Transient errors", "Diagnostic before declaring outage".
"""

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import httpx

from zooop_nb.client import retry
from zooop_nb.client.live import LiveBackend
from zooop_nb.contract.credits import credits_text
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import Action, APIError, InvalidResponse, Remedy, Unreachable, ZooopError, remedy
from zooop_nb.settings import Settings, is_loopback

SITE: Final = "https://zooop.ai"
TIMEOUT: Final = 10.0
"""Seconds that one attempt waits for a response."""


class Verdict(StrEnum):
    """Whose problem it is."""

    ALL_WELL = "all well"
    IT_IS_YOU = "it is you"
    IT_IS_THEM = "it is them"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    ok: bool | None
    """False if something is wrong; None for a remark."""
    detail: str
    remedies: tuple[Remedy, ...] = ()
    failing: bool = False
    """Whether ZOOOP's own side keeps failing: no response, or an undocumented one."""


def verdict(findings: Iterable[Finding]) -> Verdict:
    """Apply the documented rule: an outage only if ZOOOP's site is up and its API keeps failing."""
    by_name = {finding.name: finding for finding in findings}
    site = by_name.get("site")
    api_fails = any(by_name[name].failing for name in ("api", "token at the API") if name in by_name)
    if api_fails and site is not None and site.ok:
        return Verdict.IT_IS_THEM
    wrong = any(finding.ok is False for finding in by_name.values())
    return Verdict.IT_IS_YOU if wrong else Verdict.ALL_WELL


def site_for(host: str) -> str | None:
    """Return the site whose state tells whether ZOOOP as a whole is down.

    None for a sandbox or another host, about which ZOOOP's site says nothing.
    """
    name = urlsplit(host).hostname or ""
    return SITE if name == "zooop.ai" or name.endswith(".zooop.ai") else None


class ConnectionCheck:
    """Checks the way to the API. `site` replaces ZOOOP's own site."""

    def __init__(self, settings: Settings, *, site: str | None = None) -> None:
        self._settings = settings
        self._site = site or site_for(settings.host)

    async def findings(self) -> Sequence[Finding]:
        """Return the findings `site` (if one is checked), `api`, and `token at the API` (if there is one)."""
        checks = [self._api(), *([self._me()] if self._settings.token is not None else [])]
        if self._site is None:
            return await asyncio.gather(*checks)
        site, *others = await asyncio.gather(self._zooop(self._site), *checks)
        if site.ok is False and not any(each.failing for each in others):
            # The API responds, so the site does not matter.
            site = replace(site, ok=None, remedies=())
        return [site, *others]

    async def _zooop(self, site: str) -> Finding:
        try:
            status = await retry.call(lambda: _status(site))
        except ZooopError as error:
            return Finding("site", False, _short(error.message), (remedy(Action.CHECK_NETWORK),))
        return Finding("site", True, f"{site} answers ({status}).")

    async def _api(self) -> Finding:
        url = f"{self._settings.host}/llms.txt"
        try:
            status = await retry.call(lambda: _status(url))
        except ZooopError as error:
            return Finding("api", False, _short(error.message), (self._when_it_fails(),), failing=True)
        if status != 200:
            said = f"{self._where()} answers /llms.txt with HTTP {status}: that is not ZOOOP's API."
            return Finding("api", False, said, (self._check_host(),))
        return Finding("api", True, f"{self._where()} answers.")

    async def _me(self) -> Finding:
        name = "token at the API"
        backend = None
        try:
            backend = LiveBackend(self._settings)
            return _about(name, await backend.me(_not_for_long))
        except ZooopError as error:
            failing = isinstance(error, Unreachable | InvalidResponse) or (
                isinstance(error, APIError) and error.status >= 500
            )
            return Finding(name, False, _short(error.message), error.remedies, failing=failing)
        finally:
            if backend is not None:
                await backend.aclose()

    def _where(self) -> str:
        # A notebook that is kept must not hold a sandbox's address.
        return "The sandbox" if is_loopback(self._settings.host) else self._settings.host

    def _check_host(self) -> Remedy:
        return remedy(Action.CHECK_HOST, host=self._where())

    def _when_it_fails(self) -> Remedy:
        if is_loopback(self._settings.host):
            return remedy(Action.START_SANDBOX)
        return self._check_host() if self._site is None else remedy(Action.TRY_LATER)


def _not_for_long(seconds: float) -> None:
    """A diagnosis says what it found; it does not wait an hour for a rate limit."""
    if seconds > retry.LONGEST_RETRY_AFTER:
        raise ZooopError(f"The API allows the next request in {math.ceil(seconds)} s only.")


def _about(name: str, me: Me) -> Finding:
    balance = "" if me.balance is None else f", {credits_text(me.balance)}"
    said = f"accepted: {me.wallet} wallet{balance}"
    if me.key.expires_at:
        left = (datetime.fromisoformat(me.key.expires_at) - datetime.now(UTC)).days
        said += f", expires {me.key.expires_at[:10]} (in {left} days)"
    if not me.project.bound or me.project.id is None:
        said = f"{said}; its project was deleted, so nothing can be submitted."
        return Finding(name, False, said, (remedy(Action.REPLACE_TOKEN),))
    return Finding(name, True, f"{said}.")


async def _status(url: str) -> int:
    """Return the HTTP status of a page, requested without the token; a redirect counts as a response.

    Raises `Unreachable`, or an `InvalidResponse` that is retried for 429 and 5xx.
    """
    try:
        # As curl in the documentation: through the environment's proxy, but not to this machine.
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=not is_loopback(url)) as http:
            response = await http.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or "no answer"
        raise Unreachable(f"{url} does not answer: {why}.", value=url) from error
    if response.status_code >= 500 or response.status_code == 429:
        raise InvalidResponse(f"{url} answers with HTTP {response.status_code}.", transient=True)
    return response.status_code


def _short(message: str) -> str:
    return message if len(message) <= 300 else f"{message[:299]}…"
