"""How the tests check types at run time: beartype, where a whole number is a float and a scalar of NumPy an array."""

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype

WIDER = {
    bool: bool | np.bool_,
    int: int | np.integer,
    float: float | int | np.floating | np.integer,
    complex: complex | float | int | np.number,
    np.ndarray: np.ndarray | np.generic,
}
typed = beartype(conf=BeartypeConf(hint_overrides=FrozenDict(WIDER)))
