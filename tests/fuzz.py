"""Fuzz a reader for some seconds: mutants of good files must be read or refused with an InputError, nothing else.

    PYTHONPATH=src python tests/fuzz.py csv|libsvm|model|columnar SECONDS [SEED]

Prints how many mutants were read and refused, and each find; a find becomes a test. Mutants that reach new lines of
fallline's own code are mutated further (coverage from sys.settrace).
"""

import contextlib
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather, parquet

from fallline.artefact import packed, unpacked
from fallline.data import load
from fallline.errors import InputError
from fallline.model import Model
from fallline.plan import objective_of

PIECES = [b",", b";", b"\t", b"\n", b"\r", b'"', b"'", b" ", b"nan", b"inf", b"-", b"1e999", b"?", b"\0", b"\xff",
          b"\xef\xbb\xbf", b"#", b":", b"qid:1", b"0", b"99999999999", b"a", b"{", b"}", b"[", b"null", b"\\"]  # fmt: skip
TABLE = b"a,b,y\n" + b"".join(b"%d,%s,%d.5\n" % (i, b"red" if i % 3 else b"blue", i % 5) for i in range(12))
KEPT, SLOW = 300, 20  # seeds kept; seconds that a single file may take


def model():
    data = load((np.arange(24.0).reshape(12, 2) ** 1.5, np.arange(12) % 2))
    objective = objective_of(data.X, data.y, "log_loss", "l2", 1e-3, 0.1)
    return Model.of(data, objective, np.ones(objective.size), "log_loss").to_bytes()


def columnar():
    table = pa.table({"x": np.arange(12.0), "s": ["u", "v"] * 6, "y": np.arange(12) % 5 * 0.5})
    out = []
    for write in (parquet.write_table, feather.write_feather):
        with tempfile.NamedTemporaryFile() as file:
            write(table, file.name)
            out.append(Path(file.name).read_bytes())
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file.name, X=np.arange(24.0).reshape(12, 2), y=np.arange(12) % 2)
        out.append(Path(file.name).read_bytes())
    return out


def read_file(suffix):
    def read(content):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"t{suffix}"
            path.write_bytes(content)
            load(path)

    return read


def read_model(content):
    """As it is and, so that the parser is reached, with its checksum made right."""
    try:
        Model.from_bytes(content)
    except InputError:
        arrays, facts = unpacked(SEEDS["model"][0], "it", "model")
        text = content[8:]
        changed = {
            "loss": text[:9].decode("latin-1"),
            "encoder": {**facts["encoder"], "names": [text[9:12].decode("latin-1")]},
        }
        Model.from_bytes(
            packed("model", {**arrays, "level": np.frombuffer(text[: len(text) // 8 * 8])[:1]}, {**facts, **changed})
        )


SEEDS = {
    "csv": [TABLE, TABLE.replace(b",", b"; "), TABLE.replace(b"\n", b"\r\n"), TABLE.replace(b"red", b'"r,\n""ed"'),
            b"1 2\n3 4\n" * 5],
    "libsvm": [b"1 1:2 3:4.5e-3\n-1 qid:3 2:0.25 # c\n\n" * 4, b"0 0:1\r\n1 3:0.1234567890123456789\r\n" * 3],
    "model": [model()],
    "columnar": columnar(),
}  # fmt: skip
READERS = {"csv": read_file(".csv"), "libsvm": read_file(".svm"), "model": read_model, "columnar": read_file(".npz")}


def mutant(chance, seeds):
    content = bytearray(seeds[chance.integers(len(seeds))])
    for _ in range(int(chance.integers(1, 5))):
        at = int(chance.integers(len(content) + 1))
        kind = chance.integers(6)
        if kind == 0:
            content[at:at] = PIECES[chance.integers(len(PIECES))]
        elif kind == 1:
            del content[at : at + int(chance.integers(1, 20))]
        elif kind == 2 and at < len(content):
            content[at] ^= 1 << int(chance.integers(8))
        elif kind == 3:
            other = seeds[chance.integers(len(seeds))]
            content[at:at] = other[: int(chance.integers(40))]
        elif kind == 4:
            del content[at:]
        else:
            content[at : at + 3] = PIECES[chance.integers(len(PIECES))]
    return bytes(content)


def main(kind, seconds, seed):
    chance, seeds, read = np.random.default_rng(seed), list(SEEDS[kind]), READERS[kind]
    seen: set[tuple[str, int]] = set()
    found: dict[str, int] = {}
    count = {"read": 0, "refused": 0}
    fresh = [False]

    def trace(frame, event, argument):
        if "fallline" not in frame.f_code.co_filename:
            return None
        place = (frame.f_code.co_filename, frame.f_lineno)
        if place not in seen:
            seen.add(place)
            fresh[0] = True
        return trace

    with contextlib.suppress(InputError):
        read(seeds[0])  # compiles what it needs, which is not what is timed
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("too slow")))
    until = time.time() + seconds
    while time.time() < until:
        content, fresh[0] = mutant(chance, seeds), False
        signal.alarm(SLOW)
        sys.settrace(trace)
        try:
            read(content)
            count["read"] += 1
        except InputError as error:
            count["refused"] += 1
            if "\n" in str(error):
                found.setdefault("several lines", 0)
                print("several lines", repr(str(error)), content, flush=True)
        except BaseException as error:
            sys.settrace(None)
            if isinstance(error, KeyboardInterrupt):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error}"[:300]
            if name not in found:
                print(name, content, flush=True)
            found[name] = found.get(name, 0) + 1
        finally:
            sys.settrace(None)
            signal.alarm(0)
        if fresh[0] and len(seeds) < KEPT:
            seeds.append(content)
    print(
        f"{kind}: {count['read']} read, {count['refused']} refused, {len(found)} kinds of find, {len(seen)} lines reached"
    )
    return len(found)


if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
