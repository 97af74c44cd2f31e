import pytest

from tests.pdesolve.sequences.lagged_systems import LaggedSystems


@pytest.fixture
def sequence():
    made = []

    def make(grid, options, settings):
        made.append(LaggedSystems(grid, options, settings))
        return made[-1]

    yield make
    for item in made:
        item.close()
