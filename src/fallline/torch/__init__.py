"""Networks: any torch module as an objective, walked by torch's own optimizers. The only home of torch.

Read net.py first, then engine.py; watch.py is for loops of your own.
"""

from importlib import import_module

from fallline.errors import InputError

try:
    import_module("torch")
except ImportError as missing:
    raise InputError("Networks need PyTorch, which is not installed: pip install fallline[torch].") from missing

from fallline.torch.finder import find_rate
from fallline.torch.net import Net
from fallline.torch.watch import watch

__all__ = ["Net", "find_rate", "watch"]
