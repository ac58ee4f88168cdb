"""Wallets, the tokens that spend from them, and a record of every charge and refund.

API documentation: "Authentication", "GET /v1/me", "Limits" (the daily cap).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import NAMESPACE_URL, uuid5

from zooop_nb.sandbox.clock import Clock, stamp
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.world import TokenScene, World


@dataclass(slots=True)
class Wallet:
    """A credit balance that tokens spend from: a user's own, or a team's pool."""

    id: str
    kind: str
    balance: int
    max_concurrency: int
    arrears: bool


@dataclass(slots=True)
class Key:
    """A token and its server-side state. `spent` applies to the UTC day `spent_on`; a new day starts at 0."""

    scene: TokenScene
    wallet: Wallet
    id: str
    created_at: datetime
    spent: int
    spent_on: date

    @property
    def token(self) -> str:
        return self.scene.token

    @property
    def prefix(self) -> str:
        """The part of the token that may be shown; never the whole token."""
        return self.token[: min(13, len(self.token) // 2)] + "…"

    @property
    def folder(self) -> str:
        """Where its media is stored: `<userId>/<projectId>`."""
        return f"{self.scene.owner}/{self.scene.project_id}"


@dataclass(frozen=True, slots=True)
class Charge:
    """Credits debited from a wallet, or refunded to it (then `credits` is negative)."""

    task_id: str | None
    credits: int
    key: Key
    kind: str
    """`charge`, `describe` or `refund`."""
    at: datetime

    def public(self) -> dict[str, object]:
        return {
            "taskId": self.task_id,
            "credits": self.credits,
            "token": self.key.token,
            "wallet": self.key.wallet.id,
            "kind": self.kind,
            "at": stamp(self.at),
        }


@dataclass(slots=True)
class Accounts:
    """All wallets, tokens and charges."""

    clock: Clock
    keys: dict[str, Key] = field(default_factory=dict)
    wallets: dict[tuple[str, str], Wallet] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)

    @classmethod
    def open(cls, world: World, clock: Clock) -> "Accounts":
        accounts = cls(clock)
        for scene in world.tokens:
            purse = scene.wallet
            wallet = accounts.wallets.setdefault(
                (purse.kind, purse.id),
                Wallet(purse.id, purse.kind, purse.balance, purse.max_concurrency, purse.arrears),
            )
            accounts.keys[scene.token] = Key(
                scene,
                wallet,
                id=str(uuid5(NAMESPACE_URL, f"key:{scene.token}")),
                created_at=clock.now(),
                spent=scene.spent_today,
                spent_on=clock.now().date(),
            )
        return accounts

    def enter(self, authorization: str | None) -> Key:
        """Return the token named in an `Authorization` header.

        Raises Refusal 401 `missing_token` or `invalid_token` (unknown, revoked, expired).
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Refusal(401, "missing_token", "Missing API token. Send Authorization: Bearer <token>.")
        key = self.keys.get(token)
        if key is None:
            raise Refusal(401, "invalid_token", "Unknown API token.")
        if key.scene.revoked:
            raise Refusal(401, "invalid_token", "This API token has been revoked.")
        if key.scene.expires_at is not None and key.scene.expires_at <= self.clock.now():
            raise Refusal(401, "invalid_token", f"This API token expired at {stamp(key.scene.expires_at)}.")
        return key

    def spent_today(self, key: Key) -> int:
        """Return the credits spent since midnight UTC."""
        today = self.clock.now().date()
        if key.spent_on != today:
            key.spent, key.spent_on = 0, today
        return key.spent

    def check_owner(self, key: Key) -> None:
        """Raise Refusal 403 `account_banned` if the owner is banned."""
        if key.scene.banned:
            raise Refusal(403, "account_banned", "The account that owns this token is banned.")

    def check_project(self, key: Key) -> None:
        """Raise Refusal 422 `token_project_unbound` if the token's project was deleted."""
        if not key.scene.bound:
            raise Refusal(
                422,
                "token_project_unbound",
                "The project of this token was deleted. Revoke the token and create a new one.",
            )

    def check_cap(self, key: Key) -> None:
        """Make the coarse cap check, before pricing. Raises Refusal 429 `token_daily_cap_reached`."""
        cap, spent = key.scene.daily_cap, self.spent_today(key)
        if cap is not None and spent >= cap:
            now = self.clock.now()
            left = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
            raise Refusal(
                429,
                "token_daily_cap_reached",
                f"This token's daily cap of {cap} credits is reached; it resets at midnight UTC.",
                retry_after=left,
                cap=cap,
                spent=spent,
            )

    def check_funds(self, key: Key, credits: int) -> None:
        """Make the precise checks of cap, arrears and balance, after pricing.

        Raises Refusal 402 `token_daily_cap_exceeded`, `arrears` or `insufficient_credits`.
        """
        cap, spent = key.scene.daily_cap, self.spent_today(key)
        if cap is not None and spent + credits > cap:
            raise Refusal(
                402,
                "token_daily_cap_exceeded",
                f"This costs {credits} credits; {cap - spent} of this token's daily cap of {cap} are left.",
                cap=cap,
                spent=spent,
                required=credits,
            )
        if key.wallet.arrears:
            raise Refusal(402, "arrears", "The account is in arrears. Settle it on the website first.")
        if key.wallet.balance < credits:
            raise Refusal(
                402,
                "insufficient_credits",
                f"This costs {credits} credits; the wallet holds {key.wallet.balance}.",
                required=credits,
                balance=key.wallet.balance,
            )

    def debit(self, key: Key, credits: int, kind: str, task_id: str | None = None) -> Charge:
        """Take credits from the wallet; the caller has made the checks."""
        spent = self.spent_today(key)
        key.wallet.balance -= credits
        key.spent = spent + credits
        charge = Charge(task_id, credits, key, kind, self.clock.now())
        self.charges.append(charge)
        return charge

    def refund(self, charge: Charge) -> None:
        """Refund a charge, and restore the daily cap too if it is still the same UTC day."""
        key = charge.key
        key.wallet.balance += charge.credits
        if charge.at.date() == self.clock.now().date():
            key.spent = max(0, self.spent_today(key) - charge.credits)
        self.charges.append(Charge(charge.task_id, -charge.credits, key, "refund", self.clock.now()))
