"""Parameters, buffers and output shapes of torch.nn's layers, recorded once from PyTorch.

Remake:  python3 -m venv venv && venv/bin/pip install torch && venv/bin/python test/golden/make_layers.py
It rewrites layers.generated.json beside itself. Every case is Python that the interpreter evaluates too: `module` is the layer,
`inputs` what it is called with. Shapes of outputs are lists; tuples of tensors are {"tuple": [...]}, None is null.
"""

import json
import pathlib

import torch
from torch import nn

CASES = {
    "projections": [
        ("nn.Linear(4, 6)", "torch.zeros(2, 3, 4)"),
        ("nn.Linear(in_features=4, out_features=6, bias=False)", "torch.zeros(4)"),
        ("nn.Bilinear(3, 4, 5)", "torch.zeros(2, 3), torch.zeros(2, 4)"),
        ("nn.Bilinear(3, 4, 5, bias=False)", "torch.zeros(2, 3), torch.zeros(2, 4)"),
        ("nn.Embedding(10, 6, padding_idx=1)", "torch.zeros(2, 3, dtype=torch.long)"),
        ("nn.Embedding.from_pretrained(torch.zeros(10, 6))", "torch.zeros(2, 3, dtype=torch.long)"),
        ("nn.EmbeddingBag(10, 6, mode='sum')", "torch.zeros(2, 3, dtype=torch.long)"),
        ("nn.EmbeddingBag(10, 6)", "torch.zeros(7, dtype=torch.long), torch.tensor([0, 3])"),
        ("nn.Identity(54, unused=True)", "torch.zeros(2, 3)"),
    ],
    "convolutions": [
        ("nn.Conv1d(4, 8, 3)", "torch.zeros(2, 4, 10)"),
        ("nn.Conv1d(4, 8, 3, 2, 1, 1, 2, False)", "torch.zeros(2, 4, 10)"),
        ("nn.Conv1d(4, 8, 3, padding='same')", "torch.zeros(2, 4, 10)"),
        ("nn.Conv1d(8, 8, 4, groups=8, padding=3)", "torch.zeros(2, 8, 10)"),
        ("nn.Conv2d(3, 8, kernel_size=4, stride=4)", "torch.zeros(2, 3, 16, 20)"),
        ("nn.Conv2d(3, 8, (3, 5), stride=(1, 2), padding=(1, 0), dilation=(2, 1))", "torch.zeros(2, 3, 16, 20)"),
        ("nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)", "torch.zeros(8, 16, 20)"),
        ("nn.Conv2d(4, 8, 3, padding=1, padding_mode='reflect')", "torch.zeros(2, 4, 6, 6)"),
        ("nn.Conv3d(3, 8, (2, 4, 4), (2, 4, 4))", "torch.zeros(2, 3, 4, 8, 12)"),
        ("nn.ConvTranspose1d(4, 8, 3, stride=2)", "torch.zeros(2, 4, 10)"),
        ("nn.ConvTranspose2d(4, 8, 2, stride=2, groups=2, bias=False)", "torch.zeros(2, 4, 5, 6)"),
        ("nn.ConvTranspose2d(4, 8, 3, stride=2, padding=1, output_padding=1)", "torch.zeros(2, 4, 5, 6)"),
        ("nn.ConvTranspose3d(4, 8, 3)", "torch.zeros(2, 4, 5, 6, 7)"),
    ],
    "norms": [
        ("nn.LayerNorm(6)", "torch.zeros(2, 3, 6)"),
        ("nn.LayerNorm((3, 6), eps=1e-6)", "torch.zeros(2, 3, 6)"),
        ("nn.LayerNorm([6], elementwise_affine=False)", "torch.zeros(2, 3, 6)"),
        ("nn.LayerNorm(6, bias=False)", "torch.zeros(2, 3, 6)"),
        ("nn.RMSNorm(6)", "torch.zeros(2, 3, 6)"),
        ("nn.RMSNorm((3, 6), elementwise_affine=False)", "torch.zeros(2, 3, 6)"),
        ("nn.GroupNorm(2, 6)", "torch.zeros(2, 6, 5)"),
        ("nn.GroupNorm(2, 6, affine=False)", "torch.zeros(2, 6, 5)"),
        ("nn.BatchNorm1d(6)", "torch.zeros(2, 6, 5)"),
        ("nn.BatchNorm2d(6, affine=False)", "torch.zeros(2, 6, 5, 5)"),
        ("nn.BatchNorm3d(6, track_running_stats=False)", "torch.zeros(2, 6, 5, 5, 2)"),
        ("nn.SyncBatchNorm(6)", None),
        ("nn.InstanceNorm1d(6)", "torch.zeros(2, 6, 5)"),
        ("nn.InstanceNorm2d(6, affine=True, track_running_stats=True)", "torch.zeros(2, 6, 5, 5)"),
        ("nn.InstanceNorm3d(6)", "torch.zeros(2, 6, 5, 5, 2)"),
        ("nn.LocalResponseNorm(2)", "torch.zeros(2, 6, 5, 5)"),
    ],
    "activations": [
        (f"nn.{name}", "torch.zeros(2, 3, 4)")
        for name in [
            "Threshold(0.1, 20)", "ReLU(inplace=True)", "RReLU()", "Hardtanh()", "ReLU6()", "Sigmoid()", "Hardsigmoid()", "Tanh()", "SiLU()",
            "Mish()", "Hardswish()", "ELU()", "CELU()", "SELU()", "GLU()", "GLU(dim=-1)", "GELU()", "GELU(approximate='tanh')", "Hardshrink()",
            "LeakyReLU(0.2)", "LogSigmoid()", "Softplus()", "Softshrink()", "Softsign()", "Tanhshrink()", "Softmin(dim=-1)", "Softmax(dim=-1)",
            "LogSoftmax(dim=1)", "PReLU()", "PReLU(3)",
        ]
    ] + [("nn.Softmax2d()", "torch.zeros(2, 3, 4, 5)")],
    "dropouts": [
        ("nn.Dropout(0.1)", "torch.zeros(2, 3, 4)"),
        ("nn.Dropout1d()", "torch.zeros(2, 3, 4)"),
        ("nn.Dropout2d()", "torch.zeros(2, 3, 4, 4)"),
        ("nn.Dropout3d()", "torch.zeros(2, 3, 4, 4, 2)"),
        ("nn.AlphaDropout()", "torch.zeros(2, 3, 4)"),
        ("nn.FeatureAlphaDropout()", "torch.zeros(2, 3, 4)"),
    ],
    "pools": [
        ("nn.MaxPool1d(3, stride=2, padding=1)", "torch.zeros(2, 3, 10)"),
        ("nn.MaxPool2d(2)", "torch.zeros(2, 3, 10, 11)"),
        ("nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0))", "torch.zeros(2, 3, 10, 11)"),
        ("nn.MaxPool2d(3, 2, ceil_mode=True)", "torch.zeros(2, 3, 10, 12)"),
        ("nn.MaxPool2d(2, return_indices=True)", "torch.zeros(2, 3, 10, 12)"),
        ("nn.MaxPool3d(2)", "torch.zeros(2, 3, 4, 6, 8)"),
        ("nn.AvgPool1d(2)", "torch.zeros(2, 3, 10)"),
        ("nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)", "torch.zeros(2, 3, 10, 11)"),
        ("nn.AvgPool3d(2)", "torch.zeros(2, 3, 4, 6, 8)"),
        ("nn.LPPool2d(2, 3)", "torch.zeros(2, 3, 10, 11)"),
        ("nn.AdaptiveAvgPool1d(5)", "torch.zeros(2, 3, 10)"),
        ("nn.AdaptiveAvgPool2d((1, 1))", "torch.zeros(2, 3, 10, 11)"),
        ("nn.AdaptiveAvgPool2d((None, 7))", "torch.zeros(2, 3, 10, 11)"),
        ("nn.AdaptiveMaxPool1d(5)", "torch.zeros(2, 3, 10)"),
        ("nn.AdaptiveMaxPool2d(5)", "torch.zeros(2, 3, 10, 11)"),
    ],
    "rearrangement": [
        ("nn.Flatten()", "torch.zeros(2, 3, 4, 5)"),
        ("nn.Flatten(2)", "torch.zeros(2, 3, 4, 5)"),
        ("nn.Unflatten(1, (2, 3))", "torch.zeros(2, 6, 4)"),
        ("nn.Unflatten(-1, (2, -1))", "torch.zeros(2, 6, 4)"),
        ("nn.PixelShuffle(2)", "torch.zeros(2, 8, 3, 4)"),
        ("nn.PixelUnshuffle(2)", "torch.zeros(2, 8, 4, 6)"),
        ("nn.ChannelShuffle(2)", "torch.zeros(2, 8, 4, 6)"),
        ("nn.Unfold(2, stride=2)", "torch.zeros(2, 3, 4, 6)"),
        ("nn.Fold((4, 6), 2, stride=2)", "torch.zeros(2, 12, 6)"),
        ("nn.Upsample(scale_factor=2)", "torch.zeros(2, 3, 4, 6)"),
        ("nn.Upsample((8, 9), mode='bilinear')", "torch.zeros(2, 3, 4, 6)"),
        ("nn.UpsamplingNearest2d(scale_factor=2)", "torch.zeros(2, 3, 4, 6)"),
        ("nn.ZeroPad2d(1)", "torch.zeros(2, 3, 4, 6)"),
        ("nn.ZeroPad2d((1, 2, 3, 4))", "torch.zeros(2, 3, 4, 6)"),
        ("nn.ConstantPad1d((2, 0), 1.0)", "torch.zeros(2, 3, 4)"),
        ("nn.ReflectionPad1d(2)", "torch.zeros(2, 3, 4)"),
        ("nn.ReplicationPad2d(1)", "torch.zeros(2, 3, 4, 6)"),
        ("nn.CircularPad2d(1)", "torch.zeros(2, 3, 4, 6)"),
        ("nn.CosineSimilarity(dim=-1)", "torch.zeros(2, 3, 4), torch.zeros(2, 3, 4)"),
        ("nn.PairwiseDistance()", "torch.zeros(2, 4), torch.zeros(2, 4)"),
    ],
    "losses": [
        ("nn.CrossEntropyLoss(ignore_index=-1)", "torch.zeros(6, 5), torch.zeros(6, dtype=torch.long)"),
        ("nn.CrossEntropyLoss(reduction='none')", "torch.zeros(6, 5), torch.zeros(6, dtype=torch.long)"),
        ("nn.NLLLoss()", "torch.zeros(6, 5), torch.zeros(6, dtype=torch.long)"),
        ("nn.MSELoss()", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.MSELoss(reduction='none')", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.L1Loss()", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.SmoothL1Loss(reduction='sum')", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.BCEWithLogitsLoss()", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.BCELoss()", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.KLDivLoss(reduction='batchmean')", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.HuberLoss()", "torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.CosineEmbeddingLoss()", "torch.zeros(6, 5), torch.zeros(6, 5), torch.ones(6)"),
        ("nn.TripletMarginLoss()", "torch.zeros(6, 5), torch.zeros(6, 5), torch.zeros(6, 5)"),
        ("nn.MarginRankingLoss()", "torch.zeros(6), torch.zeros(6), torch.ones(6)"),
    ],
    "attention": [
        ("nn.MultiheadAttention(8, 2)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8), torch.zeros(7, 3, 8)"),
        ("nn.MultiheadAttention(8, 2, batch_first=True)", "torch.zeros(3, 5, 8), torch.zeros(3, 7, 8), torch.zeros(3, 7, 8)"),
        ("nn.MultiheadAttention(8, 2, batch_first=True)", "torch.zeros(5, 8), torch.zeros(7, 8), torch.zeros(7, 8)"),
        ("nn.MultiheadAttention(8, 2, bias=False, kdim=6, vdim=10)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 6), torch.zeros(7, 3, 10)"),
        ("nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8), torch.zeros(7, 3, 8)"),
        ("nn.MultiheadAttention(8, 4, dropout=0.1)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8), torch.zeros(7, 3, 8), need_weights=False"),
        ("nn.MultiheadAttention(8, 4)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8), torch.zeros(7, 3, 8), average_attn_weights=False"),
        ("nn.MultiheadAttention(8, 4)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8), torch.zeros(7, 3, 8), torch.zeros(3, 7), True, torch.zeros(5, 7)"),
    ],
    "transformer": [
        ("nn.TransformerEncoderLayer(8, 2, 16)", "torch.zeros(5, 3, 8)"),
        ("nn.TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16, activation='gelu', batch_first=True, norm_first=True, bias=False)", "torch.zeros(3, 5, 8)"),
        ("nn.TransformerDecoderLayer(8, 2, 16)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8)"),
        ("nn.TransformerDecoderLayer(8, 2, 16, norm_first=True, batch_first=True)", "torch.zeros(3, 5, 8), torch.zeros(3, 7, 8)"),
        ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), num_layers=3)", "torch.zeros(3, 5, 8)"),
        ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2, norm=nn.LayerNorm(8))", "torch.zeros(5, 3, 8)"),
        ("nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2)", "torch.zeros(5, 3, 8), torch.zeros(7, 3, 8)"),
        ("nn.Transformer(8, 2, 1, 2, 16)", "torch.zeros(7, 3, 8), torch.zeros(5, 3, 8)"),
        ("nn.Transformer(8, 2, 1, 1, 16, batch_first=True, bias=False)", "torch.zeros(3, 7, 8), torch.zeros(3, 5, 8)"),
    ],
    "recurrent": [
        ("nn.LSTM(4, 6)", "torch.zeros(5, 3, 4)"),
        ("nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)", "torch.zeros(3, 5, 4)"),
        ("nn.LSTM(4, 6, proj_size=2, bias=False)", "torch.zeros(5, 3, 4)"),
        ("nn.LSTM(4, 6, num_layers=2)", "torch.zeros(5, 4)"),
        ("nn.GRU(4, 6, 2)", "torch.zeros(5, 3, 4)"),
        ("nn.RNN(4, 6, 1, 'relu', batch_first=True)", "torch.zeros(3, 5, 4)"),
        ("nn.LSTMCell(4, 6)", "torch.zeros(3, 4)"),
        ("nn.GRUCell(4, 6, bias=False)", "torch.zeros(3, 4)"),
        ("nn.RNNCell(4, 6)", "torch.zeros(4)"),
    ],
    "containers": [
        ("nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))", "torch.zeros(3, 4)"),
        ("nn.Sequential(collections.OrderedDict([('a', nn.Linear(4, 6)), ('b', nn.Linear(6, 2))]))", "torch.zeros(3, 4)"),
        ("nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 2))[:1]", "torch.zeros(3, 4)"),
        ("nn.Sequential(nn.Linear(4, 6)).append(nn.Linear(6, 2))", "torch.zeros(3, 4)"),
        ("nn.Sequential(*[nn.Linear(4, 4) for _ in range(3)])", "torch.zeros(3, 4)"),
        ("nn.ModuleList([nn.Linear(4, 6), nn.Linear(6, 2)])", None),
        ("nn.ModuleList(nn.Linear(4, i + 1) for i in range(3))", None),
        ("nn.ModuleList([nn.Linear(4, i + 1) for i in range(4)])[1:3]", None),
        ("nn.ModuleList([nn.Linear(4, 6)]).extend([nn.Linear(1, 2)]).append(nn.Linear(2, 3))", None),
        ("nn.ModuleList([nn.Linear(4, 6)]) + [nn.Linear(1, 2)]", None),
        ("nn.ModuleDict({'a': nn.Linear(4, 6), 'b': nn.Linear(6, 2)})", None),
        ("nn.ModuleDict([['a', nn.Linear(4, 6)]])", None),
        ("nn.ParameterList([nn.Parameter(torch.zeros(2, i + 1)) for i in range(3)])", None),
        ("nn.ParameterList([torch.zeros(2, 3)])", None),
        ("nn.ParameterDict({'left': nn.Parameter(torch.zeros(5)), 'right': torch.zeros(6)})", None),
    ],
    "wrappers": [
        ("nn.utils.weight_norm(nn.Conv1d(4, 8, 3))", "torch.zeros(2, 4, 10)"),
        ("nn.utils.weight_norm(nn.Conv1d(4, 8, 3), name='weight', dim=2)", "torch.zeros(2, 4, 10)"),
        ("nn.utils.weight_norm(nn.Linear(4, 8), dim=None)", "torch.zeros(2, 4)"),
        ("nn.utils.spectral_norm(nn.Linear(4, 8))", "torch.zeros(2, 4)"),
        ("nn.utils.spectral_norm(nn.ConvTranspose1d(4, 8, 3))", "torch.zeros(2, 4, 10)"),
        ("nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3), name='weight', dim=2)", "torch.zeros(2, 4, 10)"),
        ("nn.utils.parametrizations.spectral_norm(nn.Linear(4, 8))", "torch.zeros(2, 4)"),
        ("nn.utils.parametrizations.orthogonal(nn.Linear(4, 4))", "torch.zeros(2, 4)"),
        ("nn.utils.skip_init(nn.Linear, 4, 8)", "torch.zeros(2, 4)"),
        ("copy.deepcopy(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)))", "torch.zeros(2, 4)"),
    ],
}


def shapes(value):
    if value is None:
        return None
    if isinstance(value, torch.Tensor):
        return list(value.shape)
    return {"tuple": [shapes(item) for item in value]}


cases = []
for theme, entries in CASES.items():
    for module_source, inputs in entries:
        import collections, copy  # noqa: E401, F401

        module = eval(module_source)
        case = {
            "theme": theme,
            "module": module_source,
            "inputs": inputs,
            "parameters": {name: list(p.shape) for name, p in module.named_parameters()},
            "buffers": {name: list(b.shape) for name, b in module.named_buffers()},
        }
        if inputs is not None:
            module.eval()
            if "MaxPool" not in module_source:
                module.train()
            case["output"] = shapes(eval(f"module({inputs})"))
        cases.append(case)

text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
pathlib.Path(__file__).with_name("layers.generated.json").write_text(text)
