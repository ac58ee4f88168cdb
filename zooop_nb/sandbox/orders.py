"""From a body to a priced order: what `POST /v1/quote` and `POST /v1/tasks` share."""

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
"""What a media param takes. A type that is not here takes any."""


@dataclass(frozen=True, slots=True)
class Order:
    """A body that is fine: what runs, with which params, on which of the sandbox's own files."""

    resolved: Resolved
    media: dict[str, tuple[Asset, ...]]
    """Media param -> the files behind its URLs, in their order."""
    price: Price

    def fingerprint(self) -> str:
        """The same for orders that ask for the same thing, wherever their files lie."""
        params: dict[str, object] = dict(self.resolved.params)
        params |= {param: [asset.sha256 for asset in files] for param, files in self.media.items()}
        recipe = self.resolved.recipe.slug if self.resolved.recipe else None
        target = [self.resolved.model.id, self.resolved.version.id, recipe, params]
        return hashlib.sha256(json.dumps(target, sort_keys=True, default=str).encode()).hexdigest()

    def work(self, nth: int) -> Work:
        """What to render. An order sent again gives another picture, and each of them is repeatable:
        `nth` (from 0) counts the equal orders before. A `seed` among the params settles it alone.
        """
        if self.resolved.params.get("seed") is not None:
            nth = 0
        digest = hashlib.sha256(f"{self.fingerprint()}/{nth}".encode()).digest()
        return work_order(self.resolved, seed=int.from_bytes(digest[:6], "big"))

    def with_inputs(self, work: Work) -> Work:
        """The work with its files' bytes, read from disk."""
        inputs = {
            param: tuple(asset.file.read_bytes() for asset in files) for param, files in self.media.items()
        }
        return replace(work, inputs=inputs)


def read_order(
    body: object, catalogue: Catalogue, world: World, assets: Assets, hosts: frozenset[str]
) -> Order:
    """Resolve, check and price a body. Raises Refusal for everything that is wrong with it."""
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
            "and use the url that it answers.",
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
