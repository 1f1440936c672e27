import assert from 'node:assert/strict';
import { formatWritten } from '../../../src/annotations/contract.ts';
import { parseDocstring } from '../../../src/annotations/docstring.ts';

const show = (text: string): readonly string[] =>
  parseDocstring(text).map(
    ({ subject, names, to, each }) =>
      `${subject === 'return' ? 'return ' : ''}${names.map(({ text: name }) => name).join(', ')}${each ? ' each' : ''}: ${formatWritten(to)}`,
  );

describe('docstrings', () => {
  it('reads Sphinx fields', () => {
    assert.deepEqual(
      show(`Attends.

    :param x: [batch, length, d_model]
    :param Tensor mask: mask of shape (B, T)
    :param dim: the width (default: 3)
    :return: [batch, length, d_model]
    `),
      ['x: (batch, length, d_model)', 'mask: (B, T)', 'return : (batch, length, d_model)'],
    );
  });

  it('reads Google blocks, with lines that go on', () => {
    assert.deepEqual(
      show(`Attends.

    Args:
        x (Tensor): of shape (b, s, d)
        mask: the mask, one row for
            a query, shape \`[B, T, C]\`.
        heads (int): how many (batch, head) pairs
        y: \`(batch_size, 1)\`

    Returns:
        Tensor of shape (b, s, d)
    `),
      ['x: (b, s, d)', 'mask: (B, T, C)', 'y: (batch_size, 1)', 'return : (b, s, d)'],
    );
  });

  it('reads NumPy blocks', () => {
    assert.deepEqual(
      show(`Attends.

    Parameters
    ----------
    x : Tensor of shape (b, s, d)
        The input.
    k : int
        Count.

    Returns
    -------
    out : Tensor
        The output, shape: (b, s, k).
    `),
      ['x: (b, s, d)', 'return out: (b, s, k)'],
    );
  });

  it("reads Hugging Face's entries", () => {
    assert.deepEqual(
      show(`
    Args:
        input_ids (\`torch.LongTensor\` of shape \`(batch_size, sequence_length)\`, *optional*):
            Indices of input tokens.
        hidden_states (\`tuple(torch.FloatTensor)\`, *optional*):
            Tuple of \`torch.FloatTensor\` (one for each layer) of shape \`(batch_size, sequence_length, hidden_size)\`.
        attention_mask (\`torch.Tensor\` of shape \`(batch_size, sequence_length)\` or \`(batch_size, 1, q_len, kv_len)\`): Mask.
    `),
      ['input_ids: (batch_size, sequence_length)', 'hidden_states each: (batch_size, sequence_length, hidden_size)'],
    );
  });

  it('passes over what is no contract', () => {
    for (const text of [
      'Turns a tensor of shape (B, T, C) into another.',
      'Args:\n    x: (B, T, C) or (T, C)',
      'Args:\n    x: of shape (B, T) if batched',
      'Args:\n    q: (B, T, C), then shape (B, T, nh, hs)',
      'Args:\n    size (tuple): (height, width)',
      'Args:\n    x (int, optional): default (1, 2)',
      'Returns:\n    If asked, shape (B, T)',
      'Returns:\n    tensor of shape (B, T)\n    tensor of shape (B, S)',
      'Returns:\n    a tuple:\n        - a tensor of size [B, T, dim]\n        - a mask of shape [B, T]',
      '>>> x.shape\n(2, 3)',
      'Example:\n    x: (B, T, C)',
    ]) {
      assert.deepEqual(show(text), [], text);
    }
  });

  it('gives ranges in the file', () => {
    const file = 'def f(x):\n    """F.\n\n    Args:\n        x: (B, T, C)\n    """';
    const offset = file.indexOf('F.');
    const [contract] = parseDocstring(file.slice(offset, file.lastIndexOf('"""')), offset);
    assert.deepEqual(
      contract?.to.dims.map(({ range: { start, end } }) => file.slice(start, end)),
      ['B', 'T', 'C'],
    );
    assert.deepEqual(
      contract?.names.map(({ range: { start, end } }) => [start, file.slice(start, end)]),
      [[file.indexOf('x: ('), 'x']],
    );
  });
});
