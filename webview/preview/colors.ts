/** How a weight becomes a place on the colour scale. */
export const scales = ['sqrt', 'linear', 'log'] as const;
export type Scale = (typeof scales)[number];

/** What a weight is measured against: 1, the row's largest weight, or the head's largest. */
export const norms = ['one', 'row', 'head'] as const;
export type Norm = (typeof norms)[number];

export type Theme = 'light' | 'dark' | 'contrast' | 'contrast-light';

/** Which colours: those of the theme, or one of the well-known maps whatever the theme. */
export const palettes = ['theme', 'cividis', 'grey'] as const;
export type Palette = (typeof palettes)[number];

/** 256 colours, packed little-endian RGBA as ImageData holds them. */
export type ColorMap = Uint32Array;

// Lightness falls (light) or rises (dark) steadily along each, so that they read without colour too. The dark one follows magma
// (Smith and van der Walt 2015), the light one runs from paper through blue to ink; under high contrast the ends are black and white.
// Cividis (Nuñez et al. 2018) looks nearly the same with and without colour blindness.
const stops: Readonly<Record<Theme | 'cividis' | 'grey', readonly string[]>> = {
  light: ['#f7f9fc', '#d3e3f5', '#9cc4e8', '#5d9bd8', '#3a6cc0', '#36409a', '#2a1a66', '#16072f'],
  dark: ['#15141f', '#2a1c52', '#541f77', '#8a2d7d', '#c23f72', '#ee6a5d', '#fba970', '#fcfdbf'],
  contrast: ['#000000', '#1d2a55', '#3a4fa0', '#3f86c8', '#46b8c0', '#8fdf93', '#e8f472', '#ffffff'],
  'contrast-light': ['#ffffff', '#d9e8f6', '#9fc5ea', '#5b97d6', '#2f62b5', '#22358a', '#14134f', '#000000'],
  cividis: ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173', '#8a8678', '#a59c74', '#c3b369', '#e1cc55', '#fee838'],
  grey: ['#f4f4f4', '#0a0a0a'],
};

/** From less to more, equal in the middle, by theme. Blue and orange differ for every kind of colour blindness. */
const differences: Readonly<Record<Theme, readonly string[]>> = {
  light: ['#0b4f8a', '#5d9bd8', '#c3dbf2', '#f7f9fc', '#f6d9b8', '#dd8a33', '#8a4300'],
  dark: ['#9fd0ff', '#4f97d8', '#1f4a77', '#15141f', '#6b3d10', '#d98232', '#ffd3a1'],
  contrast: ['#bfe0ff', '#4fa3ef', '#1b4a7d', '#000000', '#7a430c', '#f0902f', '#ffe0b8'],
  'contrast-light': ['#00335f', '#2a72b8', '#a9cdf0', '#ffffff', '#f3c996', '#b86410', '#5a2b00'],
};

type Lab = readonly [number, number, number];

function toLinear(channel: number): number {
  const c = channel / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}

function toChannel(linear: number): number {
  const c = linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(Math.min(1, Math.max(0, c)) * 255);
}

/** sRGB to OKLab (Ottosson 2020). */
function toLab(hex: string): Lab {
  const [r, g, b] = [1, 3, 5].map((at) => toLinear(Number.parseInt(hex.slice(at, at + 2), 16))) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function toPacked([lightness, a, b]: Lab): number {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = toChannel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = toChannel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = toChannel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const made = new Map<string, ColorMap>();

/** 256 colours through `hexes`, even steps in OKLab between them. */
function ramp(name: string, hexes: readonly string[]): ColorMap {
  const known = made.get(name);
  if (known !== undefined) return known;
  const labs = hexes.map(toLab);
  const map = Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (labs.length - 1);
    const at = Math.min(labs.length - 2, Math.floor(place));
    const [from, to] = [labs[at] as Lab, labs[at + 1] as Lab];
    const part = place - at;
    return toPacked([0, 1, 2].map((k) => (from[k] as number) * (1 - part) + (to[k] as number) * part) as unknown as Lab);
  });
  made.set(name, map);
  return map;
}

/** Colours from weight 0 to the largest. Grey runs from the theme's ground to its ink. */
export function colorMap(theme: Theme, palette: Palette = 'theme'): ColorMap {
  if (palette === 'theme') return ramp(theme, stops[theme]);
  if (palette === 'cividis') return ramp('cividis', stops.cividis);
  return isDark(theme) ? ramp('grey-dark', [...stops.grey].reverse()) : ramp('grey', stops.grey);
}

/** Colours from -1 to 1, the ground in the middle. */
export function differenceMap(theme: Theme): ColorMap {
  return ramp(`difference-${theme}`, differences[theme]);
}

/** A colour as CSS. */
export function css(map: ColorMap, place: number): string {
  const color = map[Math.max(0, Math.min(255, Math.round(place)))] as number;
  return `rgb(${color & 255} ${(color >> 8) & 255} ${(color >> 16) & 255})`;
}

/** Whether black text reads better than white on a colour (relative luminance, WCAG 2). */
export function wantsDarkInk(map: ColorMap, place: number): boolean {
  const color = map[Math.max(0, Math.min(255, Math.round(place)))] as number;
  const [r, g, b] = [color & 255, (color >> 8) & 255, (color >> 16) & 255].map(toLinear) as [number, number, number];
  // Where contrast with black and with white is the same.
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179;
}

/** CSS gradient of the colours, for the legend. */
export function gradient(map: ColorMap): string {
  return `linear-gradient(to right, ${Array.from({ length: 17 }, (_, i) => css(map, (i / 16) * 255)).join(', ')})`;
}

/** Weights below this share count as nothing on the logarithmic scale. */
export const LOG_FLOOR = 1e-4;

/** Place on the colour scale, 0 to 1, of a weight as a share of what it is measured against. */
export function shade(share: number, scale: Scale): number {
  if (share <= 0) return 0;
  if (share >= 1) return 1;
  if (scale === 'sqrt') return Math.sqrt(share);
  if (scale === 'linear') return share;
  return Math.max(0, 1 - Math.log(share) / Math.log(LOG_FLOOR));
}

export const isDark = (theme: Theme): boolean => theme === 'dark' || theme === 'contrast';

/** The theme that VS Code put on the page's body; outside VS Code, the system's. */
export function currentTheme(): Theme {
  const { classList } = document.body;
  if (classList.contains('vscode-high-contrast-light')) return 'contrast-light';
  if (classList.contains('vscode-high-contrast')) return 'contrast';
  if (classList.contains('vscode-light')) return 'light';
  if (classList.contains('vscode-dark')) return 'dark';
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}
