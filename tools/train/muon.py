"""Muon (Jordan et al., 2024): momentum whose matrices are made orthogonal before each step.

PyTorch has it with the orthogonalization in bf16, which CPUs without bf16 arithmetic do twenty times slower; this one stays
in the weights' own type and takes all matrices of one shape at once.
"""

import torch

# Coefficients of the quintic Newton-Schulz iteration.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonal(x, steps=5):
    """The nearest semi-orthogonal matrices, nearly, of `[count, rows, columns]`."""
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = A * x + (B * square + C * square @ square) @ x
    return x.transpose(1, 2) if tall else x


class Muon(torch.optim.Optimizer):
    """For matrices, and convolutions as matrices with one row per output channel.

    Updates have the root mean square of AdamW's, 0.2 (Liu et al., arXiv 2502.16982).
    """

    def __init__(self, groups, lr, momentum=0.95, weight_decay=0.02):
        super().__init__(groups, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                moment = state.setdefault("momentum", torch.zeros_like(parameter))
                moment.lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(moment, group["momentum"]).flatten(1)
                shapes.setdefault(update.shape, []).append((parameter, update))
            for shape, found in shapes.items():
                updates = orthogonal(torch.stack([update for _, update in found]))
                scale = 0.2 * max(shape) ** 0.5
                for (parameter, _), update in zip(found, updates):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.sub_(group["lr"] * scale * update.view_as(parameter))
