// Which hosts a request wants: names and globs, and what a `!` before either leaves out. Builders of earlier releases
// know only names, and reject the rest as a name that cannot be: nobody builds what was to be left out.
import * as v from "valibot";
import { matchesGlob, parseGlob } from "../base/glob.ts";
import { HostName, isHostName } from "./names.ts";

/** For each, every name of the inventory is looked at. */
const mostPatterns = 32;

const isGlob = (text: string): boolean => {
  if (!/^(?=[^!-])(?=.*[*?[])[A-Za-z0-9_.*?[\]!-]{1,64}$/.test(text)) return false;
  try {
    parseGlob(text);
    return true;
  } catch {
    return false;
  }
};

const isPattern = (text: string): boolean =>
  text.startsWith("!") ? isHostName(text.slice(1)) || isGlob(text.slice(1)) : isGlob(text);

/** A glob, or a name or glob with `!` before it. */
export const HostPattern = v.pipe(
  v.string(),
  v.maxLength(129),
  v.check(isPattern, "is neither a host name nor a glob of them"),
  v.brand("HostPattern"),
);
export type HostPattern = v.InferOutput<typeof HostPattern>;

export const HostSelector = v.union([HostName, HostPattern]);
export type HostSelector = v.InferOutput<typeof HostSelector>;
export const isHostSelector = (text: string): text is HostSelector => v.is(HostSelector, text);

export const HostSelectors = v.pipe(
  v.array(HostSelector),
  v.minLength(1),
  v.maxLength(2000),
  v.check(
    (selectors) => selectors.filter((selector) => !isHostName(selector)).length <= mostPatterns,
    `more than ${mostPatterns} globs and exclusions`,
  ),
);

export interface ChosenHosts {
  /** Each is one host, which must be there. */
  readonly names: readonly HostName[];
  /** Hosts of the inventory that a glob matches, or all of them if there are only exclusions. */
  readonly matched: ReadonlySet<string>;
  /** Selectors that match nothing in the inventory, as they were written. */
  readonly unmet: readonly string[];
}

/** What the selectors choose of these names. What is left out stays out, even when it is named too. */
export function chooseHosts(selectors: readonly HostSelector[], inventory: ReadonlySet<string>): ChosenHosts {
  const all = [...inventory];
  const unmet: string[] = [];
  const meets = (selector: string, pattern: string): readonly string[] => {
    const glob = isHostName(pattern) ? undefined : parseGlob(pattern);
    const met =
      glob === undefined
        ? inventory.has(pattern)
          ? [pattern]
          : []
        : all.filter((name) => matchesGlob(glob, name));
    if (met.length === 0) unmet.push(selector);
    return met;
  };
  const wanted = selectors.filter((selector) => !selector.startsWith("!"));
  const globs = wanted.filter((selector) => !isHostName(selector));
  const leftOut = new Set(
    selectors
      .filter((selector) => selector.startsWith("!"))
      .flatMap((selector) => meets(selector, selector.slice(1))),
  );
  const matched = wanted.length === 0 ? all : globs.flatMap((glob) => meets(glob, glob));
  return {
    names: [...new Set(wanted.filter(isHostName))].filter((name) => !leftOut.has(name)),
    matched: new Set(matched.filter((name) => !leftOut.has(name))),
    unmet,
  };
}
