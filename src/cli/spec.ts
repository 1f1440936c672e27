import type { CommandSpec, OptionGroup } from './options.ts';

const settingsOptions: OptionGroup = {
  title: 'Settings',
  options: [
    { name: 'config', value: 'FILE', help: 'Use this headwise.json or pyproject.toml instead of the nearest one above each file.' },
    { name: 'isolated', help: 'Read no settings file.' },
    { name: 'family', value: 'TYPE', help: 'Read files that name no model type as this one, e.g. llama.' },
  ],
};

const parallelOptions: OptionGroup = {
  title: 'Sizes of the run (a size written in a file wins)',
  options: [
    { name: 'tensor-parallel', value: 'N', help: 'Devices that share each layer.' },
    { name: 'pipeline-parallel', value: 'N', help: 'Stages that the layers are cut into.' },
    { name: 'context-parallel', value: 'N', help: 'Devices that share each sequence.' },
    { name: 'expert-parallel', value: 'N', help: 'Devices that share the experts.' },
    {
      name: 'parallel-stack',
      value: 'STACK',
      choices: ['megatron', 'torchtitan', 'vllm'],
      help: 'Whose rules for uneven splits hold.',
    },
  ],
};

export const checkCommand: CommandSpec = {
  name: 'check',
  usage: 'headwise check [OPTIONS] [PATH...]',
  summary: 'Report what is wrong with model configurations.',
  description:
    'Reports what is wrong with the heads, widths, norms and positions of model configurations. PATH is a file, a directory to be searched, or - for standard input; without one, the current directory. In a directory, files ending in .json, .jsonc, .yaml, .yml, .toml, .sh, .gin, .py and .ipynb are read; which of them is a model configuration is decided by content, and the others are left alone.',
  groups: [
    {
      title: 'Output',
      options: [
        {
          name: 'format',
          value: 'FORMAT',
          choices: ['text', 'json', 'sarif', 'github'],
          help: 'How findings are printed; text unless given.',
        },
        { name: 'quiet', short: 'q', help: 'Print findings only, no summary.' },
        { name: 'statistics', help: 'Print how often each rule was broken instead of the findings.' },
        { name: 'output-file', value: 'FILE', help: 'Write to this file instead of standard output.' },
        {
          name: 'fail-on',
          value: 'LEVEL',
          choices: ['error', 'warning', 'information', 'never'],
          help: 'The mildest level that gives exit status 1; error unless given.',
        },
      ],
    },
    {
      title: 'Fixing',
      options: [
        { name: 'fix', help: 'Apply the safe fixes. Files are written in place; standard input goes to standard output.' },
        { name: 'unsafe-fixes', help: 'With --fix or --diff, also apply the first of the fixes that change the model.' },
        { name: 'diff', help: 'Print what --fix would change, as a unified diff, and change nothing.' },
      ],
    },
    {
      title: 'Rules (by code, code prefix, name or category; comma-separated, repeatable)',
      options: [
        { name: 'select', value: 'RULES', help: 'Report these rules only.' },
        { name: 'ignore', value: 'RULES', help: 'Do not report these rules.' },
        { name: 'severity', value: 'RULE=LEVEL', help: 'Report a rule as error, warning, information or hint, or turn it off.' },
      ],
    },
    {
      title: 'Files',
      options: [
        { name: 'exclude', value: 'GLOB', help: 'Skip matching files and directories, also those given by name.' },
        { name: 'jobs', short: 'j', value: 'N', help: 'Workers among which many Python files are shared; up to 4 unless given.' },
        { name: 'no-gitignore', help: 'Read what .gitignore files leave out.' },
        { name: 'stdin-filename', value: 'PATH', help: 'The name of what comes on standard input: sets its format and settings.' },
        { name: 'baseline', value: 'FILE', help: 'Report only findings that this file does not hold. They survive moved lines.' },
        { name: 'write-baseline', help: 'Write all findings to the --baseline file (headwise-baseline.json unless given).' },
      ],
    },
    parallelOptions,
    settingsOptions,
  ],
  footer: `Exit status:
  0  no finding at or above --fail-on
  1  there are such findings, or --diff would change a file
  2  the command line, a settings file or an input given by name cannot be read
     (a file found in a directory that cannot be read is listed and does not count)

Examples:
  headwise check
  headwise check config.json --tensor-parallel 8
  headwise check models --format sarif --output-file headwise.sarif
  headwise check models --baseline headwise-baseline.json --write-baseline
  cat config.json | headwise check - --stdin-filename config.json --fix > fixed.json`,
};

export const shapesCommand: CommandSpec = {
  name: 'shapes',
  usage: 'headwise shapes [OPTIONS] FILE|EXPRESSION...',
  summary: 'Print the design of a configuration, or the shapes that an expression gives.',
  description:
    'Prints what a model configuration means: every number of the design with where it came from, and what follows: shapes, parameters, FLOPs, memory. FILE may be - for standard input; sizes after it replace its own. Instead of a file, an expression such as d=4096 h=32 kv=8 T=4096 bf16, or a published design such as llama3-8b T=32k tp=8.',
  groups: [
    {
      title: 'Output',
      options: [
        { name: 'format', value: 'FORMAT', choices: ['text', 'json', 'markdown'], help: 'text unless given.' },
        { name: 'compare', value: 'FILE|EXPRESSION', help: 'A second design beside the first, with the differences.' },
      ],
    },
    { title: 'Input', options: [{ name: 'stdin-filename', value: 'PATH', help: 'The name of what comes on standard input.' }] },
    {
      title: 'Model code (FILE is a Python file; nothing in it is run)',
      options: [
        {
          name: 'class',
          value: 'NAME',
          help: 'Evaluate this class: every parameter and every local tensor of forward. --config is then its configuration.',
        },
        { name: 'batch', value: 'N', help: 'Rows of the inputs; a symbol unless given.' },
        { name: 'sequence', value: 'N', help: 'Length of the inputs; a symbol unless given.' },
        {
          name: 'package',
          value: 'NAME=FOLDER',
          help: 'Where a package lies that the file imports, e.g. transformers=/path/to/transformers.',
        },
      ],
    },
    settingsOptions,
  ],
  footer: `Examples:
  headwise shapes config.json
  headwise shapes modeling_gpt2.py --class GPT2LMHeadModel --config config.json --format json
  headwise shapes config.json --format json
  headwise shapes "d=4096 h=32 kv=8 T=8k bf16"
  headwise shapes llama3-70b T=32k B=4 tp=8 h100
  headwise shapes config.json T=8k --compare mistral-7b`,
};

export const explainCommand: CommandSpec = {
  name: 'explain',
  usage: 'headwise explain [OPTIONS] RULE',
  summary: 'Say what a rule reports, why, and how it is mended.',
  description: 'Explains a rule, by its code or its name.',
  groups: [
    {
      title: 'Output',
      options: [{ name: 'format', value: 'FORMAT', choices: ['text', 'json', 'markdown'], help: 'text unless given.' }],
    },
  ],
};

export const rulesCommand: CommandSpec = {
  name: 'rules',
  usage: 'headwise rules [OPTIONS]',
  summary: 'List every rule.',
  description: 'Lists every rule with its code, severity and what it reports.',
  groups: [
    {
      title: 'Output',
      options: [{ name: 'format', value: 'FORMAT', choices: ['text', 'json', 'markdown'], help: 'text unless given.' }],
    },
  ],
};

export const lspCommand: CommandSpec = {
  name: 'lsp',
  usage: 'headwise lsp --stdio',
  summary: 'Serve an editor over the Language Server Protocol.',
  description: 'Runs the language server for an editor that starts it, over standard input and output.',
  groups: [
    {
      title: 'Transport',
      options: [
        { name: 'stdio', help: 'Speak over standard input and output (the only transport).' },
        { name: 'clientProcessId', value: 'PID', help: 'Stop when this process ends; editors pass it.' },
      ],
    },
  ],
};

export const commands: readonly CommandSpec[] = [checkCommand, shapesCommand, explainCommand, rulesCommand, lspCommand];
