"""The v1 API as data: categories, shapes, codes, limits, the Backend protocol, openapi.yaml. No I/O."""
