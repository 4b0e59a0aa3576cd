"""Every tolerance of the tests, each with its reason. A test that needs another one needs another reason."""

EXACT = 1e-12
"""The same formula in another order of additions: a few dozen roundings of 1e-16 on numbers near one."""

WALK = 1e-9
"""The same walk by two executors: roundings of 1e-16, each carried through up to twenty steps of a rule that divides by
the root of a small number."""

TORCH = 1e-10
"""Against torch.optim over 200 steps in float64. torch divides and takes roots in another order, and on a surface that
is not convex such roundings grow a thousandfold."""

TORCH_CLIP = 2e-6
"""torch's clip_grad_norm_ divides by the norm + 1e-6, ours by the norm: the same to 1e-6 of it."""

SLOPE_STEP = 1e-5
"""Of a central difference, in units of max(1, |z|): balances h²·f‴/6 ≈ 1e-11 against rounding 1e-16/h ≈ 1e-11."""

SLOPE = 1e-6
"""A central difference with that step agrees with a derivative near one to 1e-9 or better; losses reach 1e3 where the
tests look, and so does the rounding."""

AWAY = 1e-3
"""How far from a kink a numerical derivative is taken: a hundred of its steps."""

SINGLE = 1e-5
"""float32 data against float64: entries are off by 6e-8 of themselves, sums of a dozen by some times that."""

REST = 3e-5
"""Where a walk comes to rest, in units of the start's distance from optimality: a cosine schedule over ten thousand
steps makes the last ones 1e-8 of the first ones' length; Adadelta, the slowest, is then still 1e-5 away."""

REST_SIGN = 3e-3
"""The same for a rule that moves every coordinate by the whole rate: it hops about its resting point by the length of
its steps, and its last thousand steps cover what the rate still allows."""

REFERENCE = 1e-4
"""Coefficients of two solvers of one problem: strongly convex with modulus near 0.1, so a gradient right to 1e-5 leaves
the point right to 1e-4."""
