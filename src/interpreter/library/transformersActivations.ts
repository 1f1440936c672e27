/** `transformers.activations` as Python: activations by name. */

/** Class, and the function of one tensor that it is. */
const functions: Readonly<Record<string, string>> = {
  GELUActivation: 'nn.functional.gelu(input)',
  GELUTanh: 'nn.functional.gelu(input, approximate="tanh")',
  NewGELUActivation: 'nn.functional.gelu(input, approximate="tanh")',
  FastGELUActivation: 'nn.functional.gelu(input, approximate="tanh")',
  AccurateGELUActivation: 'nn.functional.gelu(input, approximate="tanh")',
  QuickGELUActivation: 'input * torch.sigmoid(1.702 * input)',
  ClippedGELUActivation: 'torch.clip(nn.functional.gelu(input), self.min, self.max)',
  SiLUActivation: 'nn.functional.silu(input)',
  MishActivation: 'nn.functional.mish(input)',
  LinearActivation: 'input',
  LaplaceActivation: '0.5 * (1.0 + torch.erf((input - 0.707107) / (0.282095 * 1.4142135)))',
  ReLUSquaredActivation: 'torch.square(nn.functional.relu(input))',
  SqrtSoftplusActivation: 'torch.sqrt(nn.functional.softplus(input))',
};

const names: Readonly<Record<string, string>> = {
  gelu: 'GELUActivation',
  gelu_10: 'ClippedGELUActivation',
  gelu_fast: 'FastGELUActivation',
  gelu_new: 'NewGELUActivation',
  gelu_python: 'GELUActivation',
  gelu_pytorch_tanh: 'GELUTanh',
  gelu_python_tanh: 'GELUTanh',
  gelu_accurate: 'AccurateGELUActivation',
  hardswish: 'nn.Hardswish',
  laplace: 'LaplaceActivation',
  leaky_relu: 'nn.LeakyReLU',
  linear: 'LinearActivation',
  mish: 'MishActivation',
  quick_gelu: 'QuickGELUActivation',
  relu: 'nn.ReLU',
  relu2: 'ReLUSquaredActivation',
  relu6: 'nn.ReLU6',
  sigmoid: 'nn.Sigmoid',
  silu: 'SiLUActivation',
  sqrtsoftplus: 'SqrtSoftplusActivation',
  swish: 'nn.SiLU',
  tanh: 'nn.Tanh',
  prelu: 'nn.PReLU',
  xielu: 'XIELUActivation',
};

const classes = Object.entries(functions)
  .map(([name, body]) => {
    const setUp =
      name === 'ClippedGELUActivation'
        ? '    def __init__(self, min=-10, max=10):\n        super().__init__()\n        self.min = min\n        self.max = max\n\n'
        : '    def __init__(self, *args, **kwargs):\n        super().__init__()\n\n';
    return `class ${name}(nn.Module):\n${setUp}    def forward(self, input, *args):\n        return ${body}\n`;
  })
  .join('\n\n');

const instances = ['gelu_python', 'gelu_new', 'gelu', 'gelu_fast', 'gelu_pytorch_tanh', 'quick_gelu', 'silu', 'mish']
  .map((name) => `${name} = get_activation("${name}")\n`)
  .join('');

export const activationsPrelude: ReadonlyMap<string, string> = new Map([
  [
    'transformers.activations',
    `
import headwise as _headwise
import torch
from torch import nn


${classes}

PytorchGELUTanh = GELUTanh


class XIELUActivation(nn.Module):
    def __init__(self, alpha_p_init=0.8, alpha_n_init=0.8, beta=0.5, eps=-1e-6, dtype=None, with_vector_loads=False):
        super().__init__()
        self.alpha_p = nn.Parameter(torch.zeros(1))
        self.alpha_n = nn.Parameter(torch.zeros(1))
        self.register_buffer("beta", torch.tensor(beta))
        self.register_buffer("eps", torch.tensor(eps))

    def forward(self, input):
        alpha_p = nn.functional.softplus(self.alpha_p)
        alpha_n = self.beta + nn.functional.softplus(self.alpha_n)
        return torch.where(
            input > 0,
            alpha_p * input * input + self.beta * input,
            (torch.expm1(torch.min(input, self.eps)) - input) * alpha_n + self.beta * input,
        )


ACT2CLS = {
${Object.entries(names)
  .map(([name, type]) => `    "${name}": ${type},`)
  .join('\n')}
}


class _AnyActivation(nn.Module):
    def forward(self, input):
        return _headwise.result('activation', input.shape, input)


class ClassInstantier:
    def __init__(self, classes):
        self.classes = classes

    def __getitem__(self, key):
        found = self.classes[key]
        return _AnyActivation() if _headwise.is_unknown(found) else found()

    def __contains__(self, key):
        return key in self.classes

    def get(self, key, default=None):
        return self.classes[key]() if key in self.classes else default

    def keys(self):
        return self.classes.keys()


ACT2FN = ClassInstantier(ACT2CLS)


def get_activation(activation_string):
    return ACT2FN[activation_string]


${instances}linear_act = get_activation("linear")
`,
  ],
]);
