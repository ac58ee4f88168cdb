"""`python -m zooop_nb.sandbox.catalogue [FOLDER]`: check the catalogue's files after an edit."""

import sys
from pathlib import Path

from zooop_nb.sandbox.catalogue import CatalogueError, load

if __name__ == "__main__":
    try:
        catalogue = load(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    except CatalogueError as error:
        sys.exit(f"{error}")
    counted = sum(len(catalogue.models(each.type, each.subtype)) for each in catalogue.categories)
    tools, templates = len(catalogue.tools(None)), len(catalogue.templates(None))
    sys.stdout.write(f"{counted} models, {tools} AI tools, {templates} templates: all is well.\n")
