"""Where the magic stands in its cell: whether IPython shows its value, or nobody would.

IPython shows the value of a cell's last expression only. A picture that was paid for is worth seeing also
where it is made earlier in a cell or in a loop, and not worth seeing twice.
"""

import ast
import sys
from types import FrameType
from typing import Any, Literal

Placement = Literal["out", "bare", "used"]
"""`out`: IPython shows the value. `bare`: it is thrown away. `used`: assigned, passed on, or not known."""


def placement(source: str | None, lineno: int | None, *, interactivity: str = "last_expr") -> Placement:
    """Where a call of the magic at `lineno` of the transformed cell `source` stands."""
    if source is None or lineno is None:
        return "used"
    try:
        body = ast.parse(source).body
    except SyntaxError:
        # Top-level `await` and the like are IPython's to compile; without a tree nothing is claimed.
        return "used"
    shown = body if interactivity == "all" else body[-1:] if interactivity.startswith("last_expr") else []
    innermost: ast.stmt | None = None
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        if isinstance(node, ast.stmt) and node.lineno <= lineno <= (node.end_lineno or node.lineno):
            innermost = node
    if not isinstance(innermost, ast.Expr) or not _is_magic(innermost.value):
        return "used"
    return "out" if innermost in shown else "bare"


def line_of_caller(shell: Any) -> int | None:
    """The line of the running cell from which the magic was called; None where a function of another cell
    called it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        # `<module>`, or `<cell line: 1>` in older IPython.
        if frame.f_globals is shell.user_global_ns and frame.f_code.co_name.startswith("<"):
            return frame.f_lineno
        frame = frame.f_back
    return None


def _is_magic(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in {"run_line_magic", "run_cell_magic"}
    )
