"""What one order of every category makes, read back with Pillow and PyAV: the sandbox README's table.

    python -m tests.sandbox.facts            prints the table
    python -m tests.sandbox.facts --write    writes it to zooop_nb/sandbox/README.md

For each category its first model is ordered with only its required params. Sizes in bytes differ slightly
between releases of the encoders; everything else is checked against the table by `test_server_categories.py`.
"""

import io
import sys
import time
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import httpx
from PIL import Image

import zooop_nb.sandbox
from tests.support import samples
from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.sandbox.process import SandboxProcess

README = Path(zooop_nb.sandbox.__file__).with_name("README.md")
HEAD = "| category | model | delivered as | what is in it | seconds | bytes |\n" + "| --- " * 6 + "|"
MEDIA = {
    "image_url": "image",
    "image_urls": "image",
    "first_frame": "image",
    "last_frame": "image",
    "mask_url": "image",
    "video_url": "video",
    "audio_url": "audio",
    "voice": "audio",
}


@dataclass(frozen=True)
class Facts:
    """One row of the table."""

    category: str
    model: str
    delivered: str
    content: str
    seconds: float | None
    size: int

    def cells(self) -> list[str]:
        length = "" if self.seconds is None else f"{self.seconds:.2f}"
        return [self.category, self.model, self.delivered, self.content, length, str(self.size)]

    def row(self) -> str:
        return f"| {' | '.join(self.cells())} |"


def filled(params: list[dict[str, Any]], uploads: dict[str, str]) -> dict[str, Any]:
    """Return params for an order, as a caller who knows only the schema would fill them in."""
    sent: dict[str, Any] = {}
    for param in (param for param in params if param["required"]):
        listed = param.get("options") or param.get("enumValues")
        if "default" in param:
            sent[param["id"]] = param["default"]
        elif listed:
            sent[param["id"]] = listed[0]["value"] if isinstance(listed[0], dict) else listed[0]
        elif param["type"] in MEDIA:
            url = uploads[MEDIA[param["type"]]]
            sent[param["id"]] = [url] if param["type"].endswith("s") else url
        else:
            sent[param["id"]] = "a red panda sings in the rain"
    return sent


def read(category: str, model: str, url: str) -> Facts:
    """Download an output and read it back."""
    served = httpx.get(url, timeout=60).raise_for_status()
    data, media_type = served.content, served.headers["content-type"]
    seconds = None
    if media_type == "image/svg+xml":
        root = ElementTree.fromstring(data)
        paths = sum(1 for _ in root.iter("{http://www.w3.org/2000/svg}path"))
        content = f"SVG {root.get('width')}×{root.get('height')}, {'many' if paths > 20 else paths} paths"
    elif media_type.startswith("image/"):
        image = Image.open(io.BytesIO(data))
        image.load()
        content = f"{image.format} {image.mode} {image.width}×{image.height}"
    else:
        container: Any
        with av.open(io.BytesIO(data)) as container:
            assert container.duration is not None
            seconds = container.duration / av.time_base
            content = "; ".join(map(_stream, container.streams))
    return Facts(category, model, f"`{media_type}`, .{url.rsplit('.', 1)[1]}", content, seconds, len(data))


def _stream(stream: Any) -> str:
    codec = stream.codec_context.codec.canonical_name
    if stream.type == "video":
        rate = float(stream.average_rate)
        return f"{codec} {stream.width}×{stream.height} {stream.pix_fmt}, {rate:g} frames a second"
    return f"{codec} {stream.sample_rate} Hz, {stream.layout.name}"


def table_in_readme() -> dict[str, list[str]]:
    """Return the rows of the README's table, by category."""
    _, _, rest = README.read_text("utf-8").partition(HEAD)
    rows = takewhile(lambda line: line.startswith("|"), rest.strip().splitlines())
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: row for row in cells}


def main() -> None:
    rows = []
    with (
        SandboxProcess.start(speed=0) as sandbox,
        httpx.Client(
            base_url=sandbox.url, headers={"authorization": f"Bearer {sandbox.token}"}, timeout=60
        ) as http,
    ):

        def upload(data: bytes, content_type: str) -> str:
            answer = http.post("/v1/uploads", content=data, headers={"content-type": content_type}).json()
            while "url" not in answer:
                answer = http.get(f"/v1/uploads/{answer['uploadId']}").json() | {
                    "uploadId": answer["uploadId"]
                }
            return str(answer["url"])

        uploads = {
            "image": upload(samples.picture(), "image/png"),
            "audio": upload(samples.sound(), "audio/wav"),
            "video": upload(samples.clip(), "video/mp4"),
        }
        for category in CATEGORIES:
            listed = http.get("/v1/models", params={"type": category.type, "subtype": category.subtype})
            model = listed.json()["models"][0]
            body = {
                "interfaceId": model["id"],
                "versionId": model["versions"][0]["id"],
                "params": filled(model["params"], uploads),
            }
            task = http.post("/v1/tasks", json=body).json()
            while (done := http.get(f"/v1/tasks/{task['taskId']}").json())["status"] in ("queued", "running"):
                time.sleep(0.05)
            rows.append(read(str(category), model["name"], done["outputs"][0]["url"]).row())
    table = "\n".join([HEAD, *rows])
    if "--write" in sys.argv[1:]:
        before, head, rest = README.read_text("utf-8").partition(HEAD)
        assert head, "the README has no table of facts to put the new one in the place of"
        after = dropwhile(lambda line: line.startswith("|"), rest.strip().splitlines())
        README.write_text(f"{before}{table}\n" + "\n".join(after) + "\n", "utf-8")
    print(table)


if __name__ == "__main__":
    main()
