// @ts-check
// Writes what is made from the rule registry: docs/rules, schemas/headwise.schema.json and the rule settings of package.json;
// then the l10n bundle. `--check` writes nothing and fails where a file differs.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const checking = process.argv.includes('--check');

/** @typedef {import('../src/rules/rule.ts').Rule} Rule */

const levels = ['error', 'warning', 'information', 'hint', 'off'];
const levelDescriptions = [
  'Reported as an error: `headwise check` fails.',
  'Reported as a warning.',
  'Reported as information.',
  'Reported as a hint: three dots in the editor.',
  'Not reported.',
];

/** What the generator needs of the sources, bundled so that plain Node can load it. */
async function load() {
  const result = await esbuild.build({
    absWorkingDir: root,
    stdin: {
      contents: `
        export { rules } from './src/rules/registry.ts';
        export { ruleMarkdown } from './src/cli/ruleText.ts';
        export { rulesTable } from './src/cli/explain.ts';
        export { parallelStacks } from './src/workspace/projectSettings.ts';
      `,
      resolveDir: root,
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    mainFields: ['module', 'main'],
    logLevel: 'silent',
  });
  const code = result.outputFiles[0]?.text ?? '';
  return import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
}

const { rules, ruleMarkdown, rulesTable, parallelStacks } =
  /** @type {{ rules: readonly Rule[], ruleMarkdown: (rule: Rule) => string, rulesTable: (rules: readonly Rule[], link: (rule: Rule) => string) => string, parallelStacks: readonly string[] }} */ (
    await load()
  );

const sorted = [...rules].sort((a, b) => (a.code < b.code ? -1 : 1));
const categories = [...new Set(sorted.map((rule) => rule.category))];

const index = () => {
  const sections = categories.map((category) => {
    const table = rulesTable(
      sorted.filter((rule) => rule.category === category),
      (rule) => `${rule.code}.md`,
    );
    return `## ${category[0]?.toUpperCase()}${category.slice(1)}\n\n${table}`;
  });
  return `# Rules\n\nGenerated from the rules themselves by \`npm run generate\`. A rule is called by its code, a prefix of codes (\`HW1\`), its name or its category in settings, in \`--select\` and \`--ignore\`, and in suppression comments (\`# headwise: ignore[HW101]\`).\n\n${sections.join('\n')}`;
};

/** @param {Rule} rule */
const ruleTitle = (rule) => `${rule.code} ${rule.name}: ${rule.docs.what}`;

const schema = () => {
  const level = { $ref: '#/definitions/level' };
  /** @type {Record<string, unknown>} */
  const named = { '*': { allOf: [level], description: 'Every rule.' } };
  for (const category of categories) named[category] = { allOf: [level], description: `Every rule of the category ${category}.` };
  for (const rule of sorted) named[rule.code] = { allOf: [level], description: ruleTitle(rule) };
  for (const rule of sorted) named[rule.name] = { allOf: [level], description: ruleTitle(rule) };
  const size = (/** @type {string} */ what) => ({ type: 'integer', minimum: 1, description: what });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Headwise settings of a project',
    description: 'headwise.json holds for its folder and those below; pyproject.toml holds the same under [tool.headwise].',
    type: 'object',
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      rules: {
        description: 'How severely rules are reported, by code, code prefix, name or category. The most specific entry wins.',
        type: 'object',
        additionalProperties: false,
        properties: named,
        patternProperties: { '^HW[0-9]+$': level },
      },
      parallel: {
        description: 'Sizes of the run that every configuration is checked against. Sizes written in a file win.',
        type: 'object',
        additionalProperties: false,
        properties: {
          tensor: size('Devices that share each layer.'),
          pipeline: size('Stages that the layers are cut into.'),
          context: size('Devices that share each sequence.'),
          expert: size('Devices that share the experts.'),
          stack: { enum: parallelStacks, description: 'Whose rules for uneven splits hold.' },
        },
      },
      perFileIgnores: {
        description: 'Glob, relative to this file -> rules that are not reported there.',
        type: 'object',
        additionalProperties: { type: 'array', items: { $ref: '#/definitions/selector' } },
      },
      families: {
        description: 'Glob, relative to this file -> model type that its configurations are read as, where they name none.',
        type: 'object',
        additionalProperties: { type: 'string', minLength: 1 },
      },
      configs: {
        description:
          'Glob of Python files, relative to this file -> config whose numbers hold for the model code there, relative to this file; "" for none. Elsewhere it is the config.json beside the code.',
        type: 'object',
        additionalProperties: { type: 'string' },
      },
      exclude: {
        description: 'Globs of files and directories that are not read, relative to this file.',
        type: 'array',
        items: { type: 'string' },
      },
    },
    definitions: {
      level: { type: 'string', enum: levels, enumDescriptions: levelDescriptions },
      selector: {
        type: 'string',
        anyOf: [
          { enum: ['*', ...categories, ...sorted.map((rule) => rule.code), ...sorted.map((rule) => rule.name)] },
          { pattern: '^HW[0-9]+$' },
        ],
      },
    },
  };
};

/** package.json with the rules named one by one in their setting, so that the settings editor completes and explains them. */
const manifest = () => {
  const parsed = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const setting = parsed.contributes?.configuration?.properties?.['headwise.rules'];
  if (setting === undefined) return undefined;
  const properties = Object.fromEntries(
    [
      ...categories.map((category) => [category, `Every rule of the category ${category}.`]),
      ...sorted.map((rule) => [rule.code, ruleTitle(rule)]),
    ].map(([name, description]) => [name, { type: 'string', enum: levels, description }]),
  );
  const { additionalProperties, properties: _, ...rest } = setting;
  parsed.contributes.configuration.properties['headwise.rules'] = {
    ...rest,
    properties,
    additionalProperties: { ...additionalProperties, enumDescriptions: levelDescriptions },
  };
  return `${JSON.stringify(parsed, null, 2)}\n`;
};

/** @type {Map<string, string>} */
const files = new Map();
for (const rule of sorted) files.set(`docs/rules/${rule.code}.md`, ruleMarkdown(rule));
files.set('docs/rules/README.md', index());
files.set('schemas/headwise.schema.json', `${JSON.stringify(schema(), null, 2)}\n`);
const packageJson = manifest();
if (packageJson !== undefined) files.set('package.json', packageJson);

let different = 0;
/** @param {string} path */
const current = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};
for (const [name, content] of files) {
  const path = join(root, name);
  if (current(path) === content) continue;
  different++;
  if (checking) console.error(`${name} differs from what the rules say.`);
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    console.log(`wrote ${name}`);
  }
}
const pages = join(root, 'docs/rules');
for (const page of existsSync(pages) ? readdirSync(pages) : []) {
  const name = `docs/rules/${page}`;
  if (!page.endsWith('.md') || files.has(name)) continue;
  different++;
  if (checking) console.error(`${name} belongs to no rule.`);
  else {
    rmSync(join(pages, page));
    console.log(`removed ${name}`);
  }
}
if (checking && different > 0) {
  console.error('Run `npm run generate`.');
  process.exitCode = 1;
}
await import('./generate-l10n.mjs');
