"""The recycling solvers chosen by options in a solve of Firedrake's."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.firedrake
MUMPS = {"pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}


@pytest.mark.parametrize("preconditioner", [{"pc_type": "none"}, {"pc_type": "ilu"}, MUMPS])
@pytest.mark.parametrize("method", ["GCRODR", "DeflatedCG"])
def test_by_options_alone(method, preconditioner):
    import firedrake as fd

    mesh = fd.UnitSquareMesh(12, 12)
    space = fd.FunctionSpace(mesh, "CG", 1)
    u, v = fd.TrialFunction(space), fd.TestFunction(space)
    coefficient, answer = fd.Constant(1.0), fd.Function(space)
    x, y = fd.SpatialCoordinate(mesh)
    form = (1 + coefficient * x * y) * fd.inner(fd.grad(u), fd.grad(v)) * fd.dx
    problem = fd.LinearVariationalProblem(
        form, v * fd.dx, answer, fd.DirichletBC(space, 0, "on_boundary"), constant_jacobian=False
    )
    options = {
        "ksp_type": "python", "ksp_python_type": f"pdesolve.ksp.{method}", "ksp_rtol": 1e-10,
        "gcrodr_restart": 20, "gcrodr_recycle": 8,
        "deflated_cg_recycle": 8, "deflated_cg_directions": 16,
    }  # fmt: skip
    solver = fd.LinearVariationalSolver(
        problem, solver_parameters={**options, **preconditioner}, options_prefix=f"{method}_"
    )
    iterations = []
    for value in (1.0, 1.5, 2.0):
        coefficient.assign(value)
        solver.solve()
        iterations.append(solver.snes.ksp.getIterationNumber())
        exact = fd.Function(space)
        fd.solve(
            form == v * fd.dx, exact, problem.bcs,
            solver_parameters={"ksp_type": "preonly", **MUMPS},
        )  # fmt: skip
        assert fd.errornorm(exact, answer) < 1e-8 * fd.norm(exact)
    context = solver.snes.ksp.getPythonContext()
    if preconditioner is MUMPS:
        assert max(iterations) == 1
    else:
        assert iterations[2] < iterations[0]
        assert context.recycle_matvecs in {7, 8}


def test_a_plain_solve():
    import firedrake as fd

    space = fd.FunctionSpace(fd.UnitIntervalMesh(10), "CG", 1)
    u, v = fd.TrialFunction(space), fd.TestFunction(space)
    answer = fd.Function(space)
    fd.solve(
        (fd.inner(fd.grad(u), fd.grad(v)) + u * v) * fd.dx == v * fd.dx,
        answer,
        solver_parameters={
            "ksp_type": "python",
            "ksp_python_type": "pdesolve.ksp.GCRODR",
            "pc_type": "jacobi",
            "ksp_rtol": 1e-12,
        },
    )
    assert fd.errornorm(fd.Constant(1.0), answer) < 1e-10
