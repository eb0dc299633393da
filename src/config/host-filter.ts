import { matchesGlob, parseGlob } from "../base/glob.ts";

export interface HostPatterns {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Why a host of the inventory is left out, in words; undefined when it is built. */
export type HostFilter = (host: string) => string | undefined;

/**
 * Decides over host names by a repo's `include` and `exclude`.
 *
 * @throws SyntaxError for an invalid pattern; `checkRules` finds those before.
 */
export function createHostFilter({ include, exclude }: HostPatterns): HostFilter {
  const included = include.map(parseGlob);
  const excluded = exclude.map((pattern) => ({ pattern, glob: parseGlob(pattern) }));
  return (host) => {
    const exclusion = excluded.find(({ glob }) => matchesGlob(glob, host));
    if (exclusion !== undefined) return `the configuration excludes ${exclusion.pattern}`;
    if (included.some((glob) => matchesGlob(glob, host))) return undefined;
    return `the configuration includes only ${include.join(", ")}`;
  };
}

/** The problem with a glob; undefined if it is valid. */
export function patternProblem(pattern: string): string | undefined {
  try {
    parseGlob(pattern);
    return undefined;
  } catch (error) {
    return error instanceof SyntaxError ? error.message : String(error);
  }
}
