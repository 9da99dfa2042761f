"""How the tests check types at run time: beartype, where a whole number is a float and a scalar of NumPy an array."""

import numpy as np
from beartype import BeartypeConf, BeartypeDecorPlace, FrozenDict, beartype

WIDER = {
    bool: bool | np.bool_,
    int: int | np.integer,
    float: float | int | np.floating | np.integer,
    complex: complex | float | int | np.number,
    np.ndarray: np.ndarray | np.generic,
}
CONF = BeartypeConf(
    hint_overrides=FrozenDict(WIDER), claw_is_pep526=False, claw_decor_place_func=BeartypeDecorPlace.FIRST
)
typed = beartype(conf=CONF)
