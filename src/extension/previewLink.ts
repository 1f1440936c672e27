/** What a link or a command opens the preview with: a document's stack, or none, and the page's state as JSON. */
export interface LinkTarget {
  readonly uri?: string;
  readonly design?: string;
  readonly state?: string;
}

const fields = ['uri', 'design', 'state'] as const;

// Base64url: whatever a browser, a shell or VS Code does to a link's query, these signs stay.
function encode(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

function decode(text: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The query of a link. */
export const linkQuery = (target: LinkTarget): string =>
  fields.flatMap((name) => (target[name] === undefined || target[name] === '' ? [] : [`${name}=${encode(target[name])}`])).join('&');

/** Reads a link's query; what is not one is left out. */
export function readLink(query: string): LinkTarget {
  const found = new URLSearchParams(query);
  return Object.fromEntries(
    fields.flatMap((name) => {
      const value = decode(found.get(name) ?? '');
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}
