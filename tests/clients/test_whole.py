"""Nothing of openapi.yaml is lost in a generated client: no operation, no model, no property."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import DESCRIPTION

WHOLE: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
SCHEMAS: dict[str, Any] = WHOLE["components"]["schemas"]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _operations() -> list[str]:
    items = WHOLE["paths"].values()
    found = (entry.get("operationId") for item in items for entry in item.values() if isinstance(entry, dict))
    return [_snake(name) for name in found if name]


def _properties(schema: dict[str, Any]) -> Iterator[str]:
    """The properties of an object, those of its parts included."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[1]]
    yield from schema.get("properties", {})
    for part in schema.get("allOf", []):
        yield from _properties(part)


def _models() -> dict[str, list[str]]:
    models = {_snake(name): sorted(set(_properties(schema))) for name, schema in SCHEMAS.items()}
    return {name: properties for name, properties in models.items() if properties}


def test_the_python_client_has_every_operation(python_client: Path) -> None:
    made = {path.stem for path in (python_client / "api").glob("*/*.py")}
    assert [name for name in _operations() if name not in made] == []


def test_the_rust_client_has_every_operation(rust_client: Path) -> None:
    made = {name for path in (rust_client / "src/apis").glob("*.rs") for name in _functions(path)}
    assert [name for name in _operations() if name not in made] == []


def _functions(path: Path) -> list[str]:
    return re.findall(r"^pub fn (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_python_models_have_every_property(python_client: Path) -> None:
    for name, properties in _models().items():
        source = (python_client / "models" / f"{name}.py").read_text(encoding="utf-8")
        assert [each for each in properties if f'"{each}"' not in source] == [], name


def test_the_rust_models_have_every_property(rust_client: Path) -> None:
    for name, properties in _models().items():
        path = rust_client / "src" / "models" / f"{name}.rs"
        if name == "token_request":
            # A form: its fields are the arguments of the function.
            continue
        source = path.read_text(encoding="utf-8")
        assert [each for each in properties if f'rename = "{each}"' not in source] == [], name


@pytest.mark.parametrize("name", ["payment", "refund", "quote", "endpoint_with_secret", "event", "refund_request"])
def test_the_models_that_matter_are_among_them(name: str) -> None:
    assert len(_models()[name]) > 8
