import { blockParts } from './blocks.ts';
import { type LayerProjections, layerProjections, type ProjectionSizes } from './projections.ts';
import { headerLength, parseHeader, type TensorInfo } from './safetensors.ts';

/** A file of a checkpoint that can be read in parts. */
export interface CheckpointFile {
  readonly name: string;
  readonly size: number;
  /** Bytes from `first` up to but without `end`. */
  read(first: number, end: number): Promise<Uint8Array>;
}

/** A folder with a checkpoint in it. */
export interface CheckpointFolder {
  /** Names of its files. */
  names(): Promise<readonly string[]>;
  open(name: string): Promise<CheckpointFile | undefined>;
}

/** A tensor in one of the files. */
export interface PlacedTensor extends TensorInfo {
  readonly name: string;
  readonly file: CheckpointFile;
  /** Of its first byte in the file. */
  readonly first: number;
  readonly length: number;
}

export interface FoundLayers {
  /** The file that names the tensors: the only one, or the index. */
  readonly name: string;
  readonly tensors: readonly PlacedTensor[];
  readonly layers: readonly (LayerProjections & { readonly layer: number })[];
}

export interface LayerOptions extends NonNullable<Parameters<typeof layerProjections>[3]> {
  /** Also the layers before the first, and of each its norms and MLP. */
  readonly before?: boolean;
  /** With them the embeddings of the model's vocabulary. */
  readonly embedded?: boolean;
}

/** Headers and indices that are read, in bytes. */
const mostBytes = 64_000_000;
const usualNames = ['model.safetensors', 'diffusion_pytorch_model.safetensors', 'consolidated.safetensors'];

/**
 * Finds the projections of `count` layers from `first` on in the checkpoint of a folder: `model.safetensors`, the parts that its index
 * names, or the only safetensors file there. Reads headers alone.
 *
 * @returns what was found, or a sentence on why nothing was
 */
export async function findLayers(
  folder: CheckpointFolder,
  first: number,
  count: number,
  sizes: ProjectionSizes,
  options: LayerOptions,
): Promise<FoundLayers | string> {
  const from = options.before === true ? 0 : first;
  const names = await folder.names();
  const files = names.filter((name) => name.endsWith('.safetensors') && !/adapter|lora|optimizer/.test(name));
  const index = names.find((name) => name === 'model.safetensors.index.json' || name === 'consolidated.safetensors.index.json');
  const single = usualNames.find((name) => names.includes(name)) ?? (files.length === 1 ? files[0] : undefined);
  const name = single ?? index;
  if (name === undefined) return 'There is no safetensors checkpoint beside the file.';
  const parts = single !== undefined ? [single] : await partsOf(folder, name, from, first + count);
  if (typeof parts === 'string') return parts;
  const tensors = new Map<string, PlacedTensor>();
  for (const part of parts) {
    const file = await folder.open(part);
    if (file === undefined) return `${part}, which ${name} names, is not there.`;
    const found = await readTensors(file);
    if (typeof found === 'string') return found;
    for (const tensor of found) tensors.set(tensor.name, tensor);
  }
  const layers: (LayerProjections & { readonly layer: number })[] = [];
  for (let layer = from; layer < first + count; layer++) {
    const found = layerProjections(tensors, layer, sizes, options);
    // Of many layers the last ones may be missing.
    if (typeof found === 'string' && layer <= first) return found;
    if (typeof found === 'string') break;
    const block = options.before === true ? blockParts(tensors, found.parts, found.width, options.embedded === true) : [];
    if (typeof block === 'string') return block;
    layers.push({ ...found, parts: [...found.parts, ...block], layer });
  }
  const used = new Set(layers.flatMap(({ parts: each }) => each.map(({ tensor }) => tensor)));
  return { name, tensors: [...tensors.values()].filter((tensor) => used.has(tensor.name)), layers };
}

/** The parts of an index that hold something of these layers, and the first, where T5 keeps its table, and that of the embeddings. */
async function partsOf(folder: CheckpointFolder, index: string, first: number, end: number): Promise<readonly string[] | string> {
  const file = await folder.open(index);
  if (file === undefined || file.size > mostBytes) return `${index} cannot be read.`;
  let map: unknown;
  try {
    map = (JSON.parse(new TextDecoder().decode(await file.read(0, file.size))) as { weight_map?: unknown }).weight_map;
  } catch {
    return `${index} is no JSON.`;
  }
  if (typeof map !== 'object' || map === null) return `${index} names no parts.`;
  const parts = new Set<string>();
  for (const [tensor, part] of Object.entries(map)) {
    const layers = [...tensor.matchAll(/\.(\d+)\./g)].map(([, digits]) => Number(digits));
    const wanted =
      layers.some((layer) => layer >= first && layer < end) ||
      /(?:relative_attention_bias|wpe|wte|embed_tokens|embed_in)\.weight$/.test(tensor);
    // A part is a file of the same folder.
    if (wanted && typeof part === 'string' && !/[\\/]/.test(part)) parts.add(part);
  }
  return parts.size === 0 ? `${index} names nothing of layer ${first}.` : [...parts];
}

async function readTensors(file: CheckpointFile): Promise<readonly PlacedTensor[] | string> {
  const length = headerLength(await file.read(0, Math.min(8, file.size)), file.size);
  if (length === undefined || length > mostBytes) return `${file.name} is no safetensors file.`;
  const header = parseHeader(await file.read(8, 8 + length));
  if (header === undefined) return `${file.name} has a header that is no JSON.`;
  const data = 8 + length;
  return [...header].flatMap(([name, info]): PlacedTensor[] => {
    if (info.bytes === undefined || data + info.bytes[1] > file.size) return [];
    return [{ ...info, name, file, first: data + info.bytes[0], length: info.bytes[1] - info.bytes[0] }];
  });
}
