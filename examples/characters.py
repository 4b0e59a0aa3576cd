"""A recurrent network learns to spell: bits a character beside those of counting.

A GRU reads 32 stretches of the text side by side, 64 characters a step, and keeps its state from one step to the next; its data
are a function that deals the stretches out. Counting, interpolated as by Witten & Bell (1991), is what it must beat: order 2
looks at one character before, order 5 at four. Bits are over the last tenth of the text, which neither has seen.

Without a text it reads a part of this project's own textbook for 150 updates. On tiny shakespeare (`--text FILE --updates 4000`)
it takes a minute or two.

Run it: python examples/characters.py [--text FILE] [--updates N]
"""

import argparse
import math
from collections import Counter, defaultdict
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from fallline import Net, Plan

STREAMS, LENGTH, UNITS, INPUTS = 32, 64, 160, 64
ORDERS = (2, 3, 4, 5)
PART = 100_000  # characters of the textbook


class Speller(nn.Module):
    """Embedding, GRU, linear layer; in training its state goes on from the batch before."""

    def __init__(self, letters):
        super().__init__()
        self.embed, self.cell = nn.Embedding(letters, INPUTS), nn.GRU(INPUTS, UNITS, batch_first=True)
        self.out, self.state = nn.Linear(UNITS, letters), None

    def forward(self, x):
        """(streams, length) letters → (streams, letters, length) scores."""
        state = self.state if self.training else None
        hidden, state = self.cell(self.embed(x), state)
        if self.training:
            self.state = state.detach()
        return self.out(hidden).transpose(1, 2)

    def bits(self, text):
        """Bits a character over the text, read once from front to end."""
        with torch.inference_mode():
            hidden, _ = self.cell(self.embed(text[None, :-1]))
            return float(functional.cross_entropy(self.out(hidden)[0], text[1:])) / math.log(2)


def batches(text):
    """A function that deals the text out: stretch by stretch, each going on where its last batch ended."""
    steps = (len(text) - 1) // (STREAMS * LENGTH)
    whole = text[: STREAMS * steps * LENGTH + 1]
    x, y = (part.reshape(STREAMS, -1) for part in (whole[:-1], whole[1:]))

    def deal(module, seed):
        module.state = None
        for first in range(0, steps * LENGTH, LENGTH):
            yield x[:, first : first + LENGTH], y[:, first : first + LENGTH]

    return deal, steps


def counted(train, unseen, order):
    """Bits a character of counting `order` − 1 characters before (Witten & Bell 1991, interpolated with the shorter ones)."""
    counts = [defaultdict(Counter) for _ in range(order)]
    for k in range(len(train)):
        for before in range(min(order, k + 1)):
            counts[before][train[k - before : k]][train[k]] += 1
    letters, total = len(set(train + unseen)), 0.0
    for k in range(len(unseen)):
        share = 1.0 / letters
        for before in range(min(order, k + 1)):
            seen = counts[before].get(unseen[k - before : k])
            if seen:
                kinds, many = len(seen), sum(seen.values())
                share = (seen[unseen[k]] + kinds * share) / (many + kinds)
        total -= math.log2(share)
    return total / len(unseen)


def main(text=None, updates=150):
    """Train, count, and say how many bits each takes; returns the facts."""
    pages = sorted((Path(__file__).resolve().parents[1] / "docs" / "concepts").glob("*.md"))
    written = Path(text).read_text("utf-8") if text else "".join(page.read_text("utf-8") for page in pages)[:PART]
    known = {letter: k for k, letter in enumerate(sorted(set(written)))}
    cut = len(written) * 9 // 10
    coded = torch.tensor([known[letter] for letter in written])
    torch.manual_seed(0)
    deal, steps = batches(coded[:cut])
    net = Net(Speller(len(known)), deal, "cross_entropy", batches=steps)
    plan = Plan(step="AdamW", rate=4e-3, schedule="cosine", warmup=50, clip_norm=1.0, budget="updates", amount=updates)
    run = plan.run(net)
    facts = {
        "bits": net.fitted(run).bits(coded[cut:]),
        "seconds": float(run.trace.last("seconds")),
        "parameters": net.size,
    }
    facts["counted"] = {order: counted(written[:cut], written[cut:], order) for order in ORDERS}
    print(f"{len(written):,} characters, {len(known)} of them different; {updates:,} updates of {STREAMS} × {LENGTH}.")
    print(f"A GRU of {net.size:,} parameters: {facts['bits']:.3f} bits a character, in {facts['seconds']:.0f} s.")
    print("Counting: " + ", ".join(f"order {order} {bits:.3f}" for order, bits in facts["counted"].items()) + ".")
    return facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Bits a character of a GRU, beside counting.")
    parser.add_argument("--text", help="a text file; this project's textbook unless told")
    parser.add_argument("--updates", type=int, default=150)
    main(**vars(parser.parse_args()))
