"""Personal features: what is known of a subject, and the one-hot columns that tell it."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = [
    "AGES",
    "COMPLEXIONS",
    "GENDERS",
    "PERSONAL_COLUMNS",
    "PERSONAL_FEATURES",
    "PERSONAL_VALUES",
    "Age",
    "Complexion",
    "Gender",
]

Complexion = Literal["pale-fair", "fair-olive", "olive-dark"]
Age = Literal["young", "middle-aged", "elderly"]
Gender = Literal["female", "male"]
COMPLEXIONS: Final = get_args(Complexion)
AGES: Final = get_args(Age)
GENDERS: Final = get_args(Gender)

#: Values of each feature (Liu et al. 2017, section 3.1: 3 + 3 + 2 one-hot).
PERSONAL_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "complexion": COMPLEXIONS,
    "age": AGES,
    "gender": GENDERS,
}
#: Names of the eight one-hot columns, in order.
PERSONAL_FEATURES: Final = tuple(
    f"{feature}={value}" for feature, values in PERSONAL_VALUES.items() for value in values
)
#: Columns of each feature among the eight.
PERSONAL_COLUMNS: Final = {
    feature: [i for i, name in enumerate(PERSONAL_FEATURES) if name.startswith(f"{feature}=")]
    for feature in PERSONAL_VALUES
}
