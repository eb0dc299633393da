// Which inputs break an update, with the proof of it, and which can land without them. One moment of upstream, so that
// what was found in parts holds together; and only the hosts that fail are asked about each part.

/**
 * The verdict on a part of the update. `other`: hosts fail, but not as with the whole update, which says nothing about
 * the failure that is searched for.
 */
export type PartVerdict = "good" | "bad" | "other";

export interface SearchOptions {
  /** Those that the update changes; together they are bad. */
  readonly inputs: readonly string[];
  /** The base with these inputs, or with none; undefined when nobody is to be asked any more. */
  readonly test: (inputs: readonly string[]) => Promise<PartVerdict | undefined>;
}

export interface SearchResult {
  /**
   * Each of these alone on the base is bad, and without all of them the rest is good. Several inputs stand together
   * where the base is good with any fewer of them.
   */
  readonly culprits: readonly (readonly string[])[];
  /** The largest part that was found to be good; empty when none was. */
  readonly landable: readonly string[];
  /** Why nobody is a culprit, in a clause; `stopped` when nobody was to be asked any more. */
  readonly unproven?: "stopped" | { readonly reason: string };
}

/** Thrown where an answer is missing: whatever was asked for, it cannot be said. */
class Stopped extends Error {}

/**
 * Halves the inputs until one is left that turns them bad, then adds inputs from before it for as long as it needs
 * them to be bad: ⌈log₂ n⌉ questions for each culprit, and a few for the proof. No part is asked about twice.
 */
export async function searchInputs({ inputs, test }: SearchOptions): Promise<SearchResult> {
  const known = new Map<string, { readonly part: readonly string[]; readonly verdict: PartVerdict }>();

  async function verdictOf(part: readonly string[]): Promise<PartVerdict> {
    const key = JSON.stringify(part.toSorted());
    const answer = known.get(key)?.verdict ?? (await test(part));
    if (answer === undefined) throw new Stopped();
    known.set(key, { part, verdict: answer });
    return answer;
  }
  const is = async (verdict: PartVerdict, part: readonly string[]): Promise<boolean> =>
    (await verdictOf(part)) === verdict;

  const result = (found: Pick<SearchResult, "culprits" | "unproven">): SearchResult => {
    const good = [...known.values()].filter(({ verdict }) => verdict === "good").map(({ part }) => part);
    return { ...found, landable: good.toSorted((a, b) => b.length - a.length)[0] ?? [] };
  };

  try {
    if (!(await is("good", []))) {
      return result({ culprits: [], unproven: { reason: "the hosts do not build without it either" } });
    }
    const found = await findGroups(inputs, { verdictOf, is });
    if ("unproven" in found) return result({ culprits: [], unproven: found.unproven });
    const culprits = await onlyCulprits(inputs, found.groups, is);
    await growLandable(inputs, culprits, is);
    return result({ culprits });
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    return result({ culprits: [], unproven: "stopped" });
  }
}

interface Questions {
  readonly verdictOf: (part: readonly string[]) => Promise<PartVerdict>;
  readonly is: (verdict: PartVerdict, part: readonly string[]) => Promise<boolean>;
}

type Groups =
  | { readonly groups: readonly (readonly string[])[] }
  | { readonly unproven: { readonly reason: string } };

/** Takes away what is bad by itself until the rest is good. */
async function findGroups(inputs: readonly string[], questions: Questions): Promise<Groups> {
  const groups: (readonly string[])[] = [];
  let rest = inputs;
  for (;;) {
    const verdict = await questions.verdictOf(rest);
    if (verdict === "good") return { groups };
    if (verdict === "other") {
      const without = groups.flat().join(", ");
      return { unproven: { reason: `without ${without} the hosts fail in another way` } };
    }
    const group = await smallestBad(rest, questions.is);
    if (!(await isMinimal(group, questions.is))) {
      const reason = `it is among ${group.join(", ")}, which fail in other ways when they are parted`;
      return { unproven: { reason } };
    }
    groups.push(group);
    rest = without(rest, group);
  }
}

/** A bad part of a bad part that no step makes smaller. */
async function smallestBad(part: readonly string[], is: Questions["is"]): Promise<readonly string[]> {
  let needed: readonly string[] = [];
  let pool = part;
  do {
    // `needed` with the first `low` of the pool is not bad, with the first `high` it is.
    let [low, high] = [0, pool.length];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (await is("bad", [...needed, ...pool.slice(0, middle)])) high = middle;
      else low = middle;
    }
    needed = [...needed, ...pool.slice(high - 1, high)];
    pool = pool.slice(0, high - 1);
  } while (pool.length > 0 && !(await is("bad", needed)));
  for (const input of needed.length > 1 ? needed : []) {
    // Parts of it can have failed otherwise before: one alone, or all but one, may do.
    for (const smaller of [[input], without(needed, [input])]) {
      if (await is("bad", smaller)) return smallestBad(smaller, is);
    }
  }
  return needed;
}

/** Whether it takes all of them together. */
async function isMinimal(group: readonly string[], is: Questions["is"]): Promise<boolean> {
  if (group.length === 1) return true;
  for (const input of group) if (!(await is("good", without(group, [input])))) return false;
  return true;
}

/**
 * Inputs that need each other are bad apart, and would all be culprits beside the one that breaks them all. Where one
 * group is enough, it is the only one.
 */
async function onlyCulprits(
  inputs: readonly string[],
  groups: readonly (readonly string[])[],
  is: Questions["is"],
): Promise<readonly (readonly string[])[]> {
  if (groups.length < 2) return groups;
  for (const group of groups) if (await is("good", without(inputs, group))) return [group];
  return groups;
}

/** Among inputs that fail only together, some can still land. */
async function growLandable(
  inputs: readonly string[],
  culprits: readonly (readonly string[])[],
  is: Questions["is"],
): Promise<void> {
  let landable = without(inputs, culprits.flat());
  for (const group of culprits) {
    for (const input of group.slice(0, -1)) {
      if (await is("good", [...landable, input])) landable = [...landable, input];
    }
  }
}

const without = (part: readonly string[], gone: readonly string[]): readonly string[] =>
  part.filter((input) => !gone.includes(input));
