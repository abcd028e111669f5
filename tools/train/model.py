"""The whole model in PyTorch: vision encoder, projector, language model."""

import types

import torch
from timm.layers import RmsNorm2d, RmsNormAct2d

import root  # noqa: F401
from data import IMAGE
from reference_models import make_language, make_projector, make_vision, project


def fused_norm(self, x):
    """What RmsNorm2d and RmsNormAct2d compute, with the one fused kernel there is."""
    x = torch.nn.functional.rms_norm(x.permute(0, 2, 3, 1), (x.shape[1],), self.weight, self.eps).permute(0, 3, 1, 2)
    return self.act(self.drop(x)) if isinstance(self, RmsNormAct2d) else x


@torch.no_grad()
def fuse_norms(vision):
    """Makes the vision encoder faster; what it computes stays the same, which is checked."""
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before = vision.forward_features(image)
    for module in vision.modules():
        if isinstance(module, RmsNorm2d):
            module.forward = types.MethodType(fused_norm, module)
    torch.testing.assert_close(vision.forward_features(image), before, rtol=1e-3, atol=1e-3)


class Tiny(torch.nn.Module):
    """Pictures `[N, 3, S, S]` as bytes, or their features, and token ids `[B, T]` in, logits `[B, T, V]` out."""

    def __init__(self, config, layers=None):
        """With `layers` the language model has only so many."""
        super().__init__()
        config = config | {"language": config["language"] | {"layers": config["language"]["layers"][:layers]}}
        self.vision = make_vision(config["vision"])
        self.projector = make_projector(config)
        self.language = make_language(config["language"])
        for name, parameter in self.vision.named_parameters():
            if name.endswith("layer_scale.gamma"):
                torch.nn.init.constant_(parameter, 0.5)
        self.vision.to(memory_format=torch.channels_last)
        channels = config["vision"]["msfa"]["channels"]
        # Most of an RMS-normalized feature is the same for all pictures; the projector learns faster without it. What is
        # subtracted here becomes part of the projector's first layer (`fold_center`).
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))

    @torch.no_grad()
    def grow(self, trained):
        """Makes the layers of the language model that were not among the first `trained` ones leave everything as it is."""
        for layer in self.language.model.layers[trained:]:
            mixer = layer.self_attn if hasattr(layer, "self_attn") else layer.conv
            mixer.out_proj.weight.zero_()
            layer.feed_forward.w2.weight.zero_()

    def see(self, images):
        """Visual tokens before the projector, `[N, tokens, channels]`."""
        # The same arithmetic as the host's: a byte over 255, no mean, no deviation.
        x = (images.to(next(self.parameters()).dtype) / 255).contiguous(memory_format=torch.channels_last)
        return self.vision.forward_features(x).flatten(2).transpose(1, 2)

    @torch.no_grad()
    def center(self, images):
        """Measures mean and deviation of the features on pictures."""
        features = self.see(images).flatten(0, 1)
        self.mean.copy_(features.mean(0))
        self.deviation.copy_(features.std(0))

    @torch.no_grad()
    def fold_center(self):
        """Moves mean and deviation into the projector; the function stays the same."""
        first = self.projector.linear_1
        first.weight.div_(self.deviation)
        first.bias.sub_(first.weight @ self.mean)
        self.mean.zero_()
        self.deviation.fill_(1)

    def embed(self, ids, images):
        embeds = self.language.model.embed_tokens(ids)
        if images is not None:
            features = images if images.ndim == 3 else self.see(images)
            centered = (features - self.mean) / self.deviation
            visual = project(self.projector, centered).flatten(0, 1)
            embeds = embeds.masked_scatter((ids == IMAGE)[..., None], visual.to(embeds.dtype))
        return embeds

    def forward(self, ids, images=None):
        return self.language(inputs_embeds=self.embed(ids, images), use_cache=False).logits


def answer_loss(logits, ids, wanted):
    """Cross entropy of the tokens that the model has to say, and how many of them it says."""
    at = wanted[:, 1:]
    scores, targets = logits[:, :-1][at], ids[:, 1:][at]
    loss = torch.nn.functional.cross_entropy(scores.float(), targets)
    return loss, (scores.argmax(1) == targets)
