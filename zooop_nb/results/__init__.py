"""What came back: plain values, and how they display themselves.

Importing any module of this package registers the renderers, so a value that is unpickled in a new process
displays itself too.
"""

from zooop_nb.results import render as _render
from zooop_nb.results.mimebundle import mimebundle as _mimebundle

for _kind, _renderer in _render.RENDERERS.items():
    _mimebundle.register(_kind, _renderer)
