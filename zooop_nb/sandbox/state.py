"""The whole state of a running sandbox in one place, so that a reset can rebuild it."""

from concurrent.futures import Executor
from pathlib import Path

from zooop_nb.sandbox.accounts import Accounts
from zooop_nb.sandbox.assets import Assets
from zooop_nb.sandbox.catalogue import Catalogue
from zooop_nb.sandbox.clock import Clock, stamp
from zooop_nb.sandbox.display import Display
from zooop_nb.sandbox.limits import Limits
from zooop_nb.sandbox.tasks import Task, Tasks
from zooop_nb.sandbox.uploads import Uploads
from zooop_nb.sandbox.world import World


class Sandbox:
    """A running world. `folder` stores the media, `pool` renders them; with `speed` 0 nothing waits."""

    clock: Clock
    accounts: Accounts
    assets: Assets
    limits: Limits
    tasks: Tasks
    uploads: Uploads

    def __init__(
        self, world: World, catalogue: Catalogue, pool: Executor, folder: Path, *, speed: float
    ) -> None:
        self.world = world
        self.catalogue = catalogue
        self.display = Display(catalogue, folder)
        self._pool = pool
        self._folder = folder
        self._speed = speed
        self._begin()

    def _begin(self) -> None:
        world = self.world
        self.clock = Clock(world.now)
        self.accounts = Accounts.open(world, self.clock)
        self.assets = Assets(self._folder)
        self.limits = Limits(self.clock, world.limits)
        self.uploads = Uploads(self.clock, self.assets, speed=self._speed)
        self.tasks = Tasks(
            self.clock, self.accounts, self.assets, self._pool, speed=self._speed, failing=world.failing
        )

    async def reset(self) -> None:
        """Reset to the world file: no tasks, no uploads, initial balances, the clock at its start."""
        await self.close()
        self.assets.remove_files()
        self._begin()

    async def close(self) -> None:
        """Stop all running tasks and checks."""
        await self.tasks.close()
        await self.uploads.close()

    def books(self, base: str) -> dict[str, object]:
        """Return all wallets, tasks, charges and uploads, for `GET /_sandbox/books`."""
        tasks = self.tasks.all()
        return {
            "now": stamp(self.clock.now()),
            "wallets": [
                {
                    "id": wallet.id,
                    "kind": wallet.kind,
                    "balance": wallet.balance,
                    "maxConcurrency": wallet.max_concurrency,
                    "arrears": wallet.arrears,
                    "running": sum(task.status == "running" for task in tasks if task.key.wallet is wallet),
                    "queued": sum(task.status == "queued" for task in tasks if task.key.wallet is wallet),
                }
                for wallet in self.accounts.wallets.values()
            ],
            "tasks": [_book(task, base) for task in tasks],
            "charges": [charge.public() for charge in self.accounts.charges],
            "uploads": [upload.book(base) for upload in self.uploads.all()],
            "rateLimited": self.limits.refused,
        }


def _book(task: Task, base: str) -> dict[str, object]:
    resolved = task.order.resolved
    recipe = resolved.recipe
    return {
        **task.public(base),
        "token": task.key.token,
        "wallet": task.key.wallet.id,
        "idempotencyKey": task.idempotency_key,
        "model": resolved.model.name,
        "modelId": resolved.model.id,
        "versionId": resolved.version.id,
        "recipe": recipe.slug if recipe else None,
        "params": resolved.asked,
        "debited": task.charge.credits,
    }
