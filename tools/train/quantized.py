"""Quantization-aware training against the toolchain's own integers: W8A16 vision, W4A16 language, 8-bit keys and values.

Weights pass through the rounding that `autoneural quantize` does (half to even, symmetric, one scale per output channel),
with the straight-through estimator. Scales of int4 weights are learned (LSQ, Esser et al., arXiv 1902.08153). Keys and values
are rounded to uint8 between ranges that follow the data (Jacob et al., arXiv 1712.05877). 16-bit activations are left alone:
their rounding is far below that of the weights.

Scales are kept to few significant bits, so that integer times scale is exact in bf16: the exported checkpoint holds the
rounded weights themselves, and the float model is the quantized one as far as weights go. int8 scales are powers of two;
int4 scales have five significant bits.
"""

import torch
from torch.func import functional_call
from transformers.models.lfm2 import modeling_lfm2

MOST = {8: 127, 4: 7}
# Bits of a scale behind its leading one: with those of the integer, bf16's eight significant bits hold the product.
SCALE_BITS = {8: 0, 4: 4}


def straight(rounded, x):
    """The value of `rounded`, the gradient of `x`."""
    return rounded.detach() + (x - x.detach())


def coarse(scale, bits):
    """The scale rounded to 1 + bits significant bits, upwards."""
    unit = torch.exp2(torch.floor(torch.log2(scale)) - bits)
    return torch.ceil(scale / unit - 1e-4) * unit


def along(scale, weight):
    return scale.reshape([-1] + [1] * (weight.ndim - 1))


def fake_quantize(weight, scale, most):
    x = weight / along(scale, weight)
    x = x.clamp(-most, most)
    return straight(torch.round(x), x) * along(scale, weight)


def first_scale(weight, bits):
    """Per output channel: the full range for int8, the least square error for int4."""
    flat = weight.detach().flatten(1)
    full = (flat.abs().amax(1) / MOST[bits]).clamp_min(1e-8)
    if bits == 8:
        return full
    best, least = full, torch.full_like(full, float("inf"))
    for part in torch.linspace(0.4, 1.0, 25):
        scale = coarse(full * part, SCALE_BITS[bits])
        error = (fake_quantize(flat, scale, MOST[bits]) - flat).square().sum(1)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best


def bits_of(name, parameter):
    """Bits of a weight, or None for what stays (norms, biases; they are 16 or 32 bits wide)."""
    if parameter.ndim < 2:
        return None
    if name.startswith("language.") and not ("embed_tokens" in name or ".conv.conv." in name):
        return 4
    return 8


class Range(torch.nn.Module):
    """Rounds to uint8 between the smallest and the largest value seen, as a moving average."""

    def __init__(self):
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def encoding(self):
        """Scale and zero point: the range holds zero, and zero is exact."""
        low, high = self.low.clamp_max(0), self.high.clamp_min(0)
        scale = ((high - low) / 255).clamp_min(1e-12)
        return scale, torch.round(-low / scale).clamp(0, 255)

    def forward(self, x):
        if self.training:
            with torch.no_grad():
                keep = 0.99 if self.high > self.low else 0.0
                self.low.mul_(keep).add_((1 - keep) * x.min())
                self.high.mul_(keep).add_((1 - keep) * x.max())
        scale, zero = self.encoding()
        code = (x / scale + zero).clamp(0, 255)
        return (straight(torch.round(code), code) - zero) * scale


class Quantized(torch.nn.Module):
    """A model seen through its rounded weights, keys and values."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        parameters = dict(model.named_parameters())
        self.bits = {name: bits_of(name, p) for name, p in parameters.items() if bits_of(name, p)}
        scales = {}
        for name, bits in self.bits.items():
            scale = first_scale(parameters[name], bits)
            scales[name] = coarse(scale, SCALE_BITS[bits]).log2()
        self.names = list(scales)
        self.log_scales = torch.nn.ParameterList([torch.nn.Parameter(s, requires_grad=self.bits[n] == 4) for n, s in scales.items()])
        layers = [k for k, layer in enumerate(model.language.model.layers) if hasattr(layer, "self_attn")]
        self.keys = torch.nn.ModuleDict({str(k): Range() for k in layers})
        self.values = torch.nn.ModuleDict({str(k): Range() for k in layers})
        self.layers, self.turn = layers, 0
        for k in layers:
            attention = model.language.model.layers[k].self_attn
            attention.v_proj.register_forward_hook(lambda _m, _i, out, k=k: self.values[str(k)](out))
        rotate = modeling_lfm2.apply_rotary_pos_emb

        def rotate_and_round(q, k, *rest, **named):
            q, k = rotate(q, k, *rest, **named)
            layer = self.layers[self.turn % len(self.layers)]
            self.turn += 1
            return q, self.keys[str(layer)](k)

        modeling_lfm2.apply_rotary_pos_emb = rotate_and_round

    def ranges(self):
        """What is learned beside the weights."""
        return [p for p in self.log_scales if p.requires_grad]

    def scales(self):
        found = {}
        for name, log_scale in zip(self.names, self.log_scales):
            scale = torch.exp2(log_scale)
            # LSQ: the gradient of a scale is the sum over a channel; this keeps it in proportion to that of the weights.
            count = dict(self.model.named_parameters())[name][0].numel()
            slow = (MOST[self.bits[name]] * count) ** -0.5
            scale = straight(scale, scale * slow)
            found[name] = straight(coarse(scale, SCALE_BITS[self.bits[name]]), scale)
        return found

    def weights(self):
        """Rounded weights by name."""
        parameters, scales = dict(self.model.named_parameters()), self.scales()
        return {n: fake_quantize(parameters[n], scales[n], MOST[b]) for n, b in self.bits.items()}

    def forward(self, ids, images=None):
        self.turn = 0
        return functional_call(self.model, self.weights(), (ids, images))
