import ignore, { type Ignore } from 'ignore';
import picomatch from 'picomatch';

/** Directories that hold no source of anyone's own. */
export const alwaysSkipped: ReadonlySet<string> = new Set([
  '.git',
  '.hg',
  '.svn',
  'node_modules',
  '.venv',
  'site-packages',
  '__pycache__',
  '.vscode-test',
]);

/**
 * The .gitignore files that hold for one directory: its own and those above it.
 * As in git, the deepest file that says anything about a path decides, and nothing below an ignored directory can be re-included
 * (a walk never enters one).
 */
export interface IgnoreChain {
  /** `path` is relative to the chain's root, with forward slashes and without a leading `./`. */
  readonly ignores: (path: string, isDirectory: boolean) => boolean;
  /** The chain for `directory` (relative to the root, '' for the root itself), whose .gitignore holds `text`. */
  readonly with: (directory: string, text: string) => IgnoreChain;
}

interface Level {
  readonly prefix: string;
  readonly matcher: Ignore;
}

export const noIgnores: IgnoreChain = chain([]);

function chain(levels: readonly Level[]): IgnoreChain {
  return {
    ignores(path, isDirectory) {
      for (let i = levels.length - 1; i >= 0; i--) {
        const level = levels[i];
        if (level === undefined || !path.startsWith(level.prefix)) continue;
        const below = path.slice(level.prefix.length);
        if (below === '') continue;
        const result = level.matcher.test(isDirectory ? `${below}/` : below);
        if (result.ignored) return true;
        if (result.unignored) return false;
      }
      return false;
    },
    with(directory, text) {
      const matcher = ignore({ allowRelativePaths: true }).add(text);
      return chain([...levels, { prefix: directory === '' ? '' : `${directory}/`, matcher }]);
    },
  };
}

const matchers = new Map<string, (path: string) => boolean>();

/**
 * Whether a path (relative, forward slashes) matches a glob of a setting, in .gitignore's spirit: one without a slash matches at any
 * depth (`*.json`), one that names a directory stands for everything in it (`models/old`). Case-sensitive; dot files match; an invalid
 * glob matches nothing.
 */
export function matchesGlob(glob: string, path: string): boolean {
  let matcher = matchers.get(glob);
  if (matcher === undefined) {
    if (matchers.size > 500) matchers.clear();
    matcher = compileGlob(glob);
    matchers.set(glob, matcher);
  }
  return matcher(path);
}

function compileGlob(glob: string): (path: string) => boolean {
  const plain = glob.replace(/^\.?\//, '').replace(/\/+$/, '');
  if (plain === '') return () => false;
  const anchored = plain.includes('/') || /^\.?\//.test(glob) ? plain : `**/${plain}`;
  try {
    return picomatch([anchored, `${anchored}/**`], { dot: true });
  } catch {
    return () => false;
  }
}
