import { expectFindings, expectFixes, expectMarked } from '../check.ts';

const llama = {
  model_type: 'llama',
  hidden_size: 4096,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  num_hidden_layers: 32,
  intermediate_size: 14336,
  vocab_size: 128256,
};
const megatron = (lines: string): string =>
  `num_layers: 32\nhidden_size: 4096\nnum_attention_heads: 32\nffn_hidden_size: 16384\nmake_vocab_size_divisible_by: 128\n${lines}\n`;
const yaml = { path: 'train.yaml' };

describe('heads-do-not-split', () => {
  it('divides heads by ranks, wherever the ranks are written', () => {
    expectFindings({ num_attention_heads: 52, tensor_parallel_size: 3 }, 'HW601', [
      { at: '3', says: '52 heads do not split over 3 tensor-parallel ranks: 52 % 3 = 1', severity: 'error' },
    ]);
    expectFixes({ num_attention_heads: 28, tensor_parallel_size: 8 }, 'HW601', [
      'Use tensor_parallel_size 4',
      'Use tensor_parallel_size 2',
    ]);
    expectFindings({ ...llama, tensor_parallel_size: 8 }, 'HW601', []);
    expectFindings(megatron('tensor_model_parallel_size: 12'), 'HW601', [{ at: '12', says: '32 % 12 = 8' }], yaml);
    const script = 'torchrun pretrain_gpt.py --num-layers 2 --hidden-size 768 --num-attention-heads 12 --tensor-model-parallel-size 8\n';
    expectFindings(script, 'HW601', [{ at: '8', says: '12 % 8 = 4' }], { path: 'run.sh' });
    const neox = '"num_layers": 2\n"hidden_size": 768\n"num_attention_heads": 12\n"pipe_parallel_size": 1\n"model_parallel_size": 8\n';
    expectFindings(neox, 'HW601', [{ at: '8', says: '12 heads' }], { path: 'a.yml' });
  });

  it('offers more heads where the width allows them', () => {
    expectFixes({ hidden_size: 1536, num_attention_heads: 12, num_hidden_layers: 2, tensor_parallel_size: 8 }, 'HW601', [
      'Use tensor_parallel_size 4',
      'Use tensor_parallel_size 2',
      'Use 16 heads',
    ]);
  });

  it('takes the ranks from the settings and points at the heads then', () => {
    const settings = { parallel: { tensor: 6 } };
    expectFindings(llama, 'HW601', [{ at: '32', says: '32 % 6 = 2' }], { settings });
    expectFindings({ ...llama, tensor_parallel_size: 4 }, 'HW601', [], { settings });
  });

  it('leaves sizes alone that are no run’s', () => {
    expectFindings({ ...llama, num_attention_heads: 30, pretraining_tp: 4, ep_size: 16, architectures: ['LlamaForCausalLM'] }, 'HW601', []);
    expectFindings({ num_attention_heads: 12, tensor_parallel_size: 1 }, 'HW601', []);
  });
});

describe('kv-heads-do-not-split', () => {
  it('refuses what no stack takes', () => {
    expectFindings({ num_key_value_heads: 10, tp_size: 4 }, 'HW602', [{ at: '4', says: '10 KV heads do not split', severity: 'warning' }]);
    expectFixes({ num_key_value_heads: 10, tp_size: 4 }, 'HW602', ['Use tp_size 2', 'Use tp_size 1']);
  });

  it('says who copies heads and who refuses', () => {
    expectFindings({ num_query_groups: 2, tensor_model_parallel_size: 8 }, 'HW602', [
      { at: '8', says: '2 KV heads are fewer than 8', severity: 'warning' },
    ]);
    expectFindings({ ...llama, tensor_parallel_size: 16 }, 'HW602', [{ at: '16', says: 'to 2 ranks', severity: 'information' }]);
    const settings = (stack: 'vllm' | 'torchtitan') => ({ settings: { parallel: { tensor: 16, stack } } });
    expectFindings(llama, 'HW602', [], settings('vllm'));
    expectFindings(llama, 'HW602', [{ at: '8', says: 'torchtitan', severity: 'warning' }], settings('torchtitan'));
  });

  it('is silent where heads divide, are all alike, or are latent', () => {
    expectFindings({ ...llama, tensor_parallel_size: 8 }, 'HW602', []);
    expectFindings({ ...llama, num_key_value_heads: 32, tensor_parallel_size: 3 }, 'HW602', []);
    const mla = { model_type: 'deepseek_v3', num_attention_heads: 128, num_key_value_heads: 128, hidden_size: 7168, num_hidden_layers: 2 };
    expectFindings({ ...mla, tensor_parallel_size: 16 }, 'HW602', []);
  });
});

describe('ffn-does-not-split', () => {
  it('divides the FFN width', () => {
    const text = megatron('tensor_model_parallel_size: 8').replace('16384', '10922');
    expectFindings(text, 'HW603', [{ at: '8', says: '10922 % 8 = 2', severity: 'warning' }], yaml);
    expectFixes(text, 'HW603', ['Use tensor_model_parallel_size 2', 'Use tensor_model_parallel_size 1', 'Use an FFN width of 10928'], yaml);
    expectFindings(megatron('tensor_model_parallel_size: 8'), 'HW603', [], yaml);
  });

  it('takes the experts’ width in a sparse model, unless experts are spread whole', () => {
    const moe = { ...llama, model_type: 'mixtral', num_local_experts: 8, num_experts_per_tok: 2, intermediate_size: 14340 };
    expectFindings({ ...moe, tensor_parallel_size: 8 }, 'HW603', [{ at: '8', says: 'expert width 14340', severity: 'warning' }]);
    expectFindings({ ...moe, tensor_parallel_size: 8, expert_parallel_size: 8 }, 'HW603', []);
    const qwen = { ...llama, model_type: 'qwen3_moe', num_experts: 8, moe_intermediate_size: 768, intermediate_size: 6145 };
    expectFindings({ ...qwen, tensor_parallel_size: 8 }, 'HW603', []);
  });
});

describe('vocabulary-does-not-split', () => {
  it('divides the vocabulary where nothing pads it', () => {
    expectFindings({ vocab_size: 250682, tensor_parallel_size: 8 }, 'HW604', [{ at: '8', says: '250682 % 8 = 2', severity: 'warning' }]);
    expectFixes({ vocab_size: 151669, tensor_model_parallel_size: 4 }, 'HW604', ['Pad the vocabulary to 151680']);
    expectFindings({ ...llama, vocab_size: 50257 }, 'HW604', [{ at: '50257', says: '50257 % 2', severity: 'information' }], {
      settings: { parallel: { tensor: 2 } },
    });
  });

  it('is silent where the stack pads', () => {
    expectFindings(megatron('vocab_size: 50257\ntensor_model_parallel_size: 2'), 'HW604', [], yaml);
    const script =
      'torchrun pretrain_gpt.py --num-layers 2 --hidden-size 768 --num-attention-heads 12 --vocab-size 50257 --tensor-model-parallel-size 2\n';
    expectFindings(script, 'HW604', [], { path: 'run.sh' });
    const vllm = (tensor: number) => ({ settings: { parallel: { tensor, stack: 'vllm' as const } } });
    expectFindings({ ...llama, vocab_size: 50257 }, 'HW604', [], vllm(8));
    // 50257 is padded to 50304 = 2^7 * 3 * 131, which 5 does not divide.
    expectFindings({ ...llama, vocab_size: 50257 }, 'HW604', [{ at: '50257', says: '50304 % 5 = 4', severity: 'warning' }], vllm(5));
  });
});

describe('experts-do-not-split', () => {
  it('divides experts by expert-parallel ranks', () => {
    const text = megatron('num_moe_experts: 60\nexpert_model_parallel_size: 8');
    expectFindings(text, 'HW605', [{ at: '8', says: '60 % 8 = 4', severity: 'warning' }], yaml);
    expectFixes(text, 'HW605', ['Use expert_model_parallel_size 4', 'Use expert_model_parallel_size 2'], yaml);
    expectFindings(text.replace('60', '64'), 'HW605', [], yaml);
    const published = { ...llama, model_type: 'deepseek_v2', architectures: ['DeepseekV2ForCausalLM'], n_routed_experts: 160, ep_size: 7 };
    expectFindings(published, 'HW605', []);
  });
});

describe('layers-do-not-split', () => {
  it('divides layers by stages, as sure as the stack is', () => {
    expectFindings({ num_layers: 60, pipeline_model_parallel_size: 8 }, 'HW606', [{ at: '8', says: '60 % 8 = 4', severity: 'warning' }]);
    expectFixes({ num_layers: 60, pipeline_model_parallel_size: 8 }, 'HW606', [
      'Use pipeline_model_parallel_size 4',
      'Use pipeline_model_parallel_size 2',
    ]);
    expectFindings({ num_layers: 10, pipeline_ranks: 3 }, 'HW606', [{ at: '3', says: '10 % 3 = 1', severity: 'warning' }]);
    expectFindings({ num_layers: 4, pipeline_ranks: 8 }, 'HW606', [{ at: '8', says: 'fewer than 8 pipeline stages', severity: 'warning' }]);
    expectFindings(llama, 'HW606', [], { settings: { parallel: { pipeline: 3, stack: 'vllm' } } });
    const neox = '"num_layers": 30\n"hidden_size": 768\n"num_attention_heads": 12\n"pipe_parallel_size": 4\n"model_parallel_size": 1\n';
    expectFindings(neox, 'HW606', [], { path: 'a.yml' });
    const neuron =
      'model:\n  num_layers: 126\n  hidden_size: 16384\n  num_attention_heads: 128\ndistributed_strategy:\n  pipeline_model_parallel_size: 32\n';
    expectFindings(neuron, 'HW606', [], yaml);
  });

  it('knows how Megatron is told to split unevenly', () => {
    const uneven = (lines: string): string =>
      megatron(`pipeline_model_parallel_size: 8\n${lines}`).replace('num_layers: 32', 'num_layers: 60');
    expectFindings(uneven(''), 'HW606', [{ at: '8', says: '60 % 8' }], yaml);
    expectFindings(uneven('num_layers_in_first_pipeline_stage: 4'), 'HW606', [], yaml);
    expectFindings(uneven('num_layers_in_first_pipeline_stage: 5'), 'HW606', [{ at: '5', says: 'The other 55 layers' }], yaml);
    expectFindings(uneven('pipeline_model_parallel_layout: "Et*3|t*8L"'), 'HW606', [], yaml);
    const accounted = 'account_for_embedding_in_pipeline_split: true\naccount_for_loss_in_pipeline_split: true';
    expectFindings(uneven(accounted), 'HW606', [{ at: '8', says: '62 layers do not split over 8' }], yaml);
    expectFindings(uneven(accounted).replace('60', '62'), 'HW606', [], yaml);
  });

  it('divides a stage into its virtual stages', () => {
    const text = megatron('pipeline_model_parallel_size: 4\nvirtual_pipeline_model_parallel_size: 3');
    expectFindings(text, 'HW606', [{ at: '3', says: '8 layers per pipeline stage do not split into 3' }], yaml);
    expectFindings(text.replace('size: 3', 'size: 2'), 'HW606', [], yaml);
  });
});

describe('quantised-weights-do-not-split', () => {
  const quantised = (bits = 4, group = 128) => ({ quantization_config: { quant_method: 'awq', bits, group_size: group } });
  it('keeps quantisation groups whole', () => {
    const qwen = {
      ...llama,
      model_type: 'qwen2',
      hidden_size: 8192,
      num_attention_heads: 64,
      intermediate_size: 29568,
      vocab_size: 152064,
    };
    // 29568 = 231 groups of 128, and 231 = 3 * 7 * 11.
    expectFindings({ ...qwen, ...quantised(), tensor_parallel_size: 2 }, 'HW607', [
      { at: '2', says: '29568 is 231 quantisation groups of 128', severity: 'warning' },
    ]);
    expectFindings({ ...qwen, ...quantised(), tensor_parallel_size: 2, intermediate_size: 29696 }, 'HW607', []);
    expectFindings({ ...qwen, ...quantised(4, 64), tensor_parallel_size: 2 }, 'HW607', []);
    expectFindings({ ...qwen, tensor_parallel_size: 2 }, 'HW607', []);
    expectFindings({ ...qwen, ...quantised() }, 'HW607', [{ at: '29568', says: '231', severity: 'error' }], {
      settings: { parallel: { tensor: 2, stack: 'vllm' } },
    });
  });

  it('counts the outputs of a quantised score head', () => {
    const classifier = { architectures: ['Qwen2ForSequenceClassification'], ...llama, model_type: 'qwen2', tensor_parallel_size: 2 };
    expectFindings({ ...classifier, ...quantised() }, 'HW607', [{ at: 'architectures', says: 'has 2 outputs' }]);
    expectFindings({ ...classifier, ...quantised(), num_labels: 16 }, 'HW607', []);
    expectFindings({ ...classifier, ...quantised(), id2label: { 0: 'a', 1: 'b', 2: 'c' } }, 'HW607', [
      { at: 'id2label', says: 'has 3 outputs' },
    ]);
    const kept = { quantization_config: { ...quantised().quantization_config, modules_to_not_convert: ['score'] } };
    expectFindings({ ...classifier, ...kept }, 'HW607', []);
  });
});

describe('sequence-does-not-split', () => {
  it('cuts the sequence into two pieces per rank', () => {
    const text = megatron('seq_length: 8200\ncontext_parallel_size: 8\ntensor_model_parallel_size: 2');
    expectFindings(text, 'HW608', [{ at: '8200', says: '8200 % 16 = 8', severity: 'warning' }], yaml);
    expectFixes(text, 'HW608', ['Use 8208 tokens'], yaml);
    expectFindings(text.replace('8200', '8192'), 'HW608', [], yaml);
    const unknown = { ...llama, seq_length: 8200, cp_size: 8 };
    expectFindings(unknown, 'HW608', []);
    expectFindings({ ...unknown, seq_length: 8201 }, 'HW608', [{ at: '8201', says: '8201 % 8 = 1', severity: 'warning' }]);
    const titan =
      '[model]\ndim = 4096\nn_layers = 2\nn_heads = 32\n[training]\nseq_len = 8200\n[parallelism]\ncontext_parallel_degree = 2\ntensor_parallel_degree = 4\n';
    expectFindings(titan, 'HW608', [{ at: '8200', says: '2 * 2 context * 4 tensor ranks' }], { path: 'train.toml' });
  });
});

it('parallel sizes are marked in YAML, with every rule at once', () => {
  expectMarked(
    [
      'num_layers: 30',
      'hidden_size: 768',
      'num_attention_heads: 12',
      'ffn_hidden_size: 3072',
      'tensor_model_parallel_size: 8',
      '#                           ^ HW601: 12 % 8 = 4',
      'pipeline_model_parallel_size: 4',
      '#                             ^ HW606: 30 % 4 = 2',
      '',
    ].join('\n'),
    yaml,
  );
});
