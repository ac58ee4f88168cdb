"""A front end whose cell and answers the test writes."""

from zooop_nb.orders.order import Origin
from zooop_nb.tasks.batch import PricedBatch


class ScriptedFrontend:
    """Keeps the questions, and gives the answer that the test has set."""

    def __init__(self) -> None:
        self.here = Origin()
        self.answer: bool | None = None
        self.questions: list[str] = []

    def origin(self) -> Origin:
        return self.here

    def announce(self, batch: PricedBatch) -> None:
        """Nothing is shown."""

    def ask(self, question: str) -> bool | None:
        self.questions.append(question)
        return self.answer

    def run_cell(self, cell: str, run: str, notebook: str | None = "a.ipynb") -> None:
        """From now on orders are written in this cell, by this run of it."""
        self.here = Origin(notebook=notebook, cell=cell, execution=run)
