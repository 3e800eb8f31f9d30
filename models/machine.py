"""What networks are computed with on this machine."""

import torch


def computing() -> str:
    """The version of PyTorch and what it computes on; networks of the house run on processors alone."""
    gpu = f"; {torch.cuda.get_device_name()} is not used" if torch.cuda.is_available() else ""
    return f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads{gpu}"


def computing_problem() -> str:
    """Why a product and its gradient do not come out right; empty where they do."""
    x = torch.arange(1.0, 5.0, requires_grad=True)
    (x @ x).backward()
    right = x.grad is not None and torch.equal(x.grad, 2 * x.detach())
    return "" if right else "PyTorch computes a wrong gradient"
