/** The layers of `torch.nn`: projections, convolutions, norms, embeddings, activations, pooling, padding and losses. */

/** A layer without parameters: its settings become attributes of the same names. */
function layer(name: string, settings: string, forward: string, inputs = 'input', base = 'Module'): string {
  const names = settings
    .split(',')
    .map((each) => each.split('=')[0]?.trim() ?? '')
    .filter((each) => /^\w+$/.test(each));
  const body = names.map((each) => `        self.${each} = ${each}`).join('\n');
  const init = settings === '' ? '' : `    def __init__(self, ${settings}):\n${body}\n\n`;
  return `class ${name}(${base}):\n${init}    def forward(self, ${inputs}):\n        return ${forward}\n`;
}

/** The layers of one, two and three dimensions that differ in a number only. */
const dimensions = (make: (n: number) => string): string => [1, 2, 3].map(make).join('\n\n');

const activations = [
  layer('Threshold', 'threshold, value, inplace=False', 'F.threshold(input, self.threshold, self.value, self.inplace)'),
  layer('ReLU', 'inplace=False', 'F.relu(input, self.inplace)'),
  layer(
    'RReLU',
    'lower=0.125, upper=0.3333333333333333, inplace=False',
    'F.rrelu(input, self.lower, self.upper, self.training, self.inplace)',
  ),
  layer('Hardtanh', 'min_val=-1.0, max_val=1.0, inplace=False', 'F.hardtanh(input, self.min_val, self.max_val, self.inplace)'),
  layer('ReLU6', 'inplace=False', 'F.relu6(input, self.inplace)'),
  layer('Sigmoid', '', 'torch.sigmoid(input)'),
  layer('Hardsigmoid', 'inplace=False', 'F.hardsigmoid(input, self.inplace)'),
  layer('Tanh', '', 'torch.tanh(input)'),
  layer('SiLU', 'inplace=False', 'F.silu(input, self.inplace)'),
  layer('Mish', 'inplace=False', 'F.mish(input, self.inplace)'),
  layer('Hardswish', 'inplace=False', 'F.hardswish(input, self.inplace)'),
  layer('ELU', 'alpha=1.0, inplace=False', 'F.elu(input, self.alpha, self.inplace)'),
  layer('CELU', 'alpha=1.0, inplace=False', 'F.celu(input, self.alpha, self.inplace)'),
  layer('SELU', 'inplace=False', 'F.selu(input, self.inplace)'),
  layer('GLU', 'dim=-1', 'F.glu(input, self.dim)'),
  layer('GELU', "approximate='none'", 'F.gelu(input, approximate=self.approximate)'),
  layer('Hardshrink', 'lambd=0.5', 'F.hardshrink(input, self.lambd)'),
  layer('LeakyReLU', 'negative_slope=0.01, inplace=False', 'F.leaky_relu(input, self.negative_slope, self.inplace)'),
  layer('LogSigmoid', '', 'F.logsigmoid(input)'),
  layer('Softplus', 'beta=1.0, threshold=20.0', 'F.softplus(input, self.beta, self.threshold)'),
  layer('Softshrink', 'lambd=0.5', 'F.softshrink(input, self.lambd)'),
  layer('Softsign', '', 'F.softsign(input)'),
  layer('Tanhshrink', '', 'F.tanhshrink(input)'),
  layer('Softmin', 'dim=None', 'F.softmin(input, self.dim)'),
  layer('Softmax', 'dim=None', 'F.softmax(input, self.dim)'),
  layer('Softmax2d', '', 'F.softmax(input, -3)'),
  layer('LogSoftmax', 'dim=None', 'F.log_softmax(input, self.dim)'),
].join('\n\n');

const pooling = [
  dimensions((n) =>
    layer(
      `MaxPool${n}d`,
      'kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False',
      `F.max_pool${n}d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)`,
    ),
  ),
  layer(
    'AvgPool1d',
    'kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True',
    'F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)',
  ),
  ...[2, 3].map((n) =>
    layer(
      `AvgPool${n}d`,
      'kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None',
      `F.avg_pool${n}d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)`,
    ),
  ),
  dimensions((n) =>
    layer(
      `LPPool${n}d`,
      'norm_type, kernel_size, stride=None, ceil_mode=False',
      `F.lp_pool${n}d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)`,
    ),
  ),
  dimensions((n) => layer(`AdaptiveAvgPool${n}d`, 'output_size', `F.adaptive_avg_pool${n}d(input, self.output_size)`)),
  dimensions((n) =>
    layer(
      `AdaptiveMaxPool${n}d`,
      'output_size, return_indices=False',
      `F.adaptive_max_pool${n}d(input, self.output_size, self.return_indices)`,
    ),
  ),
  dimensions((n) =>
    layer(
      `MaxUnpool${n}d`,
      'kernel_size, stride=None, padding=0',
      `F.max_unpool${n}d(input, indices, self.kernel_size, self.stride, self.padding, output_size)`,
      'input, indices, output_size=None',
    ),
  ),
].join('\n\n');

const padding = [
  dimensions(
    (n) => `class ZeroPad${n}d(Module):
    def __init__(self, padding):
        self.padding = headwise.ntuple(padding, ${2 * n})

    def forward(self, input):
        return F.pad(input, self.padding)
`,
  ),
  dimensions(
    (n) => `class ConstantPad${n}d(Module):
    def __init__(self, padding, value):
        self.padding = headwise.ntuple(padding, ${2 * n})
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, 'constant', self.value)
`,
  ),
  ...(
    [
      ['Reflection', 'reflect'],
      ['Replication', 'replicate'],
      ['Circular', 'circular'],
    ] as const
  ).map(([name, mode]) =>
    dimensions(
      (n) => `class ${name}Pad${n}d(Module):
    def __init__(self, padding):
        self.padding = headwise.ntuple(padding, ${2 * n})

    def forward(self, input):
        return F.pad(input, self.padding, '${mode}')
`,
    ),
  ),
].join('\n\n');

const convolutions = `
class _ConvNd(Module):
    def _setup(self, n, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, transposed, output_padding):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = headwise.ntuple(kernel_size, n)
        self.stride = headwise.ntuple(stride, n)
        self.padding = padding if isinstance(padding, str) else headwise.ntuple(padding, n)
        self.dilation = headwise.ntuple(dilation, n)
        self.groups = groups
        self.padding_mode = padding_mode
        self.transposed = transposed
        self.output_padding = headwise.ntuple(output_padding, n)
        if transposed:
            self.weight = Parameter(torch.empty((in_channels, out_channels // groups) + self.kernel_size))
        else:
            self.weight = Parameter(torch.empty((out_channels, in_channels // groups) + self.kernel_size))
        if bias:
            self.bias = Parameter(torch.empty(out_channels))
        else:
            self.bias = None

    def reset_parameters(self):
        pass


${dimensions(
  (n) => `class Conv${n}d(_ConvNd):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros', device=None, dtype=None):
        self._setup(${n}, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, False, 0)

    def _conv_forward(self, input, weight, bias):
        return F.conv${n}d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)
`,
)}


${dimensions(
  (n) => `class ConvTranspose${n}d(_ConvNd):
    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, padding_mode='zeros', device=None, dtype=None):
        self._setup(${n}, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, True, output_padding)

    def forward(self, input, output_size=None):
        out = F.conv_transpose${n}d(input, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation)
        if output_size is not None:
            return headwise.result('conv_transpose${n}d', out.shape[:-${n}] + tuple(output_size)[-${n}:], out)
        return out
`,
)}
`;

const batchNorm = (name: string): string => `class ${name}(_BatchNorm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, bias=True):
        self._setup(num_features, eps, momentum, affine, track_running_stats, bias)
`;

const norms = `
class LayerNorm(Module):
    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        self.normalized_shape = headwise.ntuple(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = None
        self.bias = None
        if elementwise_affine:
            self.weight = Parameter(torch.empty(self.normalized_shape))
            if bias:
                self.bias = Parameter(torch.empty(self.normalized_shape))

    def reset_parameters(self):
        pass

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(Module):
    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        self.normalized_shape = headwise.ntuple(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(torch.empty(self.normalized_shape))
        else:
            self.weight = None

    def reset_parameters(self):
        pass

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, bias=True):
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = None
        self.bias = None
        if affine:
            self.weight = Parameter(torch.empty(num_channels))
            if bias:
                self.bias = Parameter(torch.empty(num_channels))

    def reset_parameters(self):
        pass

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class _BatchNorm(Module):
    def _setup(self, num_features, eps, momentum, affine, track_running_stats, bias=True):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = None
        self.bias = None
        if affine:
            self.weight = Parameter(torch.empty(num_features))
            if bias:
                self.bias = Parameter(torch.empty(num_features))
        self.running_mean = None
        self.running_var = None
        self.num_batches_tracked = None
        if track_running_stats:
            self.register_buffer('running_mean', torch.zeros(num_features))
            self.register_buffer('running_var', torch.ones(num_features))
            self.register_buffer('num_batches_tracked', torch.tensor(0, dtype=torch.long))

    def reset_parameters(self):
        pass

    def reset_running_stats(self):
        pass

    def forward(self, input):
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps)


${dimensions((n) => batchNorm(`BatchNorm${n}d`))}

class SyncBatchNorm(_BatchNorm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, process_group=None, device=None, dtype=None, bias=True):
        self._setup(num_features, eps, momentum, affine, track_running_stats, bias)
        self.process_group = process_group

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        return module


class _InstanceNorm(_BatchNorm):
    def forward(self, input):
        return F.instance_norm(input, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps)


${dimensions(
  (n) => `class InstanceNorm${n}d(_InstanceNorm):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None, dtype=None, bias=True):
        self._setup(num_features, eps, momentum, affine, track_running_stats, bias)
`,
)}

class LocalResponseNorm(Module):
    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)
`;

const projections = `
class Linear(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.empty(out_features, in_features))
        if bias:
            self.bias = Parameter(torch.empty(out_features))
        else:
            self.bias = None

    def reset_parameters(self):
        pass

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)


class NonDynamicallyQuantizableLinear(Linear):
    pass


class LazyLinear(Module):
    def __init__(self, out_features, bias=True, device=None, dtype=None):
        self.out_features = out_features
        self.weight = None
        self.bias = Parameter(torch.empty(out_features)) if bias else None

    def forward(self, input):
        if self.weight is None:
            self.weight = Parameter(torch.empty(self.out_features, input.shape[-1]))
        return F.linear(input, self.weight, self.bias)


class Bilinear(Module):
    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None):
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(torch.empty(out_features, in1_features, in2_features))
        if bias:
            self.bias = Parameter(torch.empty(out_features))
        else:
            self.bias = None

    def reset_parameters(self):
        pass

    def forward(self, input1, input2):
        return F.bilinear(input1, input2, self.weight, self.bias)


class PReLU(Module):
    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        self.num_parameters = num_parameters
        self.weight = Parameter(torch.empty(num_parameters))

    def forward(self, input):
        return F.prelu(input, self.weight)


class Embedding(Module):
    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False, _weight=None, _freeze=False, device=None, dtype=None):
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            self.weight = Parameter(torch.empty(num_embeddings, embedding_dim))
        else:
            self.weight = Parameter(_weight)

    def reset_parameters(self):
        pass

    def forward(self, input):
        return F.embedding(input, self.weight, self.padding_idx)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx, _weight=embeddings)


class EmbeddingBag(Module):
    def __init__(self, num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, mode='mean', sparse=False, _weight=None, include_last_offset=False, padding_idx=None, device=None, dtype=None):
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.mode = mode
        self.include_last_offset = include_last_offset
        self.padding_idx = padding_idx
        if _weight is None:
            self.weight = Parameter(torch.empty(num_embeddings, embedding_dim))
        else:
            self.weight = Parameter(_weight)

    def forward(self, input, offsets=None, per_sample_weights=None):
        if offsets is not None:
            bags = offsets.shape[0] - 1 if self.include_last_offset else offsets.shape[0]
            return headwise.result('embedding_bag', (bags, self.embedding_dim), input, self.weight, offsets)
        return F.embedding_bag(input, self.weight, offsets, mode=self.mode, per_sample_weights=per_sample_weights, include_last_offset=self.include_last_offset)

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, **kwargs):
        rows, columns = embeddings.shape
        return cls(rows, columns, _weight=embeddings)
`;

const dropouts = ['Dropout', 'Dropout1d', 'Dropout2d', 'Dropout3d', 'AlphaDropout', 'FeatureAlphaDropout']
  .map((name) =>
    layer(
      name,
      'p=0.5, inplace=False',
      `F.${{ AlphaDropout: 'alpha_dropout', FeatureAlphaDropout: 'feature_alpha_dropout' }[name] ?? name.toLowerCase()}(input, self.p, self.training, self.inplace)`,
    ),
  )
  .join('\n\n');

const rearrangement = [
  layer('Flatten', 'start_dim=1, end_dim=-1', 'torch.flatten(input, self.start_dim, self.end_dim)'),
  layer('Unflatten', 'dim, unflattened_size', 'torch.unflatten(input, self.dim, self.unflattened_size)'),
  layer('PixelShuffle', 'upscale_factor', 'F.pixel_shuffle(input, self.upscale_factor)'),
  layer('PixelUnshuffle', 'downscale_factor', 'F.pixel_unshuffle(input, self.downscale_factor)'),
  layer('ChannelShuffle', 'groups', 'F.channel_shuffle(input, self.groups)'),
  layer(
    'Fold',
    'output_size, kernel_size, dilation=1, padding=0, stride=1',
    'F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)',
  ),
  layer(
    'Unfold',
    'kernel_size, dilation=1, padding=0, stride=1',
    'F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)',
  ),
  layer(
    'Upsample',
    "size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None",
    'F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners)',
  ),
  `class UpsamplingNearest2d(Upsample):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, mode='nearest')
`,
  `class UpsamplingBilinear2d(Upsample):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, mode='bilinear', align_corners=True)
`,
  layer('CosineSimilarity', 'dim=1, eps=1e-8', 'F.cosine_similarity(x1, x2, self.dim, self.eps)', 'x1, x2'),
  layer('PairwiseDistance', 'p=2.0, eps=1e-6, keepdim=False', 'F.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)', 'x1, x2'),
].join('\n\n');

const old = "size_average=None, reduce=None, reduction='mean'";
const loss = (name: string, settings: string, forward: string, inputs = 'input, target'): string =>
  layer(name, settings, `F.${forward.replace(/\)$/, ', reduction=self.reduction)')}`, inputs);

const losses = [
  loss('L1Loss', old, 'l1_loss(input, target)'),
  loss('MSELoss', old, 'mse_loss(input, target)'),
  loss('SmoothL1Loss', `${old}, beta=1.0`, 'smooth_l1_loss(input, target, beta=self.beta)'),
  loss('HuberLoss', "reduction='mean', delta=1.0", 'huber_loss(input, target, delta=self.delta)'),
  loss('KLDivLoss', `${old}, log_target=False`, 'kl_div(input, target, log_target=self.log_target)'),
  loss('BCELoss', `weight=None, ${old}`, 'binary_cross_entropy(input, target, self.weight)'),
  loss(
    'BCEWithLogitsLoss',
    `weight=None, ${old}, pos_weight=None`,
    'binary_cross_entropy_with_logits(input, target, self.weight, pos_weight=self.pos_weight)',
  ),
  loss(
    'CrossEntropyLoss',
    "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0",
    'cross_entropy(input, target, self.weight, ignore_index=self.ignore_index, label_smoothing=self.label_smoothing)',
  ),
  loss(
    'NLLLoss',
    "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
    'nll_loss(input, target, self.weight, ignore_index=self.ignore_index)',
  ),
  loss(
    'PoissonNLLLoss',
    "log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction='mean'",
    'poisson_nll_loss(log_input, target, log_input=self.log_input, full=self.full)',
    'log_input, target',
  ),
  loss('HingeEmbeddingLoss', `margin=1.0, ${old}`, 'hinge_embedding_loss(input, target, margin=self.margin)'),
  loss('MultiLabelMarginLoss', old, 'multilabel_margin_loss(input, target)'),
  loss('MultiLabelSoftMarginLoss', `weight=None, ${old}`, 'multilabel_soft_margin_loss(input, target, self.weight)'),
  loss('MultiMarginLoss', `p=1, margin=1.0, weight=None, ${old}`, 'multi_margin_loss(input, target, p=self.p, margin=self.margin)'),
  loss('SoftMarginLoss', old, 'soft_margin_loss(input, target)'),
  loss(
    'CosineEmbeddingLoss',
    `margin=0.0, ${old}`,
    'cosine_embedding_loss(input1, input2, target, margin=self.margin)',
    'input1, input2, target',
  ),
  loss(
    'MarginRankingLoss',
    `margin=0.0, ${old}`,
    'margin_ranking_loss(input1, input2, target, margin=self.margin)',
    'input1, input2, target',
  ),
  loss(
    'TripletMarginLoss',
    `margin=1.0, p=2.0, eps=1e-6, swap=False, ${old}`,
    'triplet_margin_loss(anchor, positive, negative, margin=self.margin)',
    'anchor, positive, negative',
  ),
  loss(
    'GaussianNLLLoss',
    "*, full=False, eps=1e-6, reduction='mean'",
    'gaussian_nll_loss(input, target, var, full=self.full)',
    'input, target, var',
  ),
  loss(
    'CTCLoss',
    "blank=0, reduction='mean', zero_infinity=False",
    'ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=self.blank)',
    'log_probs, targets, input_lengths, target_lengths',
  ),
].join('\n\n');

export const torchLayers = [projections, convolutions, norms, activations, dropouts, pooling, padding, rearrangement, losses].join('\n\n');
