"""A local ZOOOP: the v1 API as a real server with state, and real media made on this machine.

It is a second, independent reading of the specification: of the package's own modules it imports only
the list of categories and `contract/openapi.yaml`, never the client's shapes or rules, for then their
mistakes would agree. Prices, timings, models' behaviour and pictures are made up here.

Start it with `python -m zooop_nb sandbox`, or from Python with `zooop_nb.sandbox.process.SandboxProcess`.
"""
