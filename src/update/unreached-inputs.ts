// Inputs that an update could not reach, from run to run: a server can be down for a night, and a branch that was
// renamed upstream looks the same forever.
import type { Journal, JournalEntry, UnreachedInput } from "./journal.ts";
import type { UnavailableInput } from "./update-reachable.ts";

/** A server that is down for so many updates in a row is nothing that passes by itself. */
const patience = 3;

/** Whether somebody has to do something about it: nothing waits for a branch that is gone, or for a permission. */
export const needsPerson = ({ kind, runs }: Pick<UnreachedInput, "kind" | "runs">): boolean =>
  kind !== "unavailable" || runs >= patience;

/** `for 3 updates in a row, since 2026-11-08`; undefined for the first one. */
export function historyText({ runs, since }: Pick<UnreachedInput, "runs" | "since">): string | undefined {
  if (runs < 2) return undefined;
  return `for ${runs} updates in a row${since === undefined ? "" : `, since ${since.slice(0, 10)}`}`;
}

/** Those that this run could not reach; undefined where it has not asked upstream yet. */
export function unreachedInputs(journal: Pick<Journal, "last">): readonly UnreachedInput[] | undefined {
  const resolved = journal.last("resolved");
  if (resolved !== undefined) return resolved.unavailable ?? [];
  return journal.last("unreached")?.unavailable;
}

/** Those that the runs up to now could not reach, for the next one. */
export function rememberedInputs(journal: Pick<Journal, "last">): readonly UnreachedInput[] {
  const started = journal.last("started");
  const known = started?.unreached ?? [];
  const seen = unreachedInputs(journal);
  if (seen === undefined) return known;
  // What was not asked for in that run, because other inputs were, is as it was before.
  const others = known.filter(({ input }) => started?.inputs?.includes(input) === false);
  return [...others, ...seen];
}

/** What a run saw, with the runs before it. */
export const countRuns = (
  unavailable: readonly UnavailableInput[],
  started: Pick<Extract<JournalEntry, { step: "started" }>, "unreached" | "at"> | undefined,
): UnreachedInput[] =>
  unavailable.map((each) => {
    const before = started?.unreached?.find(({ input }) => input === each.input);
    return { ...each, runs: (before?.runs ?? 0) + 1, since: before?.since ?? started?.at };
  });
