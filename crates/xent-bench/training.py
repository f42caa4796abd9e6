"""Times an epoch of training, with `xent train` and with PyTorch: the same models and sizes of data,
which lies in memory, the same optimiser and the same number of threads.

`python training.py EPOCH [--quick] [FILE]` prints a table, and appends it to a file; EPOCH is the
program that trains with xent, an example of xent-train. The two take turns.
"""

import itertools
import json
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from users import QUICK, append, milliseconds

BATCH, THREADS = 32, 2
ROUNDS = 1 if QUICK else 9
# After its work is done, a thread of OpenMP waits for more in a loop, for a while.
PAUSE = 0.0 if QUICK else 0.05

HEADING = f"""\
## An epoch of training

The models of `xent train`, with batches of {BATCH}, Adam and {THREADS} threads, on made data that lies in
memory; texts have the lengths and the vocabulary of the Stanford Sentiment Treebank. The median of
{ROUNDS} epochs, each after one that warms up; xent and PyTorch take turns. PyTorch is eager, in the
fastest of the ways to write it: Adam fused or not, images with the channels first or last, texts
padded or packed. The shares are those of xent: *inputs* picks the rows of a batch, *loss* makes its
targets and computes the loss and its gradient. PyTorch {torch.__version__} with
{torch.backends.cpu.get_cpu_capability()}, {date.today()}."""
PARTS = ("inputs", "forward", "loss", "backward", "optimiser")


class Images:
    """Convolution, ReLU, the largest of 2×2, and a fully connected layer."""

    WAYS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}

    def __init__(self, rows, classes, shape, memory_format):
        channels, height, width = shape
        images = torch.randn(rows, *shape)
        self.images = images.contiguous(memory_format=memory_format)
        features = 32 * (height // 2) * (width // 2)
        convolution = nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        self.model = nn.Sequential(*convolution, nn.Flatten(), nn.Linear(features, classes))
        self.model.to(memory_format=memory_format)

    def outputs(self, rows):
        return self.model(self.images[rows])


class Texts:
    """An embedding, an LSTM, and a fully connected layer on its state behind the last token."""

    WAYS = {"padded": False, "packed": True}

    def __init__(self, rows, classes, shape, packed):
        most, vocabulary = shape
        half = (most + 1) // 2
        self.lengths = 1 + torch.randint(0, half, (2, rows)).sum(0)
        tokens = torch.rand(self.lengths.sum().item(), dtype=torch.float64) ** 3 * vocabulary
        self.texts = pad_sequence(tokens.long().split(self.lengths.tolist()))
        self.packed = packed
        self.embedding = nn.Embedding(vocabulary, 64)
        self.lstm = nn.LSTM(64, 64)
        # A second bias of the same gates.
        self.lstm.bias_hh_l0.requires_grad_(False)
        self.dense = nn.Linear(64, classes)
        self.model = nn.ModuleList([self.embedding, self.lstm, self.dense])

    def outputs(self, rows):
        lengths = self.lengths[rows]
        embedded = self.embedding(self.texts[: lengths.max(), rows])
        if self.packed:
            texts = pack_padded_sequence(embedded, lengths, enforce_sorted=False)
            return self.dense(self.lstm(texts)[1][0][-1])
        states, _ = self.lstm(embedded)
        return self.dense(states[lengths - 1, torch.arange(len(rows))])


class Table:
    """Fully connected layers."""

    WAYS = {"": None}

    def __init__(self, rows, outputs, columns, _):
        self.features = torch.rand(rows, columns)
        self.model = nn.Sequential(nn.Linear(columns, 128), nn.ReLU(), nn.Linear(128, outputs))

    def outputs(self, rows):
        return self.model(self.features[rows])


# Rows, classes, and what a row is.
CASES = {
    "CNN, {} images of 3×32×32": (Images, 3_000, 10, {"image": [3, 32, 32]}),
    "LSTM, {} texts of 1 to 35 words": (Texts, 6_920, 2, {"text": [35, 7_200]}),
    "MLP, {} rows of 13 features": (Table, 20_640, None, {"features": 13}),
}


class Xent:
    """The program that trains with xent."""

    def __init__(self, program, **request):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([program], text=True, bufsize=1, **pipes)
        self.parameters = self.ask(request)["parameters"]

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        return json.loads(self.process.stdout.readline())

    def epoch(self):
        return self.ask({})

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class PyTorch:
    """A problem, and one of the ways to train for an epoch."""

    def __init__(self, problem, targets, fused):
        self.problem, self.targets = problem, targets
        self.loss = nn.MSELoss() if targets.is_floating_point() else nn.CrossEntropyLoss()
        weights = [weight for weight in problem.model.parameters() if weight.requires_grad]
        self.parameters = sum(weight.numel() for weight in weights)
        self.adam = torch.optim.Adam(weights, fused=fused)

    def epoch(self):
        total = torch.zeros(())
        for rows in torch.randperm(len(self.targets)).split(BATCH):
            loss = self.loss(self.problem.outputs(rows), self.targets[rows])
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()
            total += loss.detach() * len(rows)
        return total.item() / len(self.targets)

    def seconds(self):
        self.epoch()
        start = time.perf_counter()
        self.epoch()
        return time.perf_counter() - start


def compare(program, kind, rows, classes, shape):
    """Seconds of both, the shares of xent's parts, and what PyTorch is best at."""
    request = {"rows": rows, "classes": classes, "shape": shape}
    xent = Xent(program, batch=BATCH, threads=THREADS, **request)
    targets = torch.rand(rows, 1) if classes is None else torch.randint(0, classes, (rows,))
    (sizes,) = shape.values()
    ways = {}
    for (way, value), fused in itertools.product(kind.WAYS.items(), (False, True)):
        torch_way = PyTorch(kind(rows, classes or 1, sizes, value), targets, fused)
        if torch_way.parameters != xent.parameters:
            sizes = f"{torch_way.parameters} parameters, not {xent.parameters}"
            raise ValueError(f"the model of PyTorch has {sizes}")
        ways[", ".join(filter(None, [way, "fused" if fused else ""]))] = torch_way
    best = min(ways, key=lambda way: ways[way].seconds())
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(xent.epoch())
        theirs.append(ways[best].seconds())
        time.sleep(PAUSE)
    xent.end()
    whole = sum(epoch["seconds"] for epoch in ours)
    shares = [sum(epoch[part] for epoch in ours) / whole for part in PARTS]
    median = statistics.median(epoch["seconds"] for epoch in ours)
    return median, statistics.median(theirs), best, xent.parameters, shares


def table(program):
    parts = " | ".join([*PARTS, "other"])
    yield f"| | parameters | xent | PyTorch | {parts} |"
    yield "|---|---:|---:|---:|" + "---:|" * (len(PARTS) + 1)
    for title, (kind, rows, *case) in CASES.items():
        rows = rows // 50 if QUICK else rows
        ours, theirs, best, parameters, shares = compare(program, kind, rows, *case)
        shares.append(1 - sum(shares))
        best = f", {best}" if best else ""
        cells = [title.format(f"{rows:,}"), f"{parameters:,}", milliseconds(ours)]
        cells.append(f"{milliseconds(theirs)} ({theirs / ours:.2f}×{best})")
        cells += (f"{share:.1%}" for share in shares)
        yield f"| {' | '.join(cells)} |"


def main():
    torch.set_num_threads(THREADS)
    program, *files = (argument for argument in sys.argv[1:] if argument != "--quick")
    lines = [HEADING, ""]
    for line in table(program):
        print(line, flush=True)
        lines.append(line)
    for file in files:
        append(Path(file), "\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
