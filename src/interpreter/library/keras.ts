import { arrayFunctions } from './arrays.ts';

/** Keras 3: layers that make their weights when they first see an input. Kernels are (inputs, outputs). */
const layers = `
class Layer:
    def __init__(self, *args, **kwargs):
        self.built = False

    def build(self, *args, **kwargs):
        pass

    def add_weight(self, shape=None, *args, name=None, **kwargs):
        if shape is None:
            shape = ()
        return torch.nn.Parameter(torch.empty(tuple(shape)))

    def __call__(self, *args, **kwargs):
        if not self.built:
            self.built = True
            if len(args) > 0:
                # One that takes several inputs may ask for the shape of each, by names of its own.
                first = args[0]
                shape = [each.shape for each in first] if isinstance(first, (list, tuple)) else first.shape
                self.build(shape, **headwise.open_dict())
        # What runs a layer tells it these where it asks for them, and keeps them to itself where not.
        for name in ('training', 'mask'):
            if name in kwargs:
                if not headwise.takes(self.call, name):
                    kwargs.pop(name)
            elif headwise.needs(self.call, name, len(args)):
                kwargs[name] = headwise.unknown(name)
        return self.call(*args, **kwargs)

    def call(self, *args, **kwargs):
        return headwise.unknown('a layer without a call')


class Model(Layer):
    pass


class Sequential(Model):
    def __init__(self, layers=None, **kwargs):
        super().__init__()
        self.layers = list(layers) if layers is not None else []

    def add(self, layer):
        self.layers.append(layer)

    def call(self, inputs, **kwargs):
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs


def Input(shape=None, **kwargs):
    return headwise.unknown('an input')


class Dense(Layer):
    def __init__(self, units, activation=None, use_bias=True, **kwargs):
        super().__init__()
        self.units = units
        self.use_bias = use_bias

    def build(self, shape):
        self.kernel = torch.nn.Parameter(torch.empty(shape[-1], self.units))
        self.bias = torch.nn.Parameter(torch.empty(self.units)) if self.use_bias else None

    def call(self, inputs):
        return F.linear(inputs, self.kernel.T, self.bias)


class Embedding(Layer):
    def __init__(self, input_dim, output_dim, **kwargs):
        super().__init__()
        self.embeddings = torch.nn.Parameter(torch.empty(input_dim, output_dim))

    def call(self, inputs):
        return F.embedding(inputs, self.embeddings)


class LayerNormalization(Layer):
    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, **kwargs):
        super().__init__()
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

    def build(self, shape):
        self.gamma = torch.nn.Parameter(torch.empty(shape[-1])) if self.scale else None
        self.beta = torch.nn.Parameter(torch.empty(shape[-1])) if self.center else None

    def call(self, inputs):
        return F.layer_norm(inputs, (inputs.shape[-1],), self.gamma, self.beta, self.epsilon)


class RMSNormalization(Layer):
    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__()
        self.epsilon = epsilon

    def build(self, shape):
        self.scale = torch.nn.Parameter(torch.empty(shape[-1]))

    def call(self, inputs):
        return F.rms_norm(inputs, (inputs.shape[-1],), self.scale, self.epsilon)


class Dropout(Layer):
    def __init__(self, rate, **kwargs):
        super().__init__()
        self.rate = rate

    def call(self, inputs, training=False):
        return F.dropout(inputs, self.rate)


class Activation(Layer):
    def __init__(self, activation, **kwargs):
        super().__init__()

    def call(self, inputs):
        return torch.relu(inputs)


class Softmax(Layer):
    def __init__(self, axis=-1, **kwargs):
        super().__init__()
        self.axis = axis

    def call(self, inputs, mask=None):
        return torch.softmax(inputs, dim=self.axis)


class Add(Layer):
    def call(self, inputs):
        total = inputs[0]
        for each in inputs[1:]:
            total = total + each
        return total


class Concatenate(Layer):
    def __init__(self, axis=-1, **kwargs):
        super().__init__()
        self.axis = axis

    def call(self, inputs):
        return torch.cat(inputs, dim=self.axis)


class Reshape(Layer):
    def __init__(self, target_shape, **kwargs):
        super().__init__()
        self.target_shape = target_shape

    def call(self, inputs):
        return inputs.reshape(inputs.shape[0], *self.target_shape)


class Permute(Layer):
    def __init__(self, dims, **kwargs):
        super().__init__()
        self.dims = dims

    def call(self, inputs):
        return torch.permute(inputs, (0, *self.dims))


class MultiHeadAttention(Layer):
    def __init__(self, num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None, **kwargs):
        super().__init__()
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = key_dim if value_dim is None else value_dim
        self.use_bias = use_bias
        self.output_width = output_shape

    def call(self, query, value, key=None, attention_mask=None, return_attention_scores=False, use_causal_mask=False, **kwargs):
        key = value if key is None else key
        heads = self.num_heads
        self.query_kernel = torch.nn.Parameter(torch.empty(heads * self.key_dim, query.shape[-1]))
        self.key_kernel = torch.nn.Parameter(torch.empty(heads * self.key_dim, key.shape[-1]))
        self.value_kernel = torch.nn.Parameter(torch.empty(heads * self.value_dim, value.shape[-1]))
        q = F.linear(query, self.query_kernel).unflatten(-1, (heads, self.key_dim)).transpose(-3, -2)
        k = F.linear(key, self.key_kernel).unflatten(-1, (heads, self.key_dim)).transpose(-3, -2)
        v = F.linear(value, self.value_kernel).unflatten(-1, (heads, self.value_dim)).transpose(-3, -2)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=attention_mask, is_causal=use_causal_mask)
        out = out.transpose(-3, -2).flatten(-2)
        width = query.shape[-1] if self.output_width is None else self.output_width
        self.output_kernel = torch.nn.Parameter(torch.empty(width, heads * self.value_dim))
        out = F.linear(out, self.output_kernel)
        if return_attention_scores:
            return out, torch.softmax(torch.matmul(q, k.transpose(-2, -1)) * self.key_dim ** -0.5, dim=-1)
        return out
`;

/** Keras' modules by name; `tensorflow.keras` is taken for the same. */
export const keras: readonly (readonly [string, string])[] = [
  ['keras', [arrayFunctions, layers].join('\n\n')],
  ['keras.layers', 'from keras import *\n'],
  ['keras.models', 'from keras import *\n'],
  ['keras.ops', arrayFunctions],
  ['keras.activations', arrayFunctions],
  ['keras.initializers', 'from jax.nn.initializers import *\n'],
  ['tensorflow.keras', 'from keras import *\n'],
  ['tensorflow.keras.layers', 'from keras import *\n'],
  ['tensorflow.keras.models', 'from keras import *\n'],
];
