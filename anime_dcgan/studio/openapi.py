"""The OpenAPI document, from which clients are generated."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from anime_dcgan.studio.schemas import Problem
from anime_dcgan.studio.security import SAFE_METHODS

SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "the token of a studio that is open to other machines",
    },
    "change": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Studio",
        "description": "the value 1, in every request that changes something",
    },
}


def operation_id(route: Any) -> str:
    """Return the name of a route's function, from which clients derive their own."""
    return route.name


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the app, which is made once."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            separate_input_output_schemas=app.separate_input_output_schemas,
        )
        components = app.openapi_schema["components"]
        components["schemas"]["Problem"] = Problem.model_json_schema()
        components["securitySchemes"] = SECURITY_SCHEMES
        for path in app.openapi_schema["paths"].values():
            for method, operation in path.items():
                operation["security"] = _security(method.upper())
    return app.openapi_schema


def _security(method: str) -> list[dict[str, list[str]]]:
    """Return the alternatives: with a token or, on this machine, without one."""
    change: dict[str, list[str]] = {} if method in SAFE_METHODS else {"change": []}
    return [change, {**change, "token": []}]
