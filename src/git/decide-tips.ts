// Which tips of a remote's branches are fetched, and in which order: a commit that somebody asks for is most likely on
// a branch that has just moved, or that was asked for before.
import type { Commit } from "../protocol/names.ts";

/** A commit at the tip of a branch, and one branch that it can be fetched by. */
export interface Tip {
  readonly branch: string;
  readonly commit: Commit;
}

export type Heads = ReadonlyMap<string, Commit>;

/** The branches as they are now: those that moved since we looked last come first, the others stay in their order. */
export function recentFirst(before: Heads, now: Heads): Heads {
  const moved = [...now].filter(([branch, tip]) => before.get(branch) !== tip);
  const others = [...before].filter(([branch, tip]) => now.get(branch) === tip);
  return new Map([...moved, ...others]);
}

/** Each commit once, however many branches are at it; by a branch that was asked for by name where there is one. */
export function distinctTips(heads: Heads, asked: ReadonlySet<string>): readonly Tip[] {
  const tips = new Map<Commit, Tip>();
  const all = [...heads].map(([branch, commit]): Tip => ({ branch, commit }));
  const named = all.filter(({ branch }) => asked.has(branch));
  const others = all.filter(({ branch }) => !asked.has(branch));
  for (const tip of [...named, ...others]) if (!tips.has(tip.commit)) tips.set(tip.commit, tip);
  return [...tips.values()];
}

/** The limit for branch names in one call: systems bound a program's arguments, and each name appears twice. */
const mostNameBytes = 128 * 1024;

/** The tips to fetch together. Tips that failed before come last, each alone: they would fail the others. */
export function groupTips(
  tips: readonly Tip[],
  hasFailed: (commit: Commit) => boolean,
): readonly (readonly Tip[])[] {
  const groups: Tip[][] = [];
  let bytes = Infinity;
  for (const tip of tips.filter(({ commit }) => !hasFailed(commit))) {
    const size = Buffer.byteLength(tip.branch) + 64;
    if (bytes + size > mostNameBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(tip);
    bytes += size;
  }
  return [...groups, ...tips.filter(({ commit }) => hasFailed(commit)).map((tip) => [tip])];
}
