"""A local ZOOOP: the v1 API as a real, stateful server that generates real media on this machine.

It is a second, independent implementation of the specification: from the rest of the package it uses only
the list of categories and `contract/openapi.yaml`, never the client's types or rules, because shared code
would share its mistakes. Prices, timings, model behaviour and pictures are made up here.

Start it with `python -m zooop_nb sandbox`, or from Python with `zooop_nb.sandbox.process.SandboxProcess`.
"""
