"""The settings as traitlets, so that `%config Zooop` lists them and `ipython_config.py` sets them."""

from collections.abc import Mapping
from typing import Any

from traitlets import TraitType, Unicode
from traitlets.config import Configurable

from zooop_nb.settings import SETTINGS


def _trait(name: str) -> TraitType[Any, Any]:
    setting = SETTINGS[name]
    help = f"{setting.help} Also {setting.variable}."
    return Unicode(None, allow_none=True, help=help).tag(config=True)


class Zooop(Configurable):
    """The settings of zooop-nb. None leaves a setting to the environment and the default."""

    host = _trait("host")
    home = _trait("home")
    ledger = _trait("ledger")
    media = _trait("media")
    confirm = _trait("confirm")
    budget = _trait("budget")
    credit_price = _trait("credit_price")
    concurrency = _trait("concurrency")
    notebook = _trait("notebook")
    nested_loops = _trait("nested_loops")

    def given(self) -> Mapping[str, object]:
        """Return the settings that were set here."""
        return {name: getattr(self, name) for name in SETTINGS if getattr(self, name) is not None}
