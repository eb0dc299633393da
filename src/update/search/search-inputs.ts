// Which inputs can land when all together cannot. One moment of upstream, so that what was found in parts holds
// together; and only the hosts that fail are asked about each part.

export interface SearchOptions {
  /** Those that the update changes. */
  readonly inputs: readonly string[];
  /** Whether the base with these inputs builds on the hosts that fail with all; undefined when nobody can say. */
  readonly test: (inputs: readonly string[]) => Promise<boolean | undefined>;
  /** So many parts are asked about at most. */
  readonly budget: number;
}

export interface SearchResult {
  /** The largest set that was found to build; empty when none was. */
  readonly landable: readonly string[];
  /** Without them the rest builds. None when nothing of it was found to build. */
  readonly guilty: readonly string[];
  readonly tests: number;
  /** The budget ended, or an answer was missing, before everything was asked. */
  readonly incomplete: boolean;
}

/**
 * First all inputs but one: a set that builds then is a largest one, and the input that is missing is the guilty one.
 * Otherwise the inputs are added one after the other, as long as it builds; those that were refused are tried
 * again, because one may need another.
 */
export async function searchInputs({ inputs, test, budget }: SearchOptions): Promise<SearchResult> {
  const known = new Map<string, boolean | undefined>();
  let incomplete = false;

  async function builds(part: readonly string[]): Promise<boolean> {
    const key = part.toSorted().join("\n");
    if (part.length === 0) return false;
    if (!known.has(key)) {
      if (known.size >= budget) {
        incomplete = true;
        return false;
      }
      known.set(key, await test(part));
    }
    const answer = known.get(key);
    if (answer === undefined) incomplete = true;
    return answer === true;
  }

  const result = (landable: readonly string[]): SearchResult => ({
    landable,
    guilty: landable.length === 0 ? [] : inputs.filter((input) => !landable.includes(input)),
    tests: known.size,
    incomplete,
  });

  if (inputs.length < 2) return { ...result([]), guilty: inputs };
  for (const left of inputs) {
    const rest = inputs.filter((input) => input !== left);
    if (await builds(rest)) return result(rest);
  }
  let landable: readonly string[] = [];
  for (let grew = true; grew;) {
    grew = false;
    for (const input of inputs.filter((each) => !landable.includes(each))) {
      const more = [...landable, input];
      if (!(await builds(more))) continue;
      landable = more;
      grew = true;
    }
  }
  return result(landable);
}
