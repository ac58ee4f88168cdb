"""Is it you, or is it them? The outage diagnosis, as the documentation has it.

ZOOOP's site and the API's `/llms.txt` are asked without the token, `/v1/me` with it. Only where the site is
up and the API keeps failing, after the usual three attempts, is it an outage; what else fails is nearer to
home. API documentation: "Transient errors", "Diagnostic before declaring outage".
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import httpx

from zooop_nb.client import retry
from zooop_nb.client.live import LiveBackend
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import APIError, InvalidResponse, Unreachable, ZooopError
from zooop_nb.settings import Settings, is_loopback

SITE: Final = "https://zooop.ai"
PATIENCE: Final = 10.0
"""Seconds that one attempt waits for an answer."""


class Verdict(StrEnum):
    """Whose it is."""

    ALL_WELL = "all well"
    IT_IS_YOU = "it is you"
    IT_IS_THEM = "it is them"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool | None
    """False where something is wrong; None for what is only worth knowing."""
    detail: str
    remedy: str = ""
    failing: bool = False
    """Whether ZOOOP's own side keeps failing: no answer, or one that it should not give."""


def verdict(findings: Iterable[Finding]) -> Verdict:
    """The documented rule: an outage only where ZOOOP's site is up and its API keeps failing."""
    by_name = {finding.name: finding for finding in findings}
    site = by_name.get("site")
    api_fails = any(by_name[name].failing for name in ("api", "token at the API") if name in by_name)
    if api_fails and site is not None and site.ok:
        return Verdict.IT_IS_THEM
    wrong = any(finding.ok is False for finding in by_name.values())
    return Verdict.IT_IS_YOU if wrong else Verdict.ALL_WELL


def site_for(host: str) -> str | None:
    """The site that tells of the host whether it is ZOOOP that is away; None for a sandbox or another's host,
    about which ZOOOP's site says nothing."""
    name = urlsplit(host).hostname or ""
    return SITE if name == "zooop.ai" or name.endswith(".zooop.ai") else None


class Doctor:
    """Looks at the way to the API. `site` is asked whether ZOOOP as a whole is there."""

    def __init__(self, settings: Settings, *, site: str | None = None) -> None:
        self._settings = settings
        self._site = site or site_for(settings.host)

    async def findings(self) -> Sequence[Finding]:
        """What was found: `site` (where one is asked), `api`, and `token at the API` (where there is one)."""
        looks = [self._api(), *([self._me()] if self._settings.token is not None else [])]
        if self._site is None:
            return await asyncio.gather(*looks)
        site, *others = await asyncio.gather(self._zooop(self._site), *looks)
        if site.ok is False and not any(each.failing for each in others):
            # The API answers, so nothing stands in the way.
            site = replace(site, ok=None, remedy="")
        return [site, *others]

    async def _zooop(self, site: str) -> Finding:
        try:
            status = await retry.call(lambda: _status(site))
        except ZooopError as error:
            return Finding("site", False, _short(error.message), "Check your network, proxy and DNS.")
        return Finding("site", True, f"{site} answers ({status}).")

    async def _api(self) -> Finding:
        url = f"{self._settings.host}/llms.txt"
        try:
            status = await retry.call(lambda: _status(url))
        except ZooopError as error:
            return Finding("api", False, _short(error.message), self._when_it_fails(), failing=True)
        if status != 200:
            return Finding(
                "api", False, f"{url} answers with HTTP {status}: that is not ZOOOP's API.", _CHECK_HOST
            )
        return Finding("api", True, f"{self._where()} answers.")

    async def _me(self) -> Finding:
        name = "token at the API"
        backend = None
        try:
            backend = LiveBackend(self._settings)
            return _about(name, await backend.me())
        except ZooopError as error:
            failing = isinstance(error, Unreachable | InvalidResponse) or (
                isinstance(error, APIError) and error.status >= 500
            )
            fix = " ".join(str(error).removeprefix(error.message).split())
            return Finding(name, False, _short(error.message), fix, failing=failing)
        finally:
            if backend is not None:
                await backend.aclose()

    def _where(self) -> str:
        # No address of a sandbox stands in a notebook that is kept.
        return "The sandbox" if is_loopback(self._settings.host) else self._settings.host

    def _when_it_fails(self) -> str:
        if is_loopback(self._settings.host):
            return "Is the sandbox running? `python -m zooop_nb sandbox` starts one."
        return _CHECK_HOST if self._site is None else "Try again later."


_CHECK_HOST: Final = "Check ZOOOP_API_HOST."


def _about(name: str, me: Me) -> Finding:
    balance = "" if me.balance is None else f", {me.balance} credits"
    said = f"accepted: {me.wallet} wallet{balance}"
    if me.key.expires_at:
        left = (datetime.fromisoformat(me.key.expires_at) - datetime.now(UTC)).days
        said += f", expires {me.key.expires_at[:10]} (in {left} days)"
    if not me.project.bound or me.project.id is None:
        renew = "Revoke the token and create another at https://zooop.ai/user#apiKeys."
        return Finding(name, False, f"{said}; its project was deleted, so nothing can be submitted.", renew)
    return Finding(name, True, f"{said}.")


async def _status(url: str) -> int:
    """What a page is answered with, without the token; a redirect is an answer. Raises what may be tried
    again: no answer, or a status that says so."""
    try:
        # As curl does in the documentation: the environment's proxy, but not for this machine.
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=not is_loopback(url)) as http:
            response = await http.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or "no answer"
        raise Unreachable(f"{url} does not answer: {why}.", value=url) from error
    if response.status_code >= 500 or response.status_code == 429:
        raise retry.Transient(f"{url} answers with HTTP {response.status_code}.")
    return response.status_code


def _short(message: str) -> str:
    return message if len(message) <= 300 else f"{message[:299]}…"
