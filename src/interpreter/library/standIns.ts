/**
 * Layers that model code takes from packages which are not there to be read, by names that mean the same wherever they are used; and
 * those of `timm` that other people's vision models are built of.
 */

const layers = `
import headwise
import torch
import torch.nn.functional as F
from torch.nn import Conv2d, Dropout, GELU, Identity, Linear, Module
from torch.nn.parameter import Parameter


class Norm(Module):
    """A norm of which only its name is known: it keeps the shape."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return headwise.through('layer_norm', input)


class Pass(Module):
    """Dropout of paths, layer scale: what comes in goes out, weaker or not at all."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        return headwise.through('dropout', input)


def grown(keys, values, *args, **kwargs):
    """A cache of MLX: (B, kv_heads, S, head_dim), with what was there before."""
    if headwise.rank(keys) != 4 or headwise.rank(values) != 4:
        return keys, values
    length = len(headwise.open_list())
    return (
        headwise.result('cat', (keys.shape[0], keys.shape[1], length, keys.shape[3]), keys),
        headwise.result('cat', (values.shape[0], values.shape[1], length, values.shape[3]), values),
    )


def nothing(*args, **kwargs):
    return None


def to_2tuple(x):
    return headwise.ntuple(x, 2)


class Mlp(Module):
    def __init__(self, in_features, hidden_features=None, out_features=None, act_layer=GELU, norm_layer=None, bias=True, drop=0.0, **kwargs):
        super().__init__()
        out_features = out_features or in_features
        hidden_features = hidden_features or in_features
        self.fc1 = Linear(in_features, hidden_features, bias)
        self.act = act_layer()
        self.drop1 = Dropout(drop)
        self.fc2 = Linear(hidden_features, out_features, bias)
        self.drop2 = Dropout(drop)

    def forward(self, x):
        return self.drop2(self.fc2(self.drop1(self.act(self.fc1(x)))))


class PatchEmbed(Module):
    """Images (B, C, H, W) to (B, patches, embed_dim)."""

    def __init__(self, img_size=224, patch_size=16, in_chans=3, embed_dim=768, norm_layer=None, flatten=True, output_fmt=None, bias=True, **kwargs):
        super().__init__()
        self.is_sequence = flatten and output_fmt is None
        self.img_size = headwise.ntuple(img_size, 2)
        self.patch_size = headwise.ntuple(patch_size, 2)
        self.grid_size = (self.img_size[0] // self.patch_size[0], self.img_size[1] // self.patch_size[1])
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.proj = Conv2d(in_chans, embed_dim, kernel_size=self.patch_size, stride=self.patch_size, bias=bias)

    def forward(self, x):
        x = self.proj(x)
        if not self.is_sequence:
            return headwise.unknown('patches in another layout')
        return headwise.result('patches', (x.shape[0], self.num_patches, x.shape[1]), x)


class Attention(Module):
    def __init__(self, dim, num_heads=8, qkv_bias=False, qk_norm=False, attn_drop=0.0, proj_drop=0.0, norm_layer=None, *, attn_head_dim=None, dim_out=None, **kwargs):
        super().__init__()
        self.num_heads = num_heads
        self.head_dim = dim // num_heads if attn_head_dim is None else attn_head_dim
        self.attn_dim = dim if attn_head_dim is None else num_heads * attn_head_dim
        self.scale = self.head_dim**-0.5
        self.qkv = Linear(dim, self.attn_dim * 3, bias=qkv_bias)
        self.attn_drop = Dropout(attn_drop)
        self.proj = Linear(self.attn_dim, dim_out or dim)
        self.proj_drop = Dropout(proj_drop)

    def forward(self, x):
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        x = x.transpose(1, 2).reshape(B, N, self.attn_dim)
        return self.proj_drop(self.proj(x))
`;

export const standInModule = 'headwise.layers';
export const standIns: readonly (readonly [string, string])[] = [[standInModule, layers]];

const general: readonly (readonly [RegExp, string])[] = [
  [/^(?:[A-Z]\w*)?(?:LayerNorm|RMSNorm|LayerNormalization)(?:Fp32|2d|32)?$|^norm_(?:layer|class|cls)$/, 'Norm'],
  [/^(?:DropPath|StochasticDepth|LayerScale)$/, 'Pass'],
  [/^to_2tuple$/, 'to_2tuple'],
  [/^(?:trunc|lecun|xavier|kaiming)\w*_$/, 'nothing'],
];
/** Methods of what comes in, by names that nothing else has. */
const methods: readonly (readonly [RegExp, string])[] = [[/\.update_and_fetch$/, 'grown']];
const ofTimm = /^(?:Mlp|PatchEmbed|Attention)$/;

/** The name in `standInModule` of what stands for something that was imported, or given, but cannot be read. */
export function standInFor(name: string): string | undefined {
  const method = methods.find(([pattern]) => pattern.test(name));
  if (method !== undefined) return method[1];
  if (!/^[\w.]+$/.test(name)) return undefined;
  const last = name.slice(name.lastIndexOf('.') + 1);
  if (name.startsWith('timm.') && ofTimm.test(last)) return last;
  return general.find(([pattern]) => pattern.test(last))?.[1];
}
