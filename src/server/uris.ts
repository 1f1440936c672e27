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
