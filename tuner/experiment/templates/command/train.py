"""The script of the experiment beside this file. Replace it by a program of your own, in any language.

It prints a line of JSON for each measurement: how many steps were taken, and what was measured.
"""

import argparse
import json
import math
import random

FEATURES = 10


def examples(many: int, seed: int) -> list[tuple[list[float], int]]:
    """Points, labelled 1 or -1 by the side of a plane on which they lie."""
    numbers = random.Random(seed)
    points = [[numbers.gauss(0, 1) for _ in range(FEATURES)] for _ in range(many)]
    return [(each, 1 if sum(each[:5]) > sum(each[5:]) else -1) for each in points]


def dot(left: list[float], right: list[float]) -> float:
    """The scalar product."""
    return sum(one * other for one, other in zip(left, right, strict=True))


def slope(loss: str, margin: float) -> float:
    """The derivative of a loss by the margin, which is positive for what is classified rightly."""
    if loss == "hinge":
        return -1.0 if margin < 1 else 0.0
    return -1 / (1 + math.exp(min(margin, 500)))


def main() -> None:
    """Train a linear classifier, and measure it after every second step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--loss", choices=["logistic", "hinge"])
    parser.add_argument("--warmup", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    training, validation, numbers = examples(2000, 1), examples(500, 2), random.Random(given.seed)
    weights = [numbers.gauss(0, 1) for _ in range(FEATURES)]
    for step in range(1, 1001):
        rate = given.lr * min(1, step / (given.warmup + 1)) / given.batch
        before = list(weights)
        for point, label in numbers.choices(training, k=given.batch):
            factor = rate * label * slope(given.loss, label * dot(before, point))
            weights = [weight - factor * each for weight, each in zip(weights, point, strict=True)]
        if step % 2 == 0:
            wrong = sum(label * dot(weights, point) <= 0 for point, label in validation)
            print(json.dumps({"step": step, "validation/error": wrong / len(validation)}), flush=True)


if __name__ == "__main__":
    main()
