"""Turn a request body into a priced order, for both `POST /v1/quote` and `POST /v1/tasks`."""

import hashlib
import json
from dataclasses import dataclass, replace

from zooop_nb.sandbox.assets import Asset, Assets, ForeignUrlError
from zooop_nb.sandbox.catalogue import Catalogue
from zooop_nb.sandbox.media import Work
from zooop_nb.sandbox.pricing import Price, price
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.resolve import Resolved, media_urls, resolve, work_order
from zooop_nb.sandbox.world import World

KIND_OF_PARAM = {
    "image_url": "image",
    "image_urls": "image",
    "first_frame": "image",
    "last_frame": "image",
    "mask_url": "image",
    "video_url": "video",
    "audio_url": "audio",
}
"""The kind of media that a param type accepts. Types not listed accept any."""


@dataclass(frozen=True, slots=True)
class Order:
    """A valid body: the resolved model and params, the input files and the price."""

    resolved: Resolved
    media: dict[str, tuple[Asset, ...]]
    """Media param -> the files behind its URLs, in order."""
    price: Price

    def fingerprint(self) -> str:
        """Return a digest that is equal for equal orders, wherever their files are stored."""
        params: dict[str, object] = dict(self.resolved.params)
        params |= {param: [asset.sha256 for asset in files] for param, files in self.media.items()}
        recipe = self.resolved.recipe.slug if self.resolved.recipe else None
        target = [self.resolved.model.id, self.resolved.version.id, recipe, params]
        return hashlib.sha256(json.dumps(target, sort_keys=True, default=str).encode()).hexdigest()

    def work(self, nth: int) -> Work:
        """Return the work to render; `nth` is the number of equal orders before this one.

        Repeating an order gives a different picture each time, and each of them is reproducible. With a
        `seed` param, `nth` is ignored.
        """
        if self.resolved.params.get("seed") is not None:
            nth = 0
        digest = hashlib.sha256(f"{self.fingerprint()}/{nth}".encode()).digest()
        return work_order(self.resolved, seed=int.from_bytes(digest[:6], "big"))

    def with_inputs(self, work: Work) -> Work:
        """Return the work with its input files read from disk."""
        inputs = {
            param: tuple(asset.file.read_bytes() for asset in files) for param, files in self.media.items()
        }
        return replace(work, inputs=inputs)


def read_order(
    body: object, catalogue: Catalogue, world: World, assets: Assets, hosts: frozenset[str]
) -> Order:
    """Resolve, check and price a body. Raises Refusal if it is invalid."""
    resolved = resolve(catalogue, body, disabled=world.disabled, hidden=world.hidden)
    media: dict[str, tuple[Asset, ...]] = {}
    seconds: dict[str, float] = {}
    frames: dict[str, int] = {}
    types = {param["id"]: param["type"] for param in resolved.specs}
    for param, urls in media_urls(resolved).items():
        kind = KIND_OF_PARAM.get(types.get(param, ""))
        media[param] = tuple(_own_file(url, param, kind, assets, hosts) for url in urls)
        for url, asset in zip(urls, media[param], strict=True):
            if asset.facts is not None and asset.facts.seconds is not None:
                seconds[url] = asset.facts.seconds
            if asset.facts is not None and asset.facts.frames is not None:
                frames[url] = asset.facts.frames
    return Order(resolved, media, price(resolved, seconds, frames))


def _own_file(url: str, param: str, kind: str | None, assets: Assets, hosts: frozenset[str]) -> Asset:
    try:
        asset = assets.find(url, hosts)
    except ForeignUrlError:
        raise Refusal(
            400,
            "invalid_payload",
            f'Param "{param}" takes only ZOOOP-hosted URLs. Send the file to POST /v1/uploads first, '
            "and use the url in its response.",
            param=param,
        ) from None
    if asset is None:
        raise Refusal(400, "invalid_payload", f'Param "{param}": there is no file at {url}.', param=param)
    found = asset.content_type.split("/")[0]
    if kind is not None and found != kind:
        raise Refusal(
            400,
            "invalid_payload",
            f'Param "{param}" takes {kind} files; {url} is {asset.content_type}.',
            param=param,
        )
    return asset
