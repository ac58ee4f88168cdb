"""Which shape reads the response of each operation, and what a shape loses of a response."""

from typing import Any

from zooop_nb.contract import shapes

OF_OPERATION: dict[str, type[shapes.Shape]] = {
    "me": shapes.Me,
    "listModels": shapes.ModelList,
    "listTools": shapes.ToolList,
    "getTool": shapes.Recipe,
    "listTemplates": shapes.TemplateList,
    "getTemplate": shapes.Recipe,
    "quote": shapes.Quote,
    "submitTask": shapes.Submitted,
    "getTask": shapes.TaskState,
    "upload": shapes.Uploaded,
    "getUpload": shapes.Uploaded,
    "describeImage": shapes.Description,
}


def lost_fields(body: Any, held: Any) -> list[str]:
    """Return the fields of a body that the shape lost."""
    if isinstance(body, dict):
        lost = []
        for name, value in body.items():
            if isinstance(held, dict) and name in held:
                lost += [f"{name}.{each}" for each in lost_fields(value, held[name])]
            elif value not in (None, "", False, [], {}, "queued", True):
                lost.append(name)
        return lost
    if isinstance(body, list) and isinstance(held, list) and len(body) == len(held):
        return [lost for one, other in zip(body, held, strict=True) for lost in lost_fields(one, other)]
    return [] if body == held else [repr(body)]
