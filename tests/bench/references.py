"""Twenty orders with one large picture: the time they take beside one order, and beside twenty on their own.

    python tests/bench/references.py [--orders 20] [--megabytes 36]

Each order is resolved (its picture hashed and decoded) and priced (uploaded and quoted) on a sandbox at speed
0, on a fresh ledger; nothing is submitted. Three ways in one run: one order; all orders side by side in one
call, which share what they can; and all of them each with a ledger and a store of its own, which share
nothing. The figures depend on this machine; the ratios say how much is shared. 1 would be everything.
"""

import argparse
import asyncio
import io
import os
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from zooop_nb import settings
from zooop_nb.client import LiveBackend
from zooop_nb.ledger import Ledger
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.inputs import MediaStore
from zooop_nb.orders.order import Origin
from zooop_nb.orders.pricing import price, resolve
from zooop_nb.orders.request import OrderRequest
from zooop_nb.sandbox.process import SandboxProcess

TOKEN = "zpk_test_bench"
QUOTES_AT_ONCE = 8


def picture(path: Path, megabytes: int) -> Path:
    """Write a PNG of about that size: noise, which does not compress."""
    side = int((megabytes * 1e6 / 3) ** 0.5)
    noise = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    out = io.BytesIO()
    noise.save(out, "PNG", compress_level=1)
    path.write_bytes(out.getvalue())
    # As a file from earlier: one that was just written is not relied on to be unchanged.
    os.utime(path, (time.time() - 3600,) * 2)
    return path


async def order(host: str, home: Path, path: Path, count: int) -> float:
    """Resolve and price `count` orders side by side in one call; return the seconds that they took."""
    backend = LiveBackend(settings.load(call={"host": host}, token=TOKEN, environ={}))
    home.mkdir()
    ledger = Ledger(home / "ledger.sqlite")
    store = MediaStore(backend, ledger, home / "params")
    catalogue = Catalogue(backend, home)
    requests = [
        OrderRequest("image", f"take {number}", params={"image_urls": path}, model="Seedream")
        for number in range(count)
    ]
    try:
        begin = time.perf_counter()
        call = store.for_call()
        orders = await asyncio.gather(*(resolve(each, catalogue, call, Origin()) for each in requests))
        slots = asyncio.Semaphore(QUOTES_AT_ONCE)
        await asyncio.gather(*(price(each, backend, call, slots) for each in orders))
        return time.perf_counter() - begin
    finally:
        await backend.aclose()
        ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=36)
    options = parser.parse_args()
    limits = {"quote": 1_000_000, "uploads": 1_000_000}
    world = {"tokens": [{"token": TOKEN, "balance": 1000}], "limits": limits}
    with tempfile.TemporaryDirectory() as folder, SandboxProcess.start(world=world, speed=0) as sandbox:
        home = Path(folder)
        path = picture(home / "large.png", options.megabytes)
        asyncio.run(order(sandbox.url, home / "warm", path, 1))
        one = asyncio.run(order(sandbox.url, home / "one", path, 1))
        shared = asyncio.run(order(sandbox.url, home / "shared", path, options.orders))
        apart = sum(
            asyncio.run(order(sandbox.url, home / f"apart{number}", path, 1))
            for number in range(options.orders)
        )
    print(f"one picture of {options.megabytes} MB; seconds until priced:")
    print(f"one order {one:.2f}; {options.orders} in one call {shared:.2f}; each by itself {apart:.2f}")
    print(f"{options.orders} in one call beside one order: ratio {shared / one:.2f}")
    print(f"each by itself beside {options.orders} in one call: ratio {apart / shared:.1f}")


if __name__ == "__main__":
    main()
