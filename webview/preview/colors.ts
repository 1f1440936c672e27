/** How a weight becomes a place on the colour scale. */
export type Scale = 'sqrt' | 'linear' | 'row';

export type Theme = 'light' | 'dark';

/** 256 colours, packed little-endian RGBA as ImageData holds them. */
export type ColorMap = Uint32Array;

// Lightness falls (light) or rises (dark) steadily along each, so that they read without colour too. The dark one follows magma
// (Smith and van der Walt 2015), the light one runs from paper through blue to ink.
const stops: Readonly<Record<Theme, readonly string[]>> = {
  light: ['#f7f9fc', '#d3e3f5', '#9cc4e8', '#5d9bd8', '#3a6cc0', '#36409a', '#2a1a66', '#16072f'],
  dark: ['#15141f', '#2a1c52', '#541f77', '#8a2d7d', '#c23f72', '#ee6a5d', '#fba970', '#fcfdbf'],
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

const maps = new Map<Theme, ColorMap>();

/** The theme's colours from weight 0 to the largest, even steps in OKLab between the stops. */
export function colorMap(theme: Theme): ColorMap {
  const known = maps.get(theme);
  if (known !== undefined) return known;
  const labs = stops[theme].map(toLab);
  const map = Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (labs.length - 1);
    const at = Math.min(labs.length - 2, Math.floor(place));
    const [from, to] = [labs[at] as Lab, labs[at + 1] as Lab];
    const part = place - at;
    return toPacked([0, 1, 2].map((k) => (from[k] as number) * (1 - part) + (to[k] as number) * part) as unknown as Lab);
  });
  maps.set(theme, map);
  return map;
}

/** CSS gradient of the colours, for the legend. */
export function gradient(theme: Theme): string {
  const map = colorMap(theme);
  const css = Array.from({ length: 17 }, (_, i) => {
    const color = map[Math.round((i / 16) * 255)] as number;
    return `rgb(${color & 255} ${(color >> 8) & 255} ${(color >> 16) & 255})`;
  });
  return `linear-gradient(to right, ${css.join(', ')})`;
}

/** The theme that VS Code put on the page's body; outside VS Code, the system's. */
export function currentTheme(): Theme {
  const { classList } = document.body;
  if (classList.contains('vscode-high-contrast-light') || classList.contains('vscode-light')) return 'light';
  if (classList.contains('vscode-dark') || classList.contains('vscode-high-contrast')) return 'dark';
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}
