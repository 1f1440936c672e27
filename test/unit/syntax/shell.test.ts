// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are YAML and shell
import assert from 'node:assert/strict';
import { parseShell } from '../../../src/syntax/shell.ts';
import { assertSound, entryAt, plain, problemsOf, unknown, written } from './tree.ts';

const reads = (text: string, value: unknown, problems: readonly (readonly [string, string])[] = []): void => {
  const parsed = parseShell(text);
  assertSound(parsed);
  assert.deepEqual(plain(parsed.root), value);
  assert.deepEqual(problemsOf(parsed), problems);
};

/** In the manner of Megatron-LM's example scripts. */
const megatron = `#!/bin/bash
# Runs the "175B" model's first stage
export CUDA_DEVICE_MAX_CONNECTIONS=1
GPUS_PER_NODE=8
NUM_NODES=\${NUM_NODES:-2}
WORLD_SIZE=$(($GPUS_PER_NODE*$NUM_NODES))
CHECKPOINT_PATH=$1 #<path>
HIDDEN=4096
DISTRIBUTED_ARGS=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES # of machines
)
GPT_MODEL_ARGS=(
    --num-layers 96
    --hidden-size $HIDDEN
    --ffn-hidden-size $((4 * HIDDEN))
    --seq-length "2048"
    --bf16
    --adam-betas 0.9 0.95
    --load "\${CHECKPOINT_PATH}"
    --world \${WORLD_SIZE}
)
PARALLEL_ARGS="
    --tensor-model-parallel-size 2 \\
    --pipeline-model-parallel-size 16
"
cat <<EOF > note.txt
--not-an-option 3 "
EOF
torchrun \${DISTRIBUTED_ARGS[@]} pretrain_gpt.py \\
    \${GPT_MODEL_ARGS[@]} \\
    $PARALLEL_ARGS \\
    --lr 6.0e-5 2>&1 | tee log.txt
`;

describe('shell reader', () => {
  it('reads the options of a Megatron script', () => {
    reads(megatron, {
      nproc_per_node: 8,
      nnodes: 2,
      'num-layers': 96,
      'hidden-size': 4096,
      'ffn-hidden-size': 16384,
      'seq-length': 2048,
      bf16: true,
      'adam-betas': [0.9, 0.95],
      load: unknown('"${CHECKPOINT_PATH}"'),
      world: 16,
      'tensor-model-parallel-size': 2,
      'pipeline-model-parallel-size': 16,
      lr: 6e-5,
    });
  });

  it('keeps ranges, and where a variable got its value', () => {
    const parsed = parseShell(megatron);
    assert.deepEqual(written(parsed, 'num-layers'), ['num-layers', '--num-layers 96', '96']);
    assert.deepEqual(written(parsed, 'hidden-size'), ['hidden-size', '--hidden-size $HIDDEN', '$HIDDEN']);
    const { value } = entryAt(parsed, 'hidden-size');
    assert.ok(value?.kind === 'scalar' && value.origin);
    assert.equal(parsed.text.slice(value.origin.start, value.origin.end), '4096');
    assert.deepEqual(
      parsed.comments.map((comment) => comment.text),
      ['!/bin/bash', ' Runs the "175B" model\'s first stage', '<path>', ' of machines'],
    );
  });

  it('reads launchers, equals signs, single dashes and negative numbers', () => {
    reads('vllm serve meta-llama/Llama-3-8B -tp 8 --max-model-len=4096 --enable-prefix-caching', {
      ...{ tp: 8, 'max-model-len': 4096, 'enable-prefix-caching': true },
    });
    reads('torchrun --standalone --nproc_per_node=8 train.py --n_head 12 --neg -1', {
      ...{ standalone: true, nproc_per_node: 8, n_head: 12, neg: -1 },
    });
  });

  it('follows variables textually and gives up where branches differ', () => {
    reads('N=3\nN=4\nrun --n $N', { n: 4 });
    reads('case $S in\n7b) H=4096 ;;\n13b) H=5120 ;;\nesac\nrun --h $H', { h: unknown('$H') });
    reads('if x; then H=1; else H=2; fi\nrun --h $H', { h: unknown('$H') });
    reads('if x; then H=2; else H=2; fi\nrun --h $H', { h: 2 });
    reads('H=1\nif x; then H=2; fi\nrun --h $H', { h: unknown('$H') });
    reads('if x; then H=1; run --h $H; else H=2; run --h $H --g; fi', { h: 2, g: true });
    reads('for TP in 1 2 4; do run --tp $TP; done', { tp: unknown('$TP') });
    reads('run --tp $TP --pp ${PP:-4} --cp ${CP:=2}', { tp: unknown('$TP'), pp: 4, cp: 2 });
  });

  it('counts options that only one branch appends as named, their values as unknown', () => {
    reads('A=(--a 1)\nA+=(--b 2)\nif moe; then A+=(--experts 8); fi\nrun "${A[@]}" --c 3', { a: 1, b: 2, experts: unknown('8'), c: 3 });
  });

  it('calculates with integers only', () => {
    reads('A=7\nrun --a $((A*2+1)) --b $(( (A - 1) / 4 )) --c $((1/0)) --d $((A % B)) --e $((2**5))', {
      ...{ a: 15, b: 1, c: unknown('$((1/0))'), d: unknown('$((A % B))'), e: 32 },
    });
  });

  it('ends cycles of variables', () => {
    reads('A=$B\nB=$A\nrun --x $A --y 1', { x: unknown('$A'), y: 1 });
    assertSound(parseShell(`A="$A $A"\n${'A="$A $A --x 1"\n'.repeat(200)}run $A`));
  });

  it('takes the command with the most options, or what is only collected', () => {
    reads('echo "it\'s" --x; run --a 1 --b 2; other --c 3', { a: 1, b: 2 });
    reads('export ARGS="--a 1 \\\n --b 2"', { a: 1, b: 2 });
    reads('OPTS=" --a 1 --b 2 "\ncmd="deepspeed pretrain.py $@ ${OPTS}"\neval ${cmd}', { a: 1, b: 2 });
  });

  it('ends an unclosed quote with its line', () => {
    reads('run --a 1 \\\n --b "x\nrun2 --d 4\n', { a: 1, b: 'x' }, [['"x', 'The quote is not closed.']]);
    reads("run --a 'x\nN=1\nrun --a $N --b 2", { a: 1, b: 2 }, [["'x", 'The quote is not closed.']]);
  });
});
