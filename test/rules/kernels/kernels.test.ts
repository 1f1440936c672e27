import { expectFindings, expectFixes } from '../check.ts';

const heads = (headDim: number, count = 8, more: object = {}): object => ({
  model_type: 'llama',
  hidden_size: headDim * count,
  num_attention_heads: count,
  num_key_value_heads: count,
  num_hidden_layers: 2,
  intermediate_size: 4096,
  vocab_size: 32000,
  ...more,
});

describe('head-dim-off-flash-attention', () => {
  const cases: readonly (readonly [headDim: number, says: string])[] = [
    [100, 'heads of 100 are padded to 104'],
    [257, 'at most 256 features; these have 257'],
    [512, 'at most 256 features; these have 512'],
  ];
  for (const [headDim, says] of cases)
    it(`informs of heads of ${headDim}`, () => {
      expectFindings(heads(headDim), 'HW501', [{ at: '8', says, severity: 'information' }]);
      expectFindings({ head_dim: headDim, num_attention_heads: 8 }, 'HW501', [{ at: String(headDim), says }]);
    });

  it('warns where the file asks for the kernel', () => {
    const asked: readonly object[] = [
      { _attn_implementation: 'flash_attention_2' },
      { attn_implementation: 'flash_attention_3' },
      { use_flash_attention: true },
    ];
    for (const more of asked) expectFindings(heads(512, 8, more), 'HW501', [{ at: '8', says: '512', severity: 'warning' }]);
    expectFindings(heads(512, 8, { attn_implementation: 'eager' }), 'HW501', [{ at: '8', says: '512', severity: 'information' }]);
    const mpt = { model_type: 'mpt', d_model: 4096, n_heads: 8, n_layers: 2, attn_config: { attn_impl: 'flash' } };
    expectFindings(mpt, 'HW501', [{ at: '8', says: '512', severity: 'warning' }]);
  });

  for (const headDim of [32, 64, 72, 80, 96, 128, 160, 192, 256])
    it(`takes heads of ${headDim}`, () => void expectFindings(heads(headDim), 'HW501', []));
});

describe('head-dim-off-paged-attention', () => {
  for (const headDim of [8, 40, 72, 160])
    it(`informs of heads of ${headDim}`, () =>
      void expectFindings(heads(headDim), 'HW502', [{ at: '8', says: `none for ${headDim}`, severity: 'information' }]));
  for (const headDim of [64, 80, 96, 112, 120, 128, 192, 256, 100, 512])
    it(`says nothing of heads of ${headDim}`, () => void expectFindings(heads(headDim), 'HW502', []));
  it('says nothing of encoders', () => {
    expectFindings({ model_type: 'bert', hidden_size: 320, num_attention_heads: 8, num_hidden_layers: 2 }, 'HW502', []);
  });
});

describe('width-off-tensor-cores', () => {
  it('informs of widths off the steps of 8', () => {
    expectFindings(heads(64, 8, { intermediate_size: 2730 }), 'HW503', [
      { at: '2730', says: 'not a multiple of 8', severity: 'information' },
    ]);
    expectFixes(heads(64, 8, { intermediate_size: 2730 }), 'HW503', ['Use an FFN width of 2736', 'Use an FFN width of 2728']);
    expectFindings(heads(25, 12), 'HW503', [{ at: '300', says: 'A model width of 300' }]);
    expectFindings(heads(64), 'HW503', []);
  });
});

describe('vocabulary-off-tensor-cores', () => {
  it('hints at GPT-2’s vocabulary, no more', () => {
    const gpt2 = { model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, vocab_size: 50257 };
    expectFindings(gpt2, 'HW504', [{ at: '50257', says: 'padded to 50304', severity: 'hint' }]);
    expectFixes(gpt2, 'HW504', ['Pad the vocabulary to 50304']);
    expectFindings({ ...gpt2, vocab_size: 50304 }, 'HW504', []);
    expectFindings({ ...gpt2, vocab_size: 65 }, 'HW504', []);
  });

  it('is silent where the code pads by itself', () => {
    const neox = '"num_layers": 2\n"hidden_size": 768\n"num_attention_heads": 12\n"vocab_size": 50257\n"pipe_parallel_size": 1\n';
    expectFindings(neox, 'HW504', [], { path: 'a.yml' });
  });
});
