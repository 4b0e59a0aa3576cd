"""The real tables, raw, each with losses that fit: thirty and more tasks, lambda = 1/n.

They come from scikit-learn and from `../shared/data` (its README names sources); without that folder its tasks are left out,
and the table says so. Text columns become indicator columns; columns that leak the target are dropped.
"""

import gzip
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

import fallline
from fallline.losses import (
    AbsoluteError,
    EpsilonInsensitive,
    Gamma,
    Hinge,
    Huber,
    LogLoss,
    ModifiedHuber,
    Poisson,
    Quantile,
    Softmax,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
    Tweedie,
)
from tasks import Task

Array = np.ndarray[Any, Any]
Table = tuple[Any, Array]

SHARED = next(
    (p / "shared" / "data" for p in Path(__file__).resolve().parents if (p / "shared" / "data").is_dir()), None
)


class Entry(NamedTuple):
    """A table, a loss, and a name for both."""

    table: str
    loss: Any
    lasso: float = 0.0

    @property
    def name(self) -> str:
        """For the tables."""
        return f"{self.table}, {type(self.loss).__name__}{' L1' if self.lasso else ''}"

    def task(self) -> Task:
        """The task; raises FileNotFoundError where the data is not here."""
        X, y = table(self.table)
        return Task(self.name, X, y, self.loss, 0.0 if self.lasso else None, self.lasso)


def tasks(tables: tuple[str, ...] = (), seen: Callable[[str], None] = print) -> Iterator[Task]:
    """Every task, or those of some tables; `seen` is told of each that has to be left out."""
    for entry in ENTRIES:
        if not tables or entry.table in tables:
            try:
                yield entry.task()
            except FileNotFoundError as error:
                seen(f"{entry.name}: left out, {error}")


@cache
def table(name: str) -> Table:
    """X float64 (or CSR) and y as the losses want it."""
    return TABLES[name]()


def of_file(path: str, target: Any = None, rows: int | None = None, **options: Any) -> Table:
    """A text table as `fallline.load` encodes it, neither columns nor target standardised."""
    data = fallline.load(str(shared(path)), target, standardise=False, standardise_target=False, **options)
    return data.X[:rows], data.y[:rows]


def shared(path: str) -> Path:
    """Where a file of the shared data is."""
    if SHARED is None or not (SHARED / path).exists():
        raise FileNotFoundError(f"{path} is not in ../shared/data")
    return SHARED / path


def kdd() -> Table:
    """KDD'99, 10 %: normal traffic or not."""
    data = fallline.load(str(shared("large/kddcup.data_10_percent.gz")), standardise=False, dtype="float32")
    return data.X, np.where(data.y == data.classes.index("normal."), 1.0, -1.0)


def mnist() -> Table:
    """60,000 × 784 float32, grey values 0 … 255, ten classes."""
    folder = "images/mnist/train-"
    pixels = gzip.decompress(shared(f"{folder}images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress(shared(f"{folder}labels-idx1-ubyte.gz").read_bytes())[8:]
    return np.frombuffer(pixels, np.uint8).reshape(-1, 784).astype(np.float32), np.frombuffer(labels, np.uint8) * 1.0


def libsvm(path: str) -> Table:
    """A sparse table of LIBSVM's format."""
    X, y = datasets.load_svmlight_file(str(shared(path)))
    return X.tocsr(), np.where(y > 0, 1.0, -1.0)


def sms(vectorise: Any) -> Table:
    """Spam or ham, by the words."""
    lines = [line.split("\t", 1) for line in shared("text/sms.tsv").read_text("utf-8").split("\n") if line]
    X = vectorise.fit_transform([line[1] for line in lines])
    return X.tocsr(), np.array([1.0 if line[0] == "spam" else -1.0 for line in lines])


def news(vectorise: Any) -> Table:
    """Four kinds of news, by the words."""
    lines = shared("text/ag_news_test.csv").read_text("utf-8").strip().split("\n")
    return vectorise.fit_transform([line[4:] for line in lines]).tocsr(), np.array(
        [float(line[1]) - 1 for line in lines]
    )


def one_against(made: Table, k: int) -> Table:
    """Class k against the rest."""
    return made[0], np.where(made[1] == k, 1.0, -1.0)


def bundled(name: str, **options: Any) -> Table:
    """One of scikit-learn's own."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True, **options)
    y = y if y.ndim == 1 else y[:, 0]
    return X, np.where(y > 0, 1.0, -1.0) if name == "breast_cancer" else y.astype(float)


BIKE = ("instant", "dteday", "casual", "registered")
TABLES: dict[str, Callable[[], Table]] = {
    "breast cancer": lambda: bundled("breast_cancer"),
    "diabetes": lambda: bundled("diabetes", scaled=False),
    "digits": lambda: bundled("digits"),
    "iris": lambda: bundled("iris"),
    "linnerud": lambda: bundled("linnerud"),
    "wine": lambda: bundled("wine"),
    "California": lambda: of_file("regression/california_housing.csv", "median_house_value"),
    "red wine": lambda: of_file("regression/winequality-red.csv", header=False, task="regression"),
    "white wine": lambda: of_file("regression/winequality-white.csv", header=False, task="regression"),
    "abalone": lambda: of_file("regression/abalone.csv", header=False, task="regression"),
    "adult": lambda: of_file("classification/adult-train.csv.gz", header=False),
    "titanic": lambda: of_file(
        "classification/titanic.csv", "Survived", drop=("PassengerId", "Name", "Ticket", "Cabin")
    ),
    "mushrooms": lambda: of_file("classification/agaricus-lepiota.data", 0, header=False),
    "a9a": lambda: libsvm("libsvm/a9a"),
    "agaricus": lambda: libsvm("libsvm/agaricus.txt.train"),
    "KDD'99": kdd,
    "Elec2": lambda: of_file("large/elec.csv.gz", "class"),
    "HTRU2": lambda: of_file("large/HTRU_2.csv.gz", header=False),
    "MNIST": mnist,
    "SMS TF-IDF": lambda: sms(TfidfVectorizer(sublinear_tf=True)),
    "SMS hashed": lambda: sms(HashingVectorizer(n_features=2**16, norm=None, alternate_sign=False)),
    "AG News TF-IDF": lambda: news(TfidfVectorizer(sublinear_tf=True, min_df=2)),
    "AG News sport": lambda: one_against(news(HashingVectorizer(n_features=2**16)), 1),
    "bike, hours": lambda: of_file("counts/bike_hour.csv", "cnt", drop=BIKE),
    "bike, days": lambda: of_file("counts/bike_day.csv", "cnt", drop=BIKE),
    "doctor visits": lambda: of_file("counts/randhie.csv", "mdvis", task="regression"),
    "car insurance": lambda: of_file(
        "counts/dataCar.csv.gz",
        "numclaims",
        task="regression",
        drop=("rownames", "X_OBSTAT_", "clm", "claimcst0", "exposure"),
    ),
}
ENTRIES = (
    Entry("breast cancer", LogLoss()),
    Entry("breast cancer", Hinge()),
    Entry("breast cancer", LogLoss(), 5e-3),
    Entry("wine", Softmax()),
    Entry("iris", Softmax()),
    Entry("digits", Softmax()),
    Entry("linnerud", SquaredError()),
    Entry("diabetes", SquaredError()),
    Entry("diabetes", AbsoluteError()),
    Entry("diabetes", Poisson()),
    Entry("California", SquaredError()),
    Entry("California", Huber(5e4)),
    Entry("California", Gamma()),
    Entry("red wine", SquaredError()),
    Entry("red wine", EpsilonInsensitive(0.1)),
    Entry("white wine", SquaredError()),
    Entry("white wine", Quantile(0.9)),
    Entry("abalone", SquaredError()),
    Entry("abalone", Poisson()),
    Entry("adult", LogLoss()),
    Entry("adult", SquaredHinge()),
    Entry("titanic", LogLoss()),
    Entry("mushrooms", LogLoss()),
    Entry("a9a", LogLoss()),
    Entry("a9a", Hinge()),
    Entry("agaricus", LogLoss()),
    Entry("KDD'99", LogLoss()),
    Entry("Elec2", LogLoss()),
    Entry("HTRU2", LogLoss()),
    Entry("HTRU2", ModifiedHuber()),
    Entry("MNIST", Softmax()),
    Entry("SMS TF-IDF", LogLoss()),
    Entry("SMS hashed", SquaredHinge()),
    Entry("AG News TF-IDF", Softmax()),
    Entry("AG News sport", LogLoss()),
    Entry("bike, hours", Poisson()),
    Entry("bike, hours", SquaredError()),
    Entry("bike, days", SquaredEpsilonInsensitive(10.0)),
    Entry("doctor visits", Poisson()),
    Entry("doctor visits", Tweedie()),
    Entry("car insurance", Poisson()),
)
