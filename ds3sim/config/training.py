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


# ---- older names, for callers that are about to change ------------------------------------------


class TrainConfig:
    """A checked config."""

    def __init__(self, config: Config):
        self.name, self.seed, self.simulation = config.name, config.seed, config.simulation
        self.model, self.source = trained_model(config), config.origin.source


def read_train_config(path, overrides=()) -> TrainConfig:
    """The checked config of a TOML file."""
    from ds3sim.config.read import read_config

    return TrainConfig(read_config(path, overrides))


def trained(model: TripartiteModel):
    """The model after training."""
    return model.trained
