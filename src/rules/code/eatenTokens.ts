/** Views of a projection that make heads of more features than a token has: the number that the view works out for itself takes tokens away. */
import { type Dim, loneAtom, multiply } from '../../dims/dim.ts';
import { plain } from '../../interpreter/graph.ts';
import { dimOf } from '../../interpreter/make.ts';
import { conceptOf, isHeads } from '../../interpreter/samples.ts';
import type { CodeReading } from '../../interpreter/study.ts';
import type { Site, TensorValue } from '../../interpreter/value.ts';
import { layerOfWeight } from './layers.ts';
import { readDim, seemSame } from './sizes.ts';
import { asTensor } from './tensors.ts';

export interface EatenTokens {
  readonly node: TensorValue;
  readonly width: Dim;
  readonly asked: Dim;
  /** Where the width or the size of a head was chosen. */
  readonly site: Site | undefined;
}

export function eatenTokens(code: CodeReading): readonly EatenTokens[] {
  const found = new Map<unknown, EatenTokens>();
  for (const study of code.studies) {
    for (const node of study.tensors) {
      if ((node.op !== 'view' && node.op !== 'reshape') || node.site?.file !== code.file || found.has(node.site.node)) continue;
      const input = node.inputs[0] === undefined ? undefined : plain(node.inputs[0]);
      const last = input?.op === 'linear' ? input.shape.dims.at(-1) : undefined;
      const tail = last === undefined ? undefined : tailOf(node);
      if (input === undefined || last === undefined || tail === undefined) continue;
      const width = readDim(code, last);
      const dims = tail.map((dim) => readDim(code, dim));
      if (width.unknown || width.flexible || dims.some((dim) => dim.unknown || dim.flexible)) continue;
      const [heads, features] = dims.slice(-2);
      if (heads === undefined || features === undefined) continue;
      const isSame = (dim: Dim): boolean => seemSame(code, dim, width);
      const asked = dims.reduce(multiply);
      // `view(b, -1, heads, d_model)`: a head as wide as the model.
      if (dims.length === 2 && features.key === width.key && !isHeadSize(width)) {
        const given = code.variables.find(({ name, value, site }) => {
          const dim = site.file === code.file && headDimNames.test(name) ? dimOf(value) : undefined;
          return dim !== undefined && readDim(code, dim).key === features.key;
        });
        if (given === undefined && !isHeads(loneAtom(heads))) continue;
        found.set(node.site.node, { node, width, asked, site: given?.site });
      }
      // `view(b, -1, 2, heads, head_dim)` of what is no more than `heads * head_dim` wide.
      const [parts] = dims;
      if (
        dims.length === 3 &&
        (parts?.constant === 2 || parts?.constant === 3) &&
        isHeads(loneAtom(heads)) &&
        isSame(multiply(heads, features))
      ) {
        const layer = layerOfWeight(study, asTensor(input.arguments.get('weight')));
        found.set(node.site.node, { node, width, asked, site: layer?.site });
      }
    }
  }
  return [...found.values()];
}

/** A projection as wide as one head is what is too narrow. */
function isHeadSize(width: Dim): boolean {
  const atom = loneAtom(width);
  return atom?.kind !== 'symbol' || conceptOf(atom.name) === 'headDim';
}

const headDimNames = /(?:^|[._])(?:d_[kvq]|d_?head|dim_head|head_dim|head_size|head_width|dim_per_head)$/;

/** The sizes behind the one that the view works out. */
function tailOf(node: TensorValue): readonly Dim[] | undefined {
  let sizes = node.arguments.get('size') ?? node.arguments.get('shape');
  if (sizes?.kind === 'tuple' && sizes.items.length === 1) [sizes] = sizes.items;
  if ((sizes?.kind !== 'tuple' && sizes?.kind !== 'list') || (sizes.kind === 'tuple' && sizes.ellipsis !== undefined)) return undefined;
  const open = sizes.items.findIndex((each) => dimOf(each)?.constant === -1);
  if (open < 0) return undefined;
  const tail = sizes.items.slice(open + 1).map(dimOf);
  return tail.every((each) => each !== undefined) ? tail : undefined;
}
