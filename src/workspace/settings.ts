import type { Severity } from '../text/finding.ts';

/** Sizes over which a run splits the model, and whose rules for uneven splits hold. */
export interface ParallelSettings {
  readonly tensor?: number;
  readonly pipeline?: number;
  readonly context?: number;
  readonly expert?: number;
  readonly stack?: 'megatron' | 'torchtitan' | 'vllm';
}

/** One shape for VS Code settings, `headwise.json` and `[tool.headwise]` in pyproject.toml. */
export interface Settings {
  /** Severity by rule code (`HW101`), code prefix (`HW1`), name or category. The most specific wins. */
  readonly rules: Readonly<Record<string, Severity | 'off'>>;
  readonly parallel: ParallelSettings;
  /** Glob, relative to the workspace root -> codes, prefixes or names that are not reported there; `*` for all. */
  readonly perFileIgnores: Readonly<Record<string, readonly string[]>>;
  /** Glob -> transformers model type that its configs are read as, where the file does not say. */
  readonly families: Readonly<Record<string, string>>;
  /**
   * Glob -> configuration whose numbers hold for the model code there, relative to the workspace root; '' for none. Elsewhere it is the
   * `config.json` beside the code. The last glob that matches wins.
   */
  readonly configs: Readonly<Record<string, string>>;
  /** Globs that are not read at all. */
  readonly exclude: readonly string[];
}

export const defaultSettings: Settings = { rules: {}, parallel: {}, perFileIgnores: {}, families: {}, configs: {}, exclude: [] };
