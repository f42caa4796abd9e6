"""A loss of one's own: traced once, checked, and used to fit a line by gradient descent."""

import numpy as np
import xent


@xent.pointwise
def barron(p, y):
    """The general robust loss at shape -1: outliers stop pulling altogether."""
    e = (p - y) ** 2
    return 2 * e / (e + 6)


def main():
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, size=500)
    y = 3 * x + 1 + 0.1 * random.normal(size=500)
    y[::10] += 50
    print(xent.check(barron, x, y))
    slope, offset = 0.0, 0.0
    for _ in range(3000):
        _, grad = barron.value_and_grad(slope * x + offset, y)
        slope, offset = slope - 0.5 * grad @ x, offset - 0.5 * grad.sum()
    print(f"y = {slope:.2f} x + {offset:.2f}, with every tenth row off by 50")
    return slope, offset


if __name__ == "__main__":
    main()
