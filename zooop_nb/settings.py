"""Every setting: its name, environment variable, default and precedence; and the token, kept secret.

Precedence: the call, `%zooop config`, traitlets, the environment, the default.
"""

import contextlib
import hashlib
import ipaddress
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from zooop_nb.errors import Action, BadValue, MissingKey, UnknownName, remedy
from zooop_nb.nearest import nearest

DEFAULT_HOST: Final = "https://api.zooop.ai"
LIVE_PREFIX: Final = "zpk_live_"
TEST_PREFIX: Final = "zpk_test_"
SESSION_VARIABLE: Final = "ZOOOP_NB_SESSION"


class Token:
    """An API token that never shows itself.

    It has no readable repr, cannot be pickled, and leaves this object only through `reveal()`, which the
    client calls for the Authorization header to the API's own host. `digest` stands for it elsewhere.
    """

    __slots__ = ("__secret",)

    def __init__(self, secret: str) -> None:
        secret = secret.strip()
        if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise BadValue("The API key holds characters that no token has; copy it again, whole.")
        self.__secret = secret

    def reveal(self) -> str:
        """Return the token itself."""
        return self.__secret

    @property
    def digest(self) -> str:
        """SHA-256 of the token, 64 hex digits: distinguishes tokens without revealing them."""
        return hashlib.sha256(self.__secret.encode()).hexdigest()

    @property
    def for_sandbox(self) -> bool:
        return self.__secret.startswith(TEST_PREFIX)

    @property
    def looks_live(self) -> bool:
        """Whether it has the documented form, `zpk_live_` and 32 characters. API documentation:
        "Authentication"."""
        return self.__secret.startswith(LIVE_PREFIX) and len(self.__secret) == len(LIVE_PREFIX) + 32

    def __repr__(self) -> str:
        return "Token(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> Any:
        raise TypeError("A token is not pickled.")


def is_loopback(host: str) -> bool:
    """Return whether a host's URL names this machine."""
    name = urlsplit(host).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        # A host name may begin with "127." and belong to anybody.
        return name == "localhost"


def _host(text: str) -> str:
    bare = text.strip().rstrip("/")
    if not _is_origin(bare):
        raise BadValue(
            f"The host “{text}” is not of the form https://api.zooop.ai.",
            value=text,
            remedies=[remedy(Action.CHECK_HOST, host=text)],
        )
    parts = urlsplit(bare)
    # Lower case: scheme and host name have no case, and the ledger compares hosts.
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        # An invalid port, or half an IPv6 address.
        return False
    alone = not (parts.username or parts.password or parts.query or parts.fragment)
    return named and alone and parts.scheme in {"http", "https"} and not any(map(str.isspace, text))


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return text.lower()

    return parse


def _credits(text: str) -> float | None:
    if text.lower() in {"", "none", "off"}:
        return None
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError("a number of credits, 0 or more")
    return int(number) if number == int(number) else number


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a credit: `0.01 USD`. Only for reports; charges are counted in credits."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def _price(text: str) -> Price | None:
    if not text:
        return None
    try:
        number, currency = text.split()
        amount = Decimal(number)
    except (ValueError, InvalidOperation):
        amount, currency = Decimal(-1), ""
    if not amount.is_finite() or amount < 0:
        raise ValueError("an amount and a currency, like 0.01 USD")
    return Price(amount, currency.upper())


_absolute_paths: Final[dict[str, Path]] = {}
_made_session: Final[dict[str, str]] = {}


def absolute(text: str) -> Path:
    """Return the absolute path of a text, with `~` expanded. Raises `ValueError` if it names no folder.

    A relative text is read against the working directory once: it names the same folder until the process
    ends. A forked child inherits what was read; any other is told absolute paths by its environment.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder for {Path(text).parts[0]}") from None
    if path.is_absolute():
        return path
    if known := _absolute_paths.get(str(path)):
        return known
    try:
        # In one step: of two threads that read it first, both get the path of one.
        return _absolute_paths.setdefault(str(path), path.absolute())
    except OSError:
        raise ValueError("it is relative, and the working directory is gone") from None


def _path(text: str) -> Path | None:
    return absolute(text) if text else None


def session_id() -> str:
    """Return the id of this session, which the ledger holds a budget for.

    It is `ZOOOP_NB_SESSION`, else an id that is made once a process and exported, so that reloads, threads
    and child processes have it too; forks have it if it was asked for before. An empty variable counts as
    none.
    """
    if given := os.environ.get(SESSION_VARIABLE, "").strip():
        return given
    # No lock, which a fork could leave held: the dictionary's one step decides between threads.
    made = _made_session.setdefault("id", uuid.uuid4().hex)
    os.environ[SESSION_VARIABLE] = made
    return made


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ValueError("a whole number, 1 or more")
    return int(text)


def _switch(text: str) -> bool:
    if text.lower() in {"on", "true", "yes", "1"}:
        return True
    if text.lower() in {"off", "false", "no", "0"}:
        return False
    raise ValueError("on or off")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its environment variable, default, parser and purpose."""

    name: str
    variable: str
    default: str
    parse: Callable[[str], Any]
    help: str


SETTINGS: Mapping[str, Setting] = {
    each.name: each
    for each in (
        Setting("host", "ZOOOP_API_HOST", DEFAULT_HOST, _host, "The API's address."),
        Setting("home", "ZOOOP_NB_HOME", "", _path, "The folder of ledger, cache and outputs."),
        Setting("ledger", "ZOOOP_NB_LEDGER", "", _path, "The ledger's file."),
        Setting("media", "ZOOOP_NB_MEDIA", "", _path, "The folder where outputs are kept."),
        Setting(
            "confirm",
            "ZOOOP_NB_CONFIRM",
            "auto",
            _one_of("auto", "always", "never"),
            "When to ask before spending: auto asks for batches of 3 tasks or 100 credits.",
        ),
        Setting(
            "budget", "ZOOOP_NB_BUDGET", "", _credits, "The most that this session may spend, in credits."
        ),
        Setting("credit_price", "ZOOOP_NB_CREDIT_PRICE", "", _price, "What a credit costs: 0.01 USD."),
        Setting(
            "concurrency", "ZOOOP_NB_CONCURRENCY", "3", _count, "Tasks at once, if the API names no limit."
        ),
        Setting("notebook", "ZOOOP_NB_NOTEBOOK", "", str, "The notebook's path, for the ledger."),
        Setting(
            "nested_loops",
            "ZOOOP_NB_NESTED_LOOPS",
            "off",
            _switch,
            "Whether asyncio.run() works inside a cell (nest-asyncio2).",
        ),
    )
}
"""All settings by name, in the order in which they are listed."""


def parse(name: str, value: object) -> Any:
    """Return the value of a setting from text, or as it is if it already has the setting's type.

    Raises `UnknownName` or `BadValue`.
    """
    setting = SETTINGS.get(name)
    if setting is None:
        raise UnknownName("setting", name, nearest=nearest(name, SETTINGS))
    text = "" if value is None else ("on" if value else "off") if isinstance(value, bool) else str(value)
    try:
        return setting.parse(text)
    except ValueError as error:
        raise BadValue(f"{name} does not take “{text}”: {error}.", value=text) from None


@dataclass(frozen=True)
class Settings:
    """The settings in force.

    `sources` says where each came from: `call`, `config`, `traitlets`, `environment` or `default`.
    """

    host: str
    home: Path | None
    ledger: Path | None
    media: Path | None
    confirm: str
    budget: float | None
    credit_price: Price | None
    concurrency: int
    notebook: str
    nested_loops: bool
    token: Token | None = None
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def ledger_path(self) -> Path:
        """The ledger's file; absolute, as the folders below."""
        return absolute(str(self.ledger)) if self.ledger else self._folder("data") / "ledger.sqlite"

    @property
    def media_path(self) -> Path:
        """The folder of complete outputs."""
        return absolute(str(self.media)) if self.media else self._folder("cache") / "media"

    @property
    def cache_path(self) -> Path:
        """The folder of the catalogue and of prepared uploads; may be deleted at any time."""
        return self._folder("cache")

    def _folder(self, kind: str) -> Path:
        if self.home is not None:
            return absolute(str(self.home))
        # Late: not needed when the extension is loaded.
        import platformdirs

        if kind == "data":
            return absolute(platformdirs.user_data_dir("zooop-nb", appauthor=False))
        return absolute(platformdirs.user_cache_dir("zooop-nb", appauthor=False))

    @property
    def on_sandbox(self) -> bool:
        """Whether the API in force is a sandbox: an address of this machine, or a sandbox's token."""
        return is_loopback(self.host) or (self.token is not None and self.token.for_sandbox)

    def require_token(self) -> Token:
        """Return the token.

        Raises `MissingKey` with how to create and set one, and `BadValue` if the host is not https.
        """
        if self.token is None:
            raise MissingKey(
                "There is no ZOOOP API key.",
                remedies=[remedy(Action.CREATE_TOKEN), remedy(Action.SET_KEY), remedy(Action.TRY_SANDBOX)],
            )
        secure = self.host.startswith("https://") or is_loopback(self.host) or self.token.for_sandbox
        if not secure:
            raise BadValue(
                f"The host {self.host} is not https: the API key would travel in the clear.",
                value=self.host,
                remedies=[remedy(Action.CHECK_HOST, host=self.host)],
            )
        return self.token


def _make_environment_absolute() -> None:
    """Replace relative paths in this process's environment by absolute ones.

    So a process that changes its folder, or a child that is started in another, finds the same ledger.
    """
    for setting in SETTINGS.values():
        text = os.environ.get(setting.variable)
        # An invalid path is reported when it is read.
        with contextlib.suppress(ValueError):
            if text and setting.parse is _path and (path := str(absolute(text))) != text:
                os.environ[setting.variable] = path


# When the extension is loaded, say, and not only at the first order.
_make_environment_absolute()


def load(
    *,
    call: Mapping[str, object] | None = None,
    config: Mapping[str, object] | None = None,
    traits: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    token: Token | str | None = None,
) -> Settings:
    """Return the settings in force, from the four places in their order.

    `token` is the call's or the session's own; without one, `ZOOOP_API_KEY` is read. Relative paths in this
    process's environment are made absolute there. Raises `BadValue` for a value that cannot be used and
    `UnknownName` for a setting that does not exist.
    """
    if environ is None:
        _make_environment_absolute()
        environ = os.environ
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    places: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("call", call or {}),
        ("config", config or {}),
        ("traitlets", traits or {}),
    )
    for _, place in places:
        for name in place:
            if name not in SETTINGS:
                parse(name, None)
    for name, setting in SETTINGS.items():
        value: object = setting.default
        source = "default"
        for label, place in places:
            if place.get(name) is not None:
                value, source = place[name], label
                break
        else:
            if environ.get(setting.variable):
                value, source = environ[setting.variable], "environment"
        values[name] = parse(name, value)
        sources[name] = source
    if isinstance(token, str):
        token = Token(token)
    if token is None and environ.get("ZOOOP_API_KEY", "").strip():
        token = Token(environ["ZOOOP_API_KEY"])
    return Settings(**values, token=token, sources=sources)
