"""What an order made: plain values that know how to show themselves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from zooop_nb.results.mimebundle import Displayable, MimeBundle, bundle

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Output(Displayable):
    """One file that a task made. Sizes in pixels, `duration` in seconds; None is "not known"."""

    url: str
    thumbnail_url: str | None = None
    path: Path | None = None
    """The file on this machine, in full; None while it is not fetched or after the cache was cleared."""
    content_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    sha256: str | None = None
    """The content's hash: it names the output in the params of later orders."""
    size: int | None = None
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Result(Displayable):
    """An order and what came of it. Credits are the server's figures; None is what it did not say."""

    order_id: str
    task_id: str | None
    status: str
    """The API's: queued, running, succeeded, failed, cancelled; or unknown."""
    credits: int | float | None
    """What the task cost: the API's `creditsCharged`."""
    quote: int | float | None
    """What the quote said, in credits."""
    category: str | None
    """`image/default`; None for a tool or a template."""
    model: str | None
    """The model's name; a tool's or a template's own name where that was ordered."""
    version: str | None
    params: Mapping[str, Any]
    """As sent, but media by content hash or file name."""
    seconds: float | None
    """How long the task took, from its creation to its completion, by the server's clock."""
    error: str | None
    created_at: str | None
    completed_at: str | None
    outputs: tuple[Output, ...] = ()
    mode: str = "live"
    """live, sandbox or replay."""
    prompt: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def output(self) -> Output:
        """The first output. Raises `LookupError` where there is none."""
        if not self.outputs:
            raise LookupError(f"Order {self.order_id} has no output ({self.status}).")
        return self.outputs[0]

    @property
    def path(self) -> Path | None:
        """The first output's file."""
        return self.output.path

    @property
    def url(self) -> str:
        """The first output's URL."""
        return self.output.url


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that lies at ZOOOP. It may be handed over wherever a picture, clip or sound is taken."""

    url: str
    """Its ZOOOP URL."""
    content_type: str | None
    """None where it was a ZOOOP URL already."""
    size: int | None
    """Bytes; None as above."""
    mode: str = "live"
    """live, sandbox or replay."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> MimeBundle:
        facts = [self.content_type or "", f"{self.size:,} bytes" if self.size is not None else ""]
        # A sandbox's address means nothing once it has ended, and must not stand in a notebook that is kept.
        where = "on the sandbox; its URL is in .url" if self.mode == "sandbox" else self.url
        return {"text/plain": " · ".join(filter(None, ("uploaded", *facts, where)))}


@dataclass(frozen=True, slots=True)
class Quoted(Displayable):
    """What an order would cost. Credits are the server's figure for exactly this body."""

    credits: int | float
    """For one task."""
    count: int
    eta: float | None
    """Seconds for one task; None where the API does not know."""
    model: str
    version: str | None
    breakdown: Mapping[str, Any]
    """`pricing_key`, `base`, `multiplier`, `surcharges`, `base_price`, `min_price_applied`."""
    params: Mapping[str, Any]

    @property
    def total(self) -> int | float:
        """Credits for all `count` tasks."""
        return self.credits * self.count

    def __str__(self) -> str:
        return str(bundle(self)["text/plain"])


@dataclass(frozen=True)
class Gallery(Sequence[Result], Displayable):
    """Several results of one call, in the order in which they were asked for."""

    results: tuple[Result, ...] = field(default_factory=tuple)

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> "Gallery": ...

    def __getitem__(self, index: int | slice) -> "Result | Gallery":
        if isinstance(index, slice):
            return Gallery(self.results[index])
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    @property
    def credits(self) -> int | float | None:
        """What all of them cost together; None where the server named no figure at all."""
        known = [each.credits for each in self.results if each.credits is not None]
        return sum(known) if known else None

    @property
    def failed(self) -> tuple[Result, ...]:
        """Those that did not succeed."""
        return tuple(each for each in self.results if each.status != "succeeded")

    def frame(self) -> "pd.DataFrame":
        """One row a result: ids, status, credits, what varied between them, and where the file lies."""
        import pandas as pd

        names = list(dict.fromkeys(name for each in self.results for name in each.params))
        varied = [name for name in names if len({repr(each.params.get(name)) for each in self.results}) > 1]
        rows = [
            {
                "order_id": each.order_id,
                "task_id": each.task_id,
                "status": each.status,
                "model": each.model,
                "version": each.version,
                **{name: each.params.get(name) for name in varied},
                "credits": each.credits,
                "seconds": each.seconds,
                "path": str(each.outputs[0].path) if each.outputs and each.outputs[0].path else None,
            }
            for each in self.results
        ]
        return pd.DataFrame(rows).convert_dtypes()
