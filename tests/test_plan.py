"""A plan is one run as text: it means what it says, and says what is wrong with it."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import tomli_w

from fallline.averages import AVERAGES
from fallline.comparison import Study
from fallline.comparison.study import default_rates
from fallline.descent import descend
from fallline.errors import InputError
from fallline.executors import METHODS, usual
from fallline.losses import LOSSES, SquaredError
from fallline.objectives import Linear
from fallline.parts import SPANS, part
from fallline.penalties import L2, PENALTIES
from fallline.plan import BUDGETS, ORDERS, VARIANTS, WAYS, Plan, objective_of
from fallline.samplers import SAMPLERS
from fallline.schedules import SCHEDULES, Cosine, InverseTime
from fallline.steps import STEPS, Adam, Momentum
from fallline.stops import AnyOf, Diverged, Epochs

n, d = 50, 3
X = np.random.default_rng(0).normal(size=(n, d))
OBJECTIVE = Linear(X, X @ np.ones(d) + 0.1 * np.random.default_rng(1).normal(size=n), SquaredError(), L2(0.01))

READ = [
    (STEPS, "adam", {}, Adam()),
    (STEPS, " momentum : beta = 0.95 ", {}, Momentum(0.95)),
    (STEPS, "adam:beta1=0.5,beta2=.9", {}, Adam(0.5, 0.9)),
    (STEPS, "adam:", {}, Adam()),
    (SCHEDULES, "cosine", {"rate": 0.5, "steps": 7}, Cosine(0.5, 7)),
    (SCHEDULES, "cosine:steps=1e2", {"rate": 0.5, "steps": 7}, Cosine(0.5, 100)),
    (SCHEDULES, "inverse_time:decay=2", {"rate": 0.5, "steps": 7}, InverseTime(0.5, 2.0)),
    (PENALTIES, "l2:alpha=3", {"alpha": 1.0}, L2(3.0)),
]


@pytest.mark.parametrize(("table", "text", "defaults", "expected"), READ)
def test_a_part_is_read_from_its_name_and_settings(table, text, defaults, expected):
    made = part(table, text, "part", **defaults)
    assert made == expected
    assert type(made) is type(expected)  # parts of different types may be equal as tuples
    assert [type(value) for value in made] == [type(value) for value in expected]


REFUSED = [
    (STEPS, "adm", "step rule", ['no step rule "adm"', 'did you mean "adam"', "momentum"]),
    (STEPS, "zzz", "step rule", ['"zzz"', "plain"]),
    (STEPS, "adam:beta=0.9", "step rule", ['no field of adam "beta"', "did you mean", "beta1, beta2, eps"]),
    (STEPS, "adam:beta1=high", "step rule", ['beta1="high"', "no number"]),
    (STEPS, "adam:0.9", "step rule", ['"0.9"', "adam:field=value"]),
    (STEPS, "adam:beta1=nan", "step rule", ["beta1=nan", "at least 0 and below 1"]),
    (STEPS, "adam:beta1=1", "step rule", ["beta1=1", "below 1"]),
    (STEPS, "momentum:beta=-0.1", "step rule", ["beta=-0.1", "at least 0"]),
    (SCHEDULES, "step:every=0", "schedule", ["every=0", "at least 1"]),
    (SCHEDULES, "step:every=2.5", "schedule", ["every=2.5", "whole number"]),
    (SCHEDULES, "warm_restarts:period=0", "schedule", ["period=0", "at least 1"]),
    (SCHEDULES, "constant:rate=0.5", "schedule", ["rate", "--rate"]),
    (ORDERS, "shuffled:batch=5", "sampler", ["batch", "--batch-size"]),
    (ORDERS, "shuffled:seed=5", "sampler", ["seed", "--seeds"]),
    (ORDERS, "batch", "sampler", ['"batch"', "shuffled"]),
    (LOSSES, "quantile:level=1", "loss", ["level=1", "above 0 and below 1"]),
    (LOSSES, "huber:delta=0", "loss", ["delta=0", "above 0"]),
    (LOSSES, "huber:delta=inf", "loss", ["delta=inf", "above 0"]),
    (LOSSES, "tweedie:power=2", "loss", ["power=2", "above 1 and below 2"]),
    (PENALTIES, "l2:alpha=-1", "penalty", ["alpha=-1", "at least 0"]),
    (PENALTIES, "elasticnet:l1_ratio=1.5", "penalty", ["l1_ratio=1.5", "at most 1"]),
    (AVERAGES, "tail:share=0", "average", ["share=0", "above 0"]),
]


@pytest.mark.parametrize(("table", "text", "kind", "named"), REFUSED)
def test_a_wrong_part_is_refused_in_one_sentence_that_helps(table, text, kind, named):
    with pytest.raises(InputError) as refusal:
        part(table, text, kind)
    for words in named:
        assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("table", [WAYS, SCHEDULES, LOSSES, PENALTIES, AVERAGES, ORDERS])
def test_every_setting_of_every_part_has_a_span_that_holds_its_default(table):
    for name, made in table.items():
        for field, value in made._field_defaults.items():
            if field not in ("seed",) and not math.isnan(value):  # no number: to be found out
                assert float(value) in SPANS.get(f"{name}.{field}", SPANS.get(field)), f"{name}:{field}"


def test_the_order_of_rows_is_never_that_of_batch_descent():
    assert set(SAMPLERS) - set(ORDERS) == {"batch"}


PARTS = [
    *[{"step": step, "rate": 1.0 if step == "adadelta" else 0.005} for step in STEPS],  # it makes its own length
    *[{"schedule": schedule} for schedule in SCHEDULES],
    *[{"schedule": schedule, "warmup": 5} for schedule in SCHEDULES],
    *[{"average": average} for average in AVERAGES],
    *[{"sampler": sampler} for sampler in ORDERS],
    {"clip_norm": 0.5},
    {"clip_value": 0.5},
    {"clip_norm": 0.5, "clip_value": 0.5, "step": "adam"},
]


@pytest.mark.parametrize("settings", PARTS, ids=lambda settings: " ".join(map(str, settings.values())))
def test_a_plan_walks_down_whatever_its_parts(settings):
    plan = Plan(**{"step": "plain", "rate": 0.005, "amount": 20, "batch_size": 10, **settings})
    run = plan.run(OBJECTIVE)
    assert not run.diverged
    assert run.trace.last("loss") < 0.97 * run.trace["loss"][0]
    assert run.trace.last("t") == 100


AMOUNTS = {"epochs": [1, 2.5, 7], "updates": [1, 3, 40], "visits": [1, 50, 130], "seconds": [0.002]}


@pytest.mark.parametrize(("budget", "amount"), [(b, a) for b in BUDGETS for a in AMOUNTS[b]])
def test_budgets_are_kept_to_the_step(budget, amount):
    for variant, looks in itertools.product(VARIANTS, (0, 1, 10)):
        plan = Plan("plain", variant, batch_size=8, budget=budget, amount=amount, rate=0.01)
        run = plan.run(OBJECTIVE, looks)
        t, visits = run.trace.last("t"), run.trace.last("visits")
        size = plan.size(n)
        if budget == "updates":
            assert t == amount
        elif budget == "seconds":
            assert run.trace.last("seconds") >= amount
        else:
            wanted = amount if budget == "visits" else amount * n
            assert wanted <= visits < wanted + size
        assert run.reason.startswith(("made its", "used its"))


def test_variants_are_given_equally_many_row_visits():
    visits = [
        Plan("plain", variant, batch_size=8, amount=6).run(OBJECTIVE).trace.last("visits") for variant in VARIANTS
    ]
    assert visits == [6 * n] * 3


def test_horizons_of_schedules_are_the_length_of_the_run():
    for variant, steps in (("batch", 10), ("stochastic", 500), ("mini-batch", 70)):
        plan = Plan("plain", variant, batch_size=8, schedule="polynomial", rate=0.01, amount=10)
        assert plan.updates(n) == steps
        rates = plan.run(OBJECTIVE).trace["rate"][1:]
        assert rates[-1] == pytest.approx(0.01 / steps)
        assert (np.diff(rates) <= 0).all()


NAMES = [
    (Plan("plain"), "mini-batch 32 · rate 0.01"),
    (Plan("plain", "batch", rate=1 / 3), "batch · rate 0.333"),
    (Plan("adam:beta1=0.8", "stochastic", rate=1e-5), "stochastic · adam:beta1=0.8 · rate 1e-05"),
    (Plan("plain", batch_size=8, schedule="cosine", average="tail"), "mini-batch 8 · cosine · tail · rate 0.01"),
]


@pytest.mark.parametrize(("plan", "name"), NAMES)
def test_a_plan_is_called_by_what_sets_it_apart(plan, name):
    assert plan.name == name
    assert plan.name == f"{plan.kind} · rate {plan.rate:.3g}"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"variant": "minibatch"}, ['"minibatch"', 'did you mean "mini-batch"']),
        ({"budget": "steps"}, ['"steps"', "updates"]),
        ({"rate": 0.0}, ["rate is 0", "above zero"]),
        ({"rate": math.nan}, ["rate is nan"]),
        ({"amount": math.inf}, ["amount is inf", "finite"]),
        ({"batch_size": 0}, ["batch size is 0"]),
        ({"clip_norm": -1.0}, ["clip norm is -1"]),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(settings, named):
    with pytest.raises(InputError) as refusal:
        Plan(**{"step": "plain", **settings})
    for words in named:
        assert words in str(refusal.value)


def test_a_plan_is_the_same_run_every_time_and_another_with_another_seed():
    def losses(seed):
        return Plan(seed=seed, step="adam", batch_size=8, amount=5).run(OBJECTIVE, looks=3).trace["loss"]

    np.testing.assert_array_equal(losses(1), losses(1))
    assert losses(1)[-1] != losses(2)[-1]
    assert Plan("plain").chance(OBJECTIVE)
    assert not Plan("plain", "batch").chance(OBJECTIVE)
    assert not Plan("plain", sampler="in_order").chance(OBJECTIVE)
    assert not Plan().chance(OBJECTIVE)  # few rows: exact Newton steps on all of them


def test_a_plan_that_names_no_step_is_the_automatic_solver_and_needs_nothing():
    run = Plan().run(OBJECTIVE)
    assert "estimated excess" in run.reason
    np.testing.assert_array_equal(run.w, Plan("auto", seed=3).run(OBJECTIVE).w)  # all rows: no chance in it
    assert run.trace.last("loss") <= min(
        Plan("plain", rate=rate).run(OBJECTIVE).trace["loss"].min() for rate in (0.1, 0.3)
    )
    assert "bound" not in run.trace.about
    assert Plan(certify=True).run(OBJECTIVE).trace.about["bound"] < 1e-9


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rate": 0.1}, "takes no rate"),
        ({"variant": "batch"}, "takes no variant"),
        ({"batch_size": 8}, "takes no batch size"),
        ({"sampler": "in_order"}, "takes no sampler"),
        ({"schedule": "cosine"}, "takes no schedule"),
        ({"warmup": 3}, "takes no warmup"),
        ({"average": "tail"}, "takes no average"),
        ({"clip_norm": 1.0}, "takes no clip norm"),
        ({"clip_value": 1.0}, "takes no clip value"),
        ({"tol": 0.0}, "tol is 0"),
        ({"step": "adam", "tol": 1e-3}, "tol is for the automatic solver"),
        ({"step": "saga", "certify": True}, "certify is for the automatic solver"),
    ],
)
def test_the_solver_and_the_rules_refuse_each_others_settings_by_name(settings, named):
    with pytest.raises(InputError, match=named):
        Plan(**settings)


METHOD_PLANS = {
    "saga": ("stochastic", 1, "with_replacement"),
    "sdca": ("stochastic", 1, "shuffled"),
    "lbfgs": ("batch", 32, "shuffled"),
    "dog": ("mini-batch", 16, "shuffled"),
}


@pytest.mark.parametrize("step", METHOD_PLANS)
def test_a_method_brings_its_own_rows_and_rate(step):
    plan = Plan(step, amount=4)
    assert (plan.variant, plan.batch_size, plan.sampler) == METHOD_PLANS[step]
    own = usual(METHODS[step](), OBJECTIVE, seed=plan.seed)
    same = descend(OBJECTIVE, **own, stop=AnyOf((Diverged(), Epochs(4.0))), every=50 if step != "lbfgs" else 1)
    np.testing.assert_array_equal(plan.run(OBJECTIVE).w, same.w)


def test_a_method_takes_what_it_is_given_and_refuses_what_it_cannot_honour():
    assert Plan("saga", rate=0.01, amount=1).run(OBJECTIVE).trace.last("rate") == 0.01
    assert Plan("dog:reach=0.1", batch_size=8, amount=1).run(OBJECTIVE).trace.last("t") == 7
    with pytest.raises(InputError, match="needs all 50 rows"):
        Plan("lbfgs", variant="mini-batch").run(OBJECTIVE)


PLANS = [Plan(), Plan(certify=True, tol=1e-6, seed=3), Plan("plain"), Plan("adam", "batch", rate=0.3), Plan("saga"),
         Plan("lbfgs:history=5", amount=2.5), Plan("plain", clip_norm=2.0, average="tail", schedule="cosine")]  # fmt: skip


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_plan_survives_being_written_as_toml(plan):
    import tomllib

    assert Plan(**tomllib.loads(tomli_w.dumps(plan.as_dict()))) == plan
    assert replace(plan, seed=9).seed == 9


def test_classes_of_softmax_may_be_absent_from_the_rows():
    assert objective_of(X, np.arange(n) % 2, "softmax", "l2", 0.1, 0.0, 4).classes == 4


STUDIES = [
    Study(),
    Study(
        variants=("batch",), steps=("plain", "adam:beta1=0.8"), rates=(0.1, 0.2), batch_sizes=(8, 16), schedules=("cosine",),
        average="tail", sampler="in_order", warmup=3, clip_norm=1.0, clip_value=2.0, loss="huber:delta=2", penalty="l1",
        alpha=0.5, l1_ratio=0.5, seeds=2, final_seeds=4, budget="updates", amount=100.0, automatic=False, baselines=False,
        plane=("a", "b"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_survives_being_written_as_toml(study):
    import tomllib

    assert Study.from_dict(tomllib.loads(tomli_w.dumps(study.as_dict()))) == study


def test_one_of_a_study_is_a_list_of_one():
    assert Study(variants="batch", steps="adam", rates=0.1, batch_sizes=8, schedules="cosine") == Study(
        variants=["batch"], steps=["adam"], rates=[0.1], batch_sizes=[8], schedules=["cosine"]
    )


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"variants": ()}, ["variants", "empty"]),
        ({"variants": ("batch", "full")}, ['"full"', "stochastic"]),
        ({"steps": ("adan",)}, ['"adan"', '"adam"']),
        ({"schedules": ("cosin",)}, ['"cosin"', '"cosine"']),
        ({"loss": "log_los"}, ['"log_los"', '"log_loss"']),
        ({"penalty": "l3"}, ['"l3"']),
        ({"average": "mean"}, ['"mean"']),
        ({"sampler": "batch"}, ['"batch"', "shuffled"]),
        ({"rates": (0.1, -0.1)}, ["rate is -0.1"]),
        ({"rates": (math.inf,)}, ["rate is inf", "finite"]),
        ({"batch_sizes": (0,)}, ["batch size is 0"]),
        ({"batch_sizes": (2.5,)}, ["batch size is 2.5", "whole"]),
        ({"seeds": 0}, ["seeds is 0"]),
        ({"final_seeds": 0}, ["final seeds is 0"]),
        ({"warmup": -1}, ["warmup is -1"]),
        ({"amount": math.nan}, ["epochs is nan"]),
        ({"budget": "seconds"}, ["seconds", "amount"]),
        ({"alpha": -1.0}, ["alpha is -1"]),
        ({"alpha": math.nan}, ["alpha is nan"]),
        ({"l1_ratio": 2.0}, ["l1_ratio is 2"]),
        ({"plane": ("a",)}, ["1 columns", "two"]),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(settings, named):
    with pytest.raises(InputError) as refusal:
        Study(**settings)
    for words in named:
        assert words in str(refusal.value)


def limit_of(rows):
    return 0.5 * rows**0.5


def test_a_study_tries_every_setting_at_every_rate():
    study = Study(
        steps=("plain", "adam"), schedules=("constant", "cosine"), batch_sizes=(8, 16), amount=3, automatic=False
    )
    plans = study.plans(n, d, limit_of)
    assert len(plans) == len(set(plans)) == (5 + 6 + 2 * 5) * 2 + (4 * 5) * 2  # plain, then adam, under two schedules
    assert {(p.budget, p.amount) for p in plans} == {("epochs", 3.0)}
    assert len({p.kind for p in plans}) == 4 * 2 * 2
    few = Study(rates=(0.1, 0.2, 0.1), batch_sizes=(60, 70)).plans(n, d, limit_of)
    assert [(p.variant, p.batch_size, p.rate) for p in few if p.variant == "mini-batch"] == [
        ("mini-batch", n, 0.1),
        ("mini-batch", n, 0.2),
    ]


def test_default_rates_lie_around_the_stable_limit_or_at_the_rules_own_scale():
    assert default_rates("plain", 2.0, n) == pytest.approx([0.06, 0.2, 0.6, 1.8, 2.4])
    assert default_rates("plain", 2.0, 1)[0] == pytest.approx(0.02)
    assert default_rates("momentum: beta = 0.5", 2.0, n) == pytest.approx([0.03, 0.1, 0.3, 0.9, 1.2])
    assert default_rates("momentum", 2.0, n) == pytest.approx([0.006, 0.02, 0.06, 0.18, 0.24])
    for step in STEPS:
        rates = default_rates(step, 2.0, n)
        assert len(rates) >= 5
        assert min(rates) > 0
        assert max(rates) / min(rates) >= 10


def test_the_default_budget_shrinks_with_the_table():
    passes = [Study().passes(n, 20) for n in (100, 1_000_000, 100_000_000)]
    assert passes[0] == 50
    assert passes[0] > passes[1] > passes[2] == 5
