import type { HeadStatistics } from '../../src/kernel/interface.ts';
import { writeNpy } from './arrays.ts';
import { type ColorMap, css } from './colors.ts';
import { type MapView, paint, place } from './heatmap.ts';
import { isPlain } from './lens.ts';
import { type Shown, viewOf } from './shown.ts';
import { t } from './text.ts';
import { headName, labels, statisticNames, tokenText } from './words.ts';

export const formats = ['png', 'svg', 'csv', 'json', 'npy'] as const;
export type Format = (typeof formats)[number];

/** What is exported: the maps on the page, in their order. */
export interface Exported {
  readonly title: string;
  readonly shown: Shown;
  readonly heads: readonly number[];
  readonly ink: string;
  readonly ground: string;
  readonly fontFamily: string;
}

/** Numbers that a JSON file may hold in full; more are left to .npy. */
const MOST_JSON = 4_000_000;
/** Rectangles that an SVG may hold; maps of more are pictures in it. */
const MOST_RECTANGLES = 200_000;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Lets the page answer between two parts of a long piece of work. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** The file of a format. Rejects where the picture cannot be made. */
export async function exportFile(format: Format, exported: Exported): Promise<Uint8Array> {
  switch (format) {
    case 'npy':
      return npyOf(exported);
    case 'csv':
      return encode(csvOf(exported));
    case 'json':
      return encode(jsonOf(exported));
    case 'svg': {
      const painter = new SvgPainter(exported);
      await draw(painter, exported);
      return encode(painter.file());
    }
    case 'png': {
      const painter = new CanvasPainter(exported);
      await draw(painter, exported);
      return painter.bytes();
    }
  }
}

/** [heads, size, size], or [size, size] of a single head. */
function npyOf({ shown: { weights }, heads }: Exported): Uint8Array {
  const { size } = weights.result;
  const data = new Float32Array(heads.length * size * size);
  for (const [i, head] of heads.entries()) data.set(weights.map(head), i * size * size);
  return writeNpy(heads.length === 1 ? [size, size] : [heads.length, size, size], data);
}

/** A field as RFC 4180 has it; what a spreadsheet would take for a formula is marked as text. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text)) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** One head's weights with its tokens, or, of several heads, their statistics. */
export function csvOf({ shown: { weights }, heads }: Exported): string {
  const { result } = weights;
  const [head] = heads;
  if (heads.length === 1 && head !== undefined) {
    const names = Array.from({ length: result.size }, (_, cell) =>
      result.size === result.tokens.length ? (result.tokens[cell] ?? '') : tokenText(result, cell),
    );
    const rows = names.map((name, row) => [name, ...Array.from(weights.row(head, row), String)]);
    return [['query \\ key', ...names], ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
  }
  const rows = heads.map((each) => {
    const statistics = result.statistics[each] as HeadStatistics;
    return [headName(result, each), ...statisticNames.map((name) => String(statistics[name] ?? ''))];
  });
  return [['head', ...statisticNames], ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

export function jsonOf({ title, shown: { weights }, heads }: Exported): string {
  const { result, lens } = weights;
  const { size } = result;
  const whole = heads.length * size * size <= MOST_JSON;
  return `${JSON.stringify({
    title,
    design: result.design,
    settings: result.settings,
    lens: isPlain(lens) ? undefined : lens,
    tokens: result.tokens,
    pooled: result.pooled,
    size,
    heads: heads.map((head) => ({
      name: headName(result, head),
      layer: Math.floor(head / result.design.queryHeads),
      head: head % result.design.queryHeads,
      statistics: result.statistics[head],
      labels: labels(result.statistics[head] as HeadStatistics, result.tokens.length),
      ...(whole ? { weights: Array.from({ length: size }, (_, row) => [...weights.row(head, row)]) } : {}),
    })),
  })}\n`;
}

/** What a picture is drawn with, in CSS pixels. */
interface Painter {
  resize(width: number, height: number): void;
  text(
    x: number,
    y: number,
    text: string,
    options?: {
      readonly size?: number;
      readonly anchor?: 'start' | 'middle' | 'end';
      readonly quiet?: boolean;
      readonly upright?: boolean;
    },
  ): void;
  map(x: number, y: number, side: number, view: MapView): void;
  ramp(x: number, y: number, width: number, height: number, colors: ColorMap): void;
}

/** The heads with their names and labels, or one head with its tokens, and the colour scale. */
async function draw(painter: Painter, { title, shown, heads }: Exported): Promise<void> {
  const { result } = shown.weights;
  const single = heads.length === 1;
  const margin = 20;
  const side = single ? Math.max(360, Math.min(960, result.size * 14)) : 160;
  const named = single && result.size === result.tokens.length && side / result.size >= 8;
  const axis = named ? 90 : 34;
  const columns = single ? 1 : Math.max(1, Math.min(heads.length, 8));
  const rows = Math.ceil(heads.length / columns);
  const pitch = single ? side + axis : side + 14;
  const height = single ? side + axis + 24 : side + 40;
  const width = Math.max(420, 2 * margin + columns * pitch);
  painter.resize(width, margin + 44 + rows * height + 48);
  painter.text(margin, margin + 10, title, { size: 16 });
  painter.text(
    margin,
    margin + 30,
    `${result.design.queryHeads} × ${result.design.headDim}, ${t('{n} KV heads', { n: result.design.keyValueHeads })}, ${t('{n} tokens', { n: result.tokens.length })}`,
    { quiet: true },
  );
  for (const [i, head] of heads.entries()) {
    const x = margin + (i % columns) * pitch + (single ? axis : 0);
    const y = margin + 48 + Math.floor(i / columns) * height + (single ? axis : 0);
    const view = viewOf(shown, shown.weights, head);
    painter.map(x, y, side, view);
    const name = [headName(result, head), ...labels(result.statistics[head] as HeadStatistics, result.tokens.length)].join(' · ');
    painter.text(x, y + side + 15, name, { size: 12 });
    if (single) {
      const cell = side / result.size;
      const every = named ? 1 : Math.max(1, Math.ceil(result.size / 12));
      for (let at = 0; at < result.size; at += every) {
        const label = named ? (result.tokens[at] ?? '') : String(at);
        const size = named ? Math.min(11, cell) : 11;
        painter.text(x - 5, y + (at + 0.5) * cell, label.slice(0, 14), { size, anchor: 'end', quiet: true });
        painter.text(x + (at + 0.5) * cell, y - 5, label.slice(0, 14), { size, quiet: true, upright: true });
      }
    }
    await pause();
  }
  const bottom = margin + 48 + rows * height + 14;
  painter.ramp(margin, bottom, 180, 10, viewOf(shown, shown.weights, heads[0] ?? 0).colors);
  painter.text(margin, bottom + 24, '0', { size: 11, quiet: true });
  const most = shown.display.norm === 'one' ? '1' : shown.display.norm === 'row' ? t('row’s largest') : t('head’s largest');
  painter.text(margin + 180, bottom + 24, most, { size: 11, quiet: true, anchor: 'end' });
}

class CanvasPainter implements Painter {
  static readonly ratio = 2;
  readonly #canvas = document.createElement('canvas');
  readonly #exported: Exported;
  constructor(exported: Exported) {
    this.#exported = exported;
  }
  get #context(): CanvasRenderingContext2D {
    const context = this.#canvas.getContext('2d');
    if (context === null) throw new Error('There is no canvas to draw on.');
    return context;
  }
  resize(width: number, height: number): void {
    this.#canvas.width = width * CanvasPainter.ratio;
    this.#canvas.height = height * CanvasPainter.ratio;
    this.#context.scale(CanvasPainter.ratio, CanvasPainter.ratio);
    this.#context.fillStyle = this.#exported.ground;
    this.#context.fillRect(0, 0, width, height);
  }
  text(
    x: number,
    y: number,
    text: string,
    { size = 13, anchor = 'start', quiet = false, upright = false }: Parameters<Painter['text']>[3] = {},
  ): void {
    const context = this.#context;
    context.save();
    context.font = `${size}px ${this.#exported.fontFamily}`;
    context.fillStyle = this.#exported.ink;
    context.globalAlpha = quiet ? 0.75 : 1;
    context.textBaseline = 'middle';
    context.textAlign = anchor === 'middle' ? 'center' : anchor;
    context.translate(x, y);
    if (upright) context.rotate(-Math.PI / 2);
    context.fillText(text, 0, 0);
    context.restore();
  }
  map(x: number, y: number, side: number, view: MapView): void {
    const small = document.createElement('canvas');
    paint(small, view, side * CanvasPainter.ratio);
    const context = this.#context;
    context.imageSmoothingEnabled = false;
    context.drawImage(small, x, y, side, side);
    context.globalAlpha = 0.3;
    context.strokeStyle = this.#exported.ink;
    context.strokeRect(x, y, side, side);
    context.globalAlpha = 1;
  }
  ramp(x: number, y: number, width: number, height: number, colors: ColorMap): void {
    for (let i = 0; i < width; i++) {
      this.#context.fillStyle = css(colors, (i / (width - 1)) * 255);
      this.#context.fillRect(x + i, y, 1.5, height);
    }
  }
  async bytes(): Promise<Uint8Array> {
    const blob = await new Promise<Blob | null>((resolve) => this.#canvas.toBlob(resolve, 'image/png'));
    if (blob === null) throw new Error('The picture is too large for a PNG: export fewer heads, or an SVG.');
    return new Uint8Array(await blob.arrayBuffer());
  }
}

/** Text of XML 1.0, which has no control characters but white space. */
const escaped = (text: string): string =>
  Array.from(text, (sign) => (sign < ' ' && !'\t\n\r'.includes(sign) ? '\ufffd' : sign))
    .join('')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

class SvgPainter implements Painter {
  readonly #parts: string[] = [];
  readonly #exported: Exported;
  readonly #cells: number;
  #width = 0;
  #height = 0;
  constructor(exported: Exported) {
    this.#exported = exported;
    this.#cells = exported.heads.length * exported.shown.weights.result.size ** 2;
  }
  resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
  }
  text(
    x: number,
    y: number,
    text: string,
    { size = 13, anchor = 'start', quiet = false, upright = false }: Parameters<Painter['text']>[3] = {},
  ): void {
    const turn = upright ? ` transform="rotate(-90 ${x} ${y})"` : '';
    this.#parts.push(
      `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" dominant-baseline="central"${quiet ? ' opacity="0.75"' : ''}${turn}>${escaped(text)}</text>`,
    );
  }
  map(x: number, y: number, side: number, view: MapView): void {
    if (this.#cells > MOST_RECTANGLES) {
      const canvas = document.createElement('canvas');
      paint(canvas, view, side * 2);
      this.#parts.push(
        `<image x="${x}" y="${y}" width="${side}" height="${side}" image-rendering="pixelated" href="${canvas.toDataURL('image/png')}"/>`,
      );
    } else {
      const cell = side / view.size;
      const color = place(view);
      const runs: string[] = [];
      for (let row = 0; row < view.size; row++) {
        let start = 0;
        let current = color(row, 0);
        for (let column = 1; column <= view.size; column++) {
          const next = column === view.size ? undefined : color(row, column);
          if (column < view.size && next === current) continue;
          if (current !== undefined)
            runs.push(
              `<rect x="${+(start * cell).toFixed(3)}" y="${+(row * cell).toFixed(3)}" width="${+((column - start) * cell).toFixed(3)}" height="${+cell.toFixed(3)}" fill="${css(view.colors, current)}"/>`,
            );
          start = column;
          current = next;
        }
      }
      this.#parts.push(`<g transform="translate(${x} ${y})" shape-rendering="crispEdges">${runs.join('')}</g>`);
    }
    this.#parts.push(`<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="none" stroke="currentColor" opacity="0.3"/>`);
  }
  ramp(x: number, y: number, width: number, height: number, colors: ColorMap): void {
    const stops = Array.from({ length: 17 }, (_, i) => `<stop offset="${i / 16}" stop-color="${css(colors, (i / 16) * 255)}"/>`).join('');
    this.#parts.push(
      `<defs><linearGradient id="ramp">${stops}</linearGradient></defs><rect x="${x}" y="${y}" width="${width}" height="${height}" fill="url(#ramp)"/>`,
    );
  }
  /** The whole file. */
  file(): string {
    const { ink, ground, fontFamily } = this.#exported;
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" width="${this.#width}" height="${this.#height}" viewBox="0 0 ${this.#width} ${this.#height}" ` +
      `font-family="${escaped(fontFamily)}" fill="${escaped(ink)}" color="${escaped(ink)}"><rect width="100%" height="100%" fill="${escaped(ground)}"/>${this.#parts.join('\n')}</svg>\n`
    );
  }
}
