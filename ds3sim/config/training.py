"""From a config with [model] to a training."""

from __future__ import annotations

from ds3sim.config.models import TripartiteModel
from ds3sim.config.tables import Config
from ds3sim.core.errors import require


def trained_model(config: Config) -> TripartiteModel:
    """The [model] table of the training side.

    Raises:
        InputError: the config has none, or one of another kind.
    """
    origin, model = config.origin, config.model
    need = 'add it, with kind = "tripartite" and training_flops = 1e24'
    require(model is not None, f"{origin.source}: has no [model]: {need}")
    require(
        isinstance(model, TripartiteModel),
        f"{origin.place(('model', 'kind'))}: model.kind = 'loss': training needs kind = \"tripartite\"",
    )
    assert isinstance(model, TripartiteModel)
    return model
