"""Two books of one run of orders, and the rules that they must agree by.

The server's book is the truth about money; the ledger's is what a user has left of it. `disagreements`
compares them after the last run of a cell or script has ended well: pure functions over plain values, so that
a test can feed them wrong books.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

NEVER_SENT: Final = frozenset({"quoted", "queued", "withdrawn", "refused"})
"""States of an order that never reached the server."""
ENDED: Final = frozenset({"quoted", "withdrawn", "refused", "succeeded", "failed", "cancelled"})
"""States in which nothing is left to do."""
NOTHING_PAID: Final = ("nothing is paid", "pays nothing", "submitted nothing", "nothing was submitted")
"""What a run says that has cost nothing."""


@dataclass(frozen=True)
class Task:
    """A task as the server has it. `credits` is what it cost, net of a refund."""

    task_id: str
    key: str | None
    prompt: str
    credits: int


@dataclass(frozen=True)
class File:
    """An output of an order, by three hashes: of the file on this machine (None without one), in the ledger,
    and of what the server serves."""

    name: str
    held: str | None
    recorded: str | None
    served: str


@dataclass(frozen=True)
class LedgerOrder:
    """An order as the ledger has it.

    `followed`: by a live process. `spent`: the sum of its rows in `frame()`, None if one of them is null.
    """

    order_id: str
    key: str
    state: str
    prompt: str | None = None
    described: bool = False
    task_id: str | None = None
    followed: bool = False
    spent: int | None = 0
    files: tuple[File, ...] = ()
    outputs: int = 0
    """The number of outputs that the server has of its task."""

    @property
    def title(self) -> str:
        """Name it in a violation."""
        return f"order {self.order_id[:8]} ({self.state})"


@dataclass(frozen=True)
class Run:
    """One run of the cell or script: what it showed, and the keys of the orders that came into the ledger
    during the line that it showed it of."""

    text: str
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Asked:
    """What was asked for: how many tasks of each prompt, and how many descriptions.

    `all_of_it` holds for a cell, which is run again until it has everything; a script is only resumed, and
    may end with less.
    """

    tasks: Mapping[str, int]
    descriptions: int = 0
    all_of_it: bool = True


@dataclass(frozen=True)
class Books:
    """Both books. `described` are the credits of all descriptions, `left` those that left the wallets."""

    tasks: tuple[Task, ...] = ()
    described: int = 0
    left: int = 0
    orders: tuple[LedgerOrder, ...] = ()

    @property
    def unknown(self) -> tuple[LedgerOrder, ...]:
        """The orders of which it cannot be told whether they arrived."""
        return tuple(order for order in self.orders if order.state == "unknown")

    @property
    def under_way(self) -> tuple[LedgerOrder, ...]:
        """The orders that have not come to an end."""
        return tuple(order for order in self.orders if order.state not in ENDED and order.state != "unknown")


@dataclass(frozen=True)
class Violation:
    """A rule that the books break, and how."""

    rule: str
    text: str
    count: int = 1
    """Of `doubles` and `lost`: how many orders."""

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


@dataclass(frozen=True)
class Case:
    """What the rules are checked over."""

    asked: Asked
    books: Books
    runs: tuple[Run, ...] = field(default=())


def disagreements(case: Case) -> list[Violation]:
    """Return every violation of every rule; none if the books agree."""
    return [violation for rule in RULES for violation in rule(case)]


def doubles(case: Case) -> Iterable[Violation]:
    """No order is paid twice: no more tasks than were asked for, and one for each idempotency key."""
    for key, number in Counter(task.key for task in case.books.tasks).items():
        if key is None:
            yield Violation("doubles", f"{number} tasks were submitted without a key", number)
        elif number > 1:
            yield Violation("doubles", f"key {key[:8]} has {number} tasks", number - 1)
    charged = _charged(case.books)
    for prompt in sorted({*charged, *case.asked.tasks}):
        asked = case.asked.tasks.get(prompt, 0)
        if charged[prompt] > asked:
            text = f"{asked} asked for, {charged[prompt]} charged: {prompt!r}"
            yield Violation("doubles", text, charged[prompt] - asked)
    if case.books.described > case.asked.descriptions:
        extra = case.books.described - case.asked.descriptions
        text = f"{case.asked.descriptions} descriptions asked for, {case.books.described} charged"
        yield Violation("doubles", text, extra)


def lost(case: Case) -> Iterable[Violation]:
    """No paid task is lost: the ledger has it or finds it, its outputs are whole, and a cell has got all."""
    by_key = {order.key: order for order in case.books.orders}
    for task in case.books.tasks:
        if not task.credits:
            continue
        order = by_key.get(task.key or "")
        if order is None:
            yield Violation("lost", f"task {task.task_id[:8]} is paid and not in the ledger")
        elif order.state in NEVER_SENT:
            yield Violation("lost", f"task {task.task_id[:8]} is paid: {order.title}")
        elif order.task_id != task.task_id and order.state in ENDED:
            yield Violation("lost", f"{order.title} does not name its task {task.task_id[:8]}")
    yield from _lost_descriptions(case.books)
    for order in case.books.orders:
        if order.state == "succeeded" and not order.described and len(order.files) != order.outputs:
            yield Violation("lost", f"{order.title} has {len(order.files)} of {order.outputs} outputs")
        for file in order.files if order.state == "succeeded" else ():
            if not file.held == file.recorded == file.served:
                yield Violation("lost", f"{file.name} of {order.title} is not what the server serves")
    if case.asked.all_of_it:
        yield from _lacking(case)


def money(case: Case) -> Iterable[Violation]:
    """`spent` of the ledger is what left the wallets, order by order; what is not known is null."""
    credits = {task.key: task.credits for task in case.books.tasks}
    open_credits = 0
    for order in case.books.orders:
        if order.described and order.state == "unknown":
            if order.spent is not None:
                yield Violation("money", f"{order.title} says {order.spent} credits; nobody knows")
        elif order.spent is None and order.state != "unknown":
            yield Violation("money", f"{order.title} has no figure")
        elif order.described:
            continue
        elif order.state == "unknown" and not order.spent:
            open_credits += credits.get(order.key, 0)
        elif order.spent != credits.get(order.key, 0):
            text = f"{order.title}: {order.spent} spent, {credits.get(order.key, 0)} charged"
            yield Violation("money", text)
    spent = sum(order.spent or 0 for order in case.books.orders)
    # A description that is unknown may have been charged or not.
    unknown = sum(order.described for order in case.books.unknown)
    most = spent + open_credits + unknown
    if not spent + open_credits <= case.books.left <= most:
        yield Violation("money", f"{case.books.left} credits left the wallets, the ledger says {spent}")


def states(case: Case) -> Iterable[Violation]:
    """Nothing is left half done: all orders have ended, and what never was sent has no task."""
    for order in case.books.under_way:
        who = "a live process has it and does not end it" if order.followed else "nobody follows it"
        yield Violation("states", f"{order.title} is left, and {who}")
    keys = {task.key for task in case.books.tasks}
    for order in case.books.orders:
        if order.state in NEVER_SENT and order.key in keys:
            yield Violation("states", f"{order.title} has a task on the server")
    said = "".join(run.text for run in case.runs)
    for order in case.books.unknown:
        if order.order_id[:8] not in said:
            yield Violation("states", f"{order.title} was never named")


def statements(case: Case) -> Iterable[Violation]:
    """Where a run says that it costs nothing, none of its orders costs anything, then or later."""
    keys = {task.key for task in case.books.tasks if task.credits} | {
        order.key for order in case.books.orders if order.described and order.state == "succeeded"
    }
    unknown = {order.key for order in case.books.unknown}
    for number, run in enumerate(case.runs, 1):
        said = next((each for each in NOTHING_PAID if each in run.text.lower()), None)
        if said is None:
            continue
        if paid := len(run.keys & keys):
            yield Violation("said", f"run {number} says “{said}”, and {paid} of its orders are paid")
        elif run.keys & unknown:
            yield Violation("said", f"run {number} says “{said}”, and nobody knows")


RULES: Final[tuple[Callable[[Case], Iterable[Violation]], ...]] = (doubles, lost, money, states, statements)


def _charged(books: Books) -> Counter[str]:
    return Counter(task.prompt for task in books.tasks if task.credits)


def _lost_descriptions(books: Books) -> Iterable[Violation]:
    known = sum(order.described and order.state in {"succeeded", "unknown"} for order in books.orders)
    if books.described > known:
        number = books.described - known
        yield Violation("lost", f"{number} descriptions are paid and not in the ledger", number)


def _lacking(case: Case) -> Iterable[Violation]:
    """A cell that has ended well has all that it asked for, except what is unknown and named."""
    have = Counter(order.prompt for order in case.books.orders if order.state == "succeeded")
    unknown = Counter(order.prompt for order in case.books.unknown)
    for prompt, asked in case.asked.tasks.items():
        lacking = asked - have[prompt] - unknown[prompt]
        if lacking > 0:
            yield Violation("lost", f"{lacking} of {asked} were not made: {prompt!r}", lacking)
    if case.asked.descriptions > have[None] + unknown[None]:
        yield Violation("lost", "the picture was not described")
