"""The world file: the scene that a sandbox starts with, read and checked before anything is served."""

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from jsonschema import Draft202012Validator

BALANCE = 10_000
"""Credits that a wallet holds where the world file does not say."""
PERSONAL_CONCURRENCY = 3
"""API documentation, "Limits": `maxConcurrency` of a personal token, default 3."""
TEAM_CONCURRENCY = 10


class WorldError(ValueError):
    """The world file cannot be used; the message names the key and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class WalletScene:
    """A user's own wallet or a team's shared pool, and how its owner stands."""

    id: str
    kind: str
    """`personal` or `team`."""
    balance: int = BALANCE
    max_concurrency: int = PERSONAL_CONCURRENCY
    arrears: bool = False
    banned: bool = False


@dataclass(frozen=True, slots=True)
class TokenScene:
    """A token: which wallet funds it, who owns it, where its work lands, what it may spend a day."""

    token: str
    wallet: WalletScene
    owner: str
    """The user's id: the first part of media paths."""
    banned: bool
    label: str
    daily_cap: int | None
    spent_today: int
    expires_at: datetime | None
    revoked: bool
    project_id: str
    project_name: str
    bound: bool


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a world file sets. Model sets hold names, as `/v1/models` shows them."""

    tokens: tuple[TokenScene, ...]
    now: datetime | None = None
    disabled: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    no_provider: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def first_token(self) -> str:
        return self.tokens[0].token


def new_token() -> str:
    """A token of the documented form (32 characters), marked as a test's."""
    alphabet = string.ascii_letters + string.digits
    return "zpk_test_" + "".join(secrets.choice(alphabet) for _ in range(32))


def load_world(path: Path, token: str | None = None) -> World:
    """Read a world file. `token`, where given, comes first, and is added where the file lacks it.

    Raises WorldError: the file is missing, no JSON, or has a key that cannot be used.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WorldError(f"the world file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise WorldError(f"the world file {path} is not JSON: {error}") from error
    return read_world(data, token)


def read_world(data: object, token: str | None = None) -> World:
    """The same for a world that is already in memory. Raises WorldError."""
    schema = json.loads(resources.files(__package__).joinpath("world.schema.json").read_text("utf-8"))
    error = next(iter(Draft202012Validator(schema).iter_errors(data)), None)
    if error is not None:
        raise WorldError(f"{_where(error.absolute_path)}: {error.message}")
    assert isinstance(data, dict)
    wallets = _wallets(data)
    entries: list[dict[str, Any]] = list(data.get("tokens", []))
    places = {entry["token"]: f"tokens[{index}]" for index, entry in enumerate(entries)}
    if len(places) != len(entries):
        raise WorldError("tokens: the same token stands there twice")
    if token is not None and token not in places:
        entries.insert(0, {"token": token})
    elif token is not None:
        entries.sort(key=lambda entry: entry["token"] != token)
    if not entries:
        entries = [{"token": new_token()}]
    return World(
        tokens=tuple(_token(entry, wallets, places.get(entry["token"], "tokens")) for entry in entries),
        now=_moment(data.get("now"), "now"),
        disabled=frozenset(data.get("disabledModels", ())),
        failing=frozenset(data.get("failingModels", ())),
        no_provider=frozenset(data.get("noProviderModels", ())),
        hidden=frozenset(data.get("hiddenModels", ())),
        limits=data.get("limits", {}),
    )


def _wallets(data: dict[str, Any]) -> dict[tuple[str, str], WalletScene]:
    wallets: dict[tuple[str, str], WalletScene] = {}
    for kind, key in (("personal", "users"), ("team", "teams")):
        for index, entry in enumerate(data.get(key, ())):
            if (kind, entry["id"]) in wallets:
                raise WorldError(f"{key}[{index}].id: {entry['id']!r} stands there twice")
            wallets[kind, entry["id"]] = _wallet(kind, entry["id"], entry)
    return wallets


def _wallet(kind: str, id: str, entry: Mapping[str, Any]) -> WalletScene:
    return WalletScene(
        id=id,
        kind=kind,
        balance=entry.get("balance", BALANCE),
        max_concurrency=entry.get(
            "maxConcurrency", PERSONAL_CONCURRENCY if kind == "personal" else TEAM_CONCURRENCY
        ),
        arrears=entry.get("arrears", False),
        banned=entry.get("banned", False),
    )


_OWN_USER_KEYS = ("balance", "maxConcurrency", "arrears", "banned")


def _token(entry: dict[str, Any], wallets: dict[tuple[str, str], WalletScene], place: str) -> TokenScene:
    token = entry["token"]
    kind = entry.get("kind", "team" if "team" in entry else "personal")
    own = str(uuid5(NAMESPACE_URL, f"user:{token}"))
    user = wallets.get(("personal", entry.get("user", "")))
    if "user" in entry and user is None:
        raise WorldError(f"{place}.user: there is no user {entry['user']!r} under users")
    if kind == "team":
        if "team" not in entry:
            raise WorldError(f"{place}.team: a team token names its team")
        wallet = wallets.get(("team", entry["team"]))
        if wallet is None:
            raise WorldError(f"{place}.team: there is no team {entry['team']!r} under teams")
    else:
        if "team" in entry:
            raise WorldError(f"{place}.team: a personal token has no team (its kind must be 'team')")
        wallet = user or _wallet("personal", own, entry)
    for key in _OWN_USER_KEYS:
        if key in entry and (user is not None or kind == "team"):
            raise WorldError(f"{place}.{key}: stands with the user or the team, not with their token")
    project = entry.get("project", {})
    return TokenScene(
        token=token,
        wallet=wallet,
        owner=user.id if user else own,
        banned=user.banned if user else wallet.banned,
        label=entry.get("label", "sandbox"),
        daily_cap=entry.get("dailyCap"),
        spent_today=entry.get("spentToday", 0),
        expires_at=_moment(entry.get("expiresAt"), f"{place}.expiresAt"),
        revoked=entry.get("revoked", False),
        project_id=project.get("id", str(uuid5(NAMESPACE_URL, f"project:{token}"))),
        project_name=project.get("name", "Sandbox"),
        bound=project.get("bound", True),
    )


def _moment(text: str | None, place: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WorldError(f"{place}: {text!r} is not a time such as 2026-05-15T10:00:00Z") from None
    if moment.tzinfo is None:
        raise WorldError(f"{place}: {text!r} does not say its time zone; end it with Z")
    return moment.astimezone(UTC)


def _where(path: Any) -> str:
    place = ""
    for step in path:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    return place.lstrip(".") or "the world file"
