"""How fast and how small one text step is, against the ordinary 77-token evaluation of the same tower.

    python -m benchmarks.text_tower

A step is what each training step of a textual prompt costs on the text side: class embeddings of 16 context vectors
before every class name, and the gradient back to the context. The tower has the size of CLIP ViT-B/32 and random
weights, on which the cost does not depend. Both sides run alternately in one process, so a busy machine slows both;
processor seconds stand beside the seconds, as other programs disturb them less.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from benchmarks.record import record
from clipgrip.backbone.text import ClipText
from clipgrip.prompts.towers import Tails

HERE = Path(__file__).parent
N_CTX = 16
NAME_TOKENS = {1: 12, 2: 25, 3: 28, 4: 18, 5: 11, 6: 6}
"""Assumed length of a class name: tokens -> per cent of the names, 3.1 on average. Drawn, not a real data set's."""
GOALS = {"102 names": 15.0, "10 names": 6.0, "memory": 10.0}
Step = Callable[[], tuple[Tensor, Tensor]]
"""Class embeddings (C, D) and the gradient (P, E) of a fixed function of them."""


def main() -> None:
    """Measure, print a table and write ``results/text_tower.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory-of", nargs=2, metavar=("SIDE", "NAMES"), help="used internally")
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(json.dumps(memory(arguments.memory_of[0], int(arguments.memory_of[1]))))
        return
    result: dict[str, Any] = {
        "transformers": transformers.__version__,
        "n_ctx": N_CTX,
        "name_tokens_per_cent": NAME_TOKENS,
        "time": [times(names, arguments.repeats) for names in (102, 10)],
        "memory": memories(),
    }
    record("text_tower", result)
    print(table(result))


def steps(names: int) -> dict[str, Step]:
    """The same step on both sides, on one tower."""
    torch.manual_seed(0)
    tower = CLIPTextModel(CLIPTextConfig()).eval().requires_grad_(False)
    projection = torch.nn.Linear(512, 512, bias=False).requires_grad_(False)
    lengths = random.Random(0).choices(list(NAME_TOKENS), list(NAME_TOKENS.values()), k=names)
    ids = [[49406, *torch.randint(49000, (n,)).tolist(), 49407] for n in lengths]
    ctx = (torch.randn(N_CTX, 512) * 0.02).requires_grad_()
    toward = torch.randn(names, 512)
    encoders = {
        "ours": functools.partial(shared_prefix, ClipText(tower, projection, None), ids),
        "ordinary": functools.partial(all_positions, tower, projection, ids),
    }

    def step(encode: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        embeds = encode(ctx)
        (gradient,) = torch.autograd.grad((embeds * toward).sum(), ctx)
        return embeds.detach(), gradient

    return {side: functools.partial(step, encode) for side, encode in encoders.items()}


def shared_prefix(text: ClipText, ids: Sequence[Sequence[int]], ctx: Tensor) -> Tensor:
    """clipgrip's evaluation, as ``TextualPrompt`` calls it."""
    tails = text.embed_tokens([token for row in ids for token in row[1:]])
    prefix = torch.cat([text.embed_tokens(ids[0][:1]), ctx])
    return text.encode(prefix, Tails(tails, tuple(len(row) - 1 for row in ids)))


def all_positions(
    tower: Any, projection: torch.nn.Linear, ids: Sequence[Sequence[int]], ctx: Tensor
) -> Tensor:
    """CoOp's evaluation: every text at all 77 positions, through transformers' own encoder."""
    room = tower.config.max_position_embeddings - N_CTX
    padded = torch.tensor([[*row, *[0] * (room - len(row))] for row in ids])
    embeds = tower.embeddings.token_embedding(padded)
    shared = ctx.expand(len(ids), -1, -1)
    hidden = torch.cat([embeds[:, :1], shared, embeds[:, 1:]], dim=1)
    hidden = hidden + tower.embeddings.position_embedding.weight
    states = tower.encoder(inputs_embeds=hidden, attention_mask=None, is_causal=True)
    ends = torch.tensor([len(row) - 1 + N_CTX for row in ids])
    last = tower.final_layer_norm(states.last_hidden_state)[torch.arange(len(ids)), ends]
    return F.normalize(projection(last), dim=-1)


def times(names: int, repeats: int) -> dict[str, Any]:
    """Medians over alternating repeats, after one that does not count but is compared."""
    both = steps(names)
    (embeds, gradient), (full_embeds, full_gradient) = (both[s]() for s in ("ours", "ordinary"))
    seconds: dict[str, list[float]] = {side: [] for side in both}
    processor: dict[str, list[float]] = {side: [] for side in both}
    for _ in range(repeats):
        for side, step in both.items():
            start, work = time.perf_counter(), time.process_time()
            step()
            processor[side].append(round(time.process_time() - work, 4))
            seconds[side].append(round(time.perf_counter() - start, 4))
    medians = {side: statistics.median(values) for side, values in seconds.items()}
    work_medians = {side: statistics.median(values) for side, values in processor.items()}
    return {
        "names": names,
        "seconds": seconds,
        "processor_seconds": processor,
        "medians": medians,
        "ratio": round(medians["ordinary"] / medians["ours"], 2),
        "ratio_of_processor_seconds": round(work_medians["ordinary"] / work_medians["ours"], 2),
        "ratio_of_pairs": [round(b / a, 2) for a, b in zip(*seconds.values(), strict=True)],
        "largest_difference": float((embeds - full_embeds).abs().max()),
        "largest_gradient_difference": float(
            (gradient - full_gradient).abs().max() / full_gradient.abs().max()
        ),
    }


def memory(side: str, names: int) -> dict[str, Any]:
    """MiB that one step adds to the process at its peak, and MiB that autograd keeps for the way back.

    Alone in its process. What autograd keeps includes the 36 MiB of weights that clipgrip joins.
    """
    step = steps(names)[side]
    before = resident_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
    step()
    peak = resident_mib("VmHWM")
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        step()
    return {
        "side": side,
        "names": names,
        "peak_mib": round(peak - before, 1),
        "kept_mib": round(sum(kept.values()) / 2**20, 1),
    }


def resident_mib(what: str) -> float:
    """What the process holds (``VmRSS``) or has held at most (``VmHWM``); of Linux, where both can be read.

    Not ``getrusage``: there a new process begins with the peak of the one that started it.
    """
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def memories() -> dict[str, Any]:
    """1,000 names on our side; the ordinary side where it fits, and along a line from there."""
    ours = [in_own_process("ours", names) for names in (250, 500, 1000)]
    ordinary = [in_own_process("ordinary", names) for names in (20, 40, 80)]
    line = statistics.linear_regression(
        [row["names"] for row in ordinary], [row["peak_mib"] for row in ordinary]
    )
    expected = line.slope * 1000 + line.intercept
    off = max(abs(line.slope * r["names"] + line.intercept - r["peak_mib"]) for r in ordinary)
    return {
        "measured": [*ours, *ordinary],
        "ordinary_peak_mib_at_1000_names_by_line": round(expected),
        "largest_distance_from_line_mib": round(off, 1),
        "ratio": round(expected / ours[-1]["peak_mib"], 1),
    }


def in_own_process(side: str, names: int) -> dict[str, Any]:
    """``memory`` in a fresh interpreter."""
    command = [sys.executable, "-m", "benchmarks.text_tower", "--memory-of", side, str(names)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def table(result: dict[str, Any]) -> str:
    """The figures with their goals, as Markdown."""
    lines = [
        "| | ordinary | clipgrip | ratio | of processor time | goal |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["time"]:
        what, medians = f"{row['names']} names", row["medians"]
        lines.append(
            f"| one step, {what} | {medians['ordinary']:.2f} s | {medians['ours']:.3f} s "
            f"| {row['ratio']:.1f} x | {row['ratio_of_processor_seconds']:.1f} x | {GOALS[what]:.0f} x |"
        )
    found = result["memory"]
    ours = next(row for row in found["measured"] if row["names"] == 1000)
    lines.append(
        f"| peak memory of a step, 1000 names | {found['ordinary_peak_mib_at_1000_names_by_line']} MiB (by line) "
        f"| {ours['peak_mib']:.0f} MiB | {found['ratio']:.1f} x | | {GOALS['memory']:.0f} x |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
