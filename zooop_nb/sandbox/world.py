"""The world file: the initial state of a sandbox, read and validated before the server starts."""

import secrets
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

BALANCE = 10_000
"""A wallet's initial credits if the world file does not set them."""
PERSONAL_CONCURRENCY = 3
"""API documentation, "Limits": `maxConcurrency` of a personal token, default 3."""
TEAM_CONCURRENCY = 10


class WorldError(ValueError):
    """The world file is invalid; the message names the key and the problem."""


@dataclass(frozen=True, slots=True)
class WalletScene:
    """A user's own wallet or a team's shared pool, with the status of its owner."""

    id: str
    kind: str
    """`personal` or `team`."""
    balance: int = BALANCE
    max_concurrency: int = PERSONAL_CONCURRENCY
    arrears: bool = False
    banned: bool = False


@dataclass(frozen=True, slots=True)
class TokenScene:
    """A token: the wallet that funds it, its owner, its project and its daily cap."""

    token: str
    wallet: WalletScene
    owner: str
    """The user's id, the first segment of media paths."""
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
    """Everything that a world file sets. The model sets hold names as shown by `/v1/models`."""

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
    """Return a new random token of the documented form (32 characters), with a test prefix."""
    alphabet = string.ascii_letters + string.digits
    return "zpk_test_" + "".join(secrets.choice(alphabet) for _ in range(32))


Id = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
"""Restricted because ids appear in media paths."""
Credits = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**6)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Entry(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An object of the file. Unknown keys are errors, so that typos do not go unnoticed."""


class _User(_Entry):
    id: Id
    balance: Credits = BALANCE
    max_concurrency: Count = PERSONAL_CONCURRENCY
    arrears: bool = False
    banned: bool = False


class _Team(_Entry):
    id: Id
    balance: Credits = BALANCE
    max_concurrency: Count = TEAM_CONCURRENCY
    arrears: bool = False


class _Project(_Entry):
    id: Id | None = None
    name: str = "Sandbox"
    bound: bool = True


class _Token(_Entry):
    token: Annotated[str, msgspec.Meta(pattern="^[!-~]{1,200}$")]
    kind: Literal["personal", "team"] | None = None
    user: Id | None = None
    team: Id | None = None
    label: str = "sandbox"
    daily_cap: Credits | None = None
    spent_today: Credits = 0
    expires_at: Moment | None = None
    revoked: bool = False
    project: _Project = msgspec.field(default_factory=_Project)
    balance: Credits | None = None
    max_concurrency: Count | None = None
    arrears: bool | None = None
    banned: bool | None = None


class _Limits(_Entry):
    tasks: Count | None = None
    quote: Count | None = None
    uploads: Count | None = None
    upload_poll: Count | None = None
    me: Count | None = None
    ai_tools: Count | None = None
    templates: Count | None = None
    describe: Count | None = None


class _File(_Entry):
    now: Moment | None = None
    users: list[_User] = []
    teams: list[_Team] = []
    tokens: list[_Token] = []
    disabled_models: list[str] = []
    failing_models: list[str] = []
    no_provider_models: list[str] = []
    hidden_models: list[str] = []
    limits: _Limits = msgspec.field(default_factory=_Limits)


def load_world(path: Path | None, token: str | None = None, *, known_models: Collection[str]) -> World:
    """Read a world file; without one, return a world of one personal token with a generous balance.

    `token`, if given, comes first, and is added if it is not in the file. `known_models` are the names
    allowed in the model lists. Raises WorldError if the file is missing, not JSON or has an invalid key.
    """
    try:
        file = _File() if path is None else msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise WorldError(f"the world file {path} cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise WorldError(f"{path}: {_readable(error)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorldError(f"{path} is not JSON: {error}") from error
    named = {
        "disabledModels": file.disabled_models,
        "failingModels": file.failing_models,
        "noProviderModels": file.no_provider_models,
        "hiddenModels": file.hidden_models,
    }
    for key, names in named.items():
        for index, name in enumerate(names):
            if name not in known_models:
                raise WorldError(f"{key}[{index}]: the catalogue has no model {name!r}")
    return _world(file, token)


def _readable(error: msgspec.ValidationError) -> str:
    """Format a validation error with its place first: `tokens[1].dailyCap: ...`."""
    problem, _, place = str(error).partition(" - at `$")
    return f"{place.strip('`.')}: {problem}" if place.strip("`.") else problem


def _world(file: _File, token: str | None) -> World:
    wallets = _wallets(file)
    places = {entry.token: f"tokens[{index}]" for index, entry in enumerate(file.tokens)}
    if len(places) != len(file.tokens):
        raise WorldError("tokens: the same token is listed twice")
    entries = list(file.tokens)
    if token is not None and token not in places:
        entries.insert(0, _Token(token))
    elif token is not None:
        entries.sort(key=lambda entry: entry.token != token)
    if not entries:
        entries = [_Token(new_token())]
    limits = msgspec.to_builtins(file.limits)
    return World(
        tokens=tuple(_token(entry, wallets, places.get(entry.token, "tokens")) for entry in entries),
        now=_utc(file.now),
        disabled=frozenset(file.disabled_models),
        failing=frozenset(file.failing_models),
        no_provider=frozenset(file.no_provider_models),
        hidden=frozenset(file.hidden_models),
        limits=limits,
    )


_Wallets = dict[tuple[str, str], WalletScene]


def _wallets(file: _File) -> _Wallets:
    wallets: _Wallets = {}
    for index, user in enumerate(file.users):
        if ("personal", user.id) in wallets:
            raise WorldError(f"users[{index}].id: {user.id!r} is listed twice")
        wallets["personal", user.id] = WalletScene(
            user.id, "personal", user.balance, user.max_concurrency, user.arrears, user.banned
        )
    for index, team in enumerate(file.teams):
        if ("team", team.id) in wallets:
            raise WorldError(f"teams[{index}].id: {team.id!r} is listed twice")
        wallets["team", team.id] = WalletScene(
            team.id, "team", team.balance, team.max_concurrency, team.arrears
        )
    return wallets


def _token(entry: _Token, wallets: _Wallets, place: str) -> TokenScene:
    user = _named(wallets, "personal", entry.user, f"{place}.user")
    team = _named(wallets, "team", entry.team, f"{place}.team")
    if entry.kind == "team" and team is None:
        raise WorldError(f"{place}.team: is missing; a team token must name its team")
    if entry.kind == "personal" and team is not None:
        raise WorldError(f"{place}.team: a personal token has none; its kind must be 'team'")
    own = _own_wallet(entry)
    if user is not None or team is not None:
        _no_own_keys(entry, place)
    return TokenScene(
        token=entry.token,
        wallet=team or user or own,
        owner=(user or own).id,
        banned=(user or own).banned,
        label=entry.label,
        daily_cap=entry.daily_cap,
        spent_today=entry.spent_today,
        expires_at=_utc(entry.expires_at),
        revoked=entry.revoked,
        project_id=entry.project.id or str(uuid5(NAMESPACE_URL, f"project:{entry.token}")),
        project_name=entry.project.name,
        bound=entry.project.bound,
    )


def _named(wallets: _Wallets, kind: str, id: str | None, place: str) -> WalletScene | None:
    if id is not None and (kind, id) not in wallets:
        raise WorldError(f"{place}: there is no {id!r} under {'users' if kind == 'personal' else 'teams'}")
    return None if id is None else wallets[kind, id]


def _own_wallet(entry: _Token) -> WalletScene:
    """Return the wallet of a token that names neither user nor team."""
    return WalletScene(
        id=str(uuid5(NAMESPACE_URL, f"user:{entry.token}")),
        kind="personal",
        balance=BALANCE if entry.balance is None else entry.balance,
        max_concurrency=entry.max_concurrency or PERSONAL_CONCURRENCY,
        arrears=bool(entry.arrears),
        banned=bool(entry.banned),
    )


def _no_own_keys(entry: _Token, place: str) -> None:
    given = {
        "balance": entry.balance,
        "maxConcurrency": entry.max_concurrency,
        "arrears": entry.arrears,
        "banned": entry.banned,
    }
    for key, value in given.items():
        if value is not None:
            raise WorldError(f"{place}.{key}: stands with the user or the team, not with their token")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
