"""The v1 API as data: categories, shapes, error codes and the OpenAPI document. No I/O."""
