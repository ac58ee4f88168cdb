"""Where the magic is in its cell: whether IPython displays its value, or nothing would.

IPython displays the value of a cell's last expression only. A picture that was paid for should also be seen
if it is made earlier in a cell or in a loop, and never twice.
"""

import ast
import sys
from types import FrameType
from typing import Any, Literal

CellPosition = Literal["out", "bare", "used"]
"""`out`: IPython displays the value. `bare`: it is discarded. `used`: assigned, passed on, or not known."""


def cell_position(
    source: str | None, lineno: int | None, *, interactivity: str = "last_expr"
) -> CellPosition:
    """Return the position of a call of the magic at line `lineno` of the transformed cell `source`."""
    if source is None or lineno is None:
        return "used"
    try:
        body = ast.parse(source).body
    except SyntaxError:
        # IPython compiles top-level `await` and the like itself; without a tree the position is not known.
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
    """Return the line of the running cell that called the magic; None if another cell's function did."""
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
