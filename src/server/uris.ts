/** Path of a document relative to a folder, both as URIs, with forward slashes and decoded; undefined where it lies elsewhere. */
export function relativePath(folder: string, uri: string): string | undefined {
  const base = decode(folder).replace(/\/+$/, '');
  const target = decode(uri);
  return target.startsWith(`${base}/`) ? target.slice(base.length + 1) : undefined;
}

/** Last segment of a URI's path, decoded. */
export const baseName = (uri: string): string =>
  decode(uri)
    .replace(/[?#].*$/, '')
    .split('/')
    .at(-1) ?? '';

/** One spelling of a URI: clients escape characters in their own ways. */
export const plainUri = (uri: string): string => decode(uri);

/** A path of a setting as a URI: relative to a folder, or absolute. Undefined where it makes none. */
export function resolveUri(folder: string, path: string): string | undefined {
  const slashed = path.replaceAll('\\', '/');
  const escaped = slashed.split('/').map(encodeURIComponent).join('/');
  if (/^[A-Za-z]:\//.test(slashed)) return `file:///${escaped}`;
  try {
    return new URL(slashed.startsWith('/') ? escaped : `./${escaped}`, `${folder.replace(/\/+$/, '')}/`).href;
  } catch {
    return undefined;
  }
}

/** Windows drive letters and percent signs are written in two ways: `file:///c%3A/` and `file:///C:/`. */
function decode(uri: string): string {
  let text = uri;
  try {
    text = decodeURIComponent(uri);
  } catch {
    // A stray percent sign: the URI as it is.
  }
  return text.replace(/^(file:\/\/\/)([A-Za-z])(?=:)/, (_, scheme: string, drive: string) => scheme + drive.toLowerCase());
}

/** A file directly inside a folder, as a URI. */
export const childUri = (folder: string, name: string): string => `${folder.replace(/\/+$/, '')}/${encodeURIComponent(name)}`;

/** The folder that a file or folder lies in; undefined for what has no path, and for the root. */
export function parentUri(uri: string): string | undefined {
  const [, folder] = /^([a-z][\w+.-]*:\/\/[^/]*\/.*)\/[^/]+\/*$/i.exec(uri) ?? /^([a-z][\w+.-]*:\/\/[^/]*)\/[^/]+\/*$/i.exec(uri) ?? [];
  return folder;
}
