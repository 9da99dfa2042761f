"""The JSON schema of configs, for editors and other programs."""

from __future__ import annotations

from typing import Any

from ds3sim.config.tables import Config


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the configs of all commands.

    What a command needs is not in it: a key may come from an axis of [sweep], and a table may belong to another
    command. Keys that do not go together are refused when a config is read.

    Example:
        >>> import ds3sim as ds
        >>> ds.schema()["properties"]["seed"]["default"]
        0
    """
    return _loose(Config.model_json_schema())


def _loose(node: Any) -> Any:
    """Without ``required``; of several kinds of a table, any that fits: ``kind`` may be left out."""
    if isinstance(node, list):
        return [_loose(item) for item in node]
    if not isinstance(node, dict):
        return node
    renamed = {"anyOf" if key == "oneOf" else key: value for key, value in node.items()}
    idle = {"discriminator"} | ({"required"} if isinstance(node.get("required"), list) else set())
    return {key: _loose(value) for key, value in renamed.items() if key not in idle}
