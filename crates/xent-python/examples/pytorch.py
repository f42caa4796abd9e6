"""A classifier trained with xent and with PyTorch: the same curve."""

import torch
from sklearn.datasets import load_digits
from xent.torch import nn as xnn


def train(nn):
    torch.manual_seed(0)
    x, y = (torch.as_tensor(array) for array in load_digits(return_X_y=True))
    x = x.float() / 16
    model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    curve = []
    for _ in range(50):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        curve.append(value.item())
    return curve


def main():
    curves = train(xnn), train(torch.nn)
    for step in (0, 9, 49):
        print(f"step {step + 1:2}: xent {curves[0][step]:.6f}, PyTorch {curves[1][step]:.6f}")
    return curves


if __name__ == "__main__":
    main()
