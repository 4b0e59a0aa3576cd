"""What an optimizer and a module remember, as one array of bytes: safetensors, with what is no tensor as JSON beside it."""

import json
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

Array = np.ndarray[Any, Any]
TENSOR, TUPLE = "tensor", "tuple"
SHAPE = "shape"  # the tensor that holds what is no tensor


def packed(memory: Any) -> Array:
    """Any nesting of dicts, lists and tuples of tensors, numbers, text and None, as uint8 (bytes,); else raises TypeError."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_shape(memory, tensors))
    tensors[SHAPE] = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)
    return np.frombuffer(save(tensors), dtype=np.uint8)


def unpacked(content: Array) -> Any:
    """What was packed."""
    tensors = load(content.tobytes())
    return _filled(json.loads(bytes(tensors.pop(SHAPE).tolist())), tensors)


def _shape(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().to("cpu").clone(memory_format=torch.contiguous_format)
        return {TENSOR: name}
    if isinstance(value, dict):
        return {"dict": [[key, _shape(part, tensors)] for key, part in value.items()]}
    if isinstance(value, list | tuple):
        return {TUPLE if isinstance(value, tuple) else "list": [_shape(part, tensors) for part in value]}
    return value


def _filled(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    kind, inside = next(iter(value.items()))
    if kind == TENSOR:
        return tensors[inside]
    if kind == "dict":
        return {key: _filled(part, tensors) for key, part in inside}
    parts = [_filled(part, tensors) for part in inside]
    return tuple(parts) if kind == TUPLE else parts
