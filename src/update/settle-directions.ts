// Whether inputs went back in time: by their histories where git can read them. The times in a lock are what somebody's
// clock said, and decide only where it cannot.
import type { LockFinding } from "../nix/lock/flake-lock-check.ts";
import type { InputChange } from "../nix/lock/flake-lock-diff.ts";
import type { CommitRelation } from "../git/git.ts";
import type { Candidate } from "./candidate.ts";
import type { InputHistory } from "./search/bisect-input.ts";

/** The candidate with what its inputs' histories say about `downgraded`. Inputs below others are judged by time. */
export async function settleDirections(
  { direction }: Pick<InputHistory, "direction">,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<Candidate> {
  const changes: InputChange[] = [];
  const findings: LockFinding[] = candidate.findings.filter(
    ({ kind, path }) => kind !== "downgraded" || path.length > 1,
  );
  for (const change of candidate.changes) {
    const relation = hasMoved(change)
      ? await direction(change.path[0] ?? "", { base: candidate.base, candidate: candidate.commit }, signal)
      : undefined;
    const settled = settle(change, relation);
    changes.push({ ...change, downgraded: settled !== undefined });
    if (settled !== undefined) {
      const message = `${change.path.join("/")} is older than before${settled}`;
      findings.push({ kind: "downgraded", path: change.path, message });
    }
  }
  return { ...candidate, changes, findings };
}

const hasMoved = ({ before, after }: InputChange): boolean =>
  before?.rev !== undefined && after?.rev !== undefined && before.rev !== after.rev;

/** Describes how it is older; undefined if it is not. */
function settle({ downgraded }: InputChange, relation: CommitRelation | undefined): string | undefined {
  switch (relation?.type) {
    case "forward":
      return undefined;
    case "back":
      return ": its old commit stands on its new one";
    case "apart":
      return downgraded ? " by its time: its history was rewritten, or its branch is another one" : undefined;
    case "unreachable":
      return downgraded ? ` by its time alone: ${relation.reason}` : undefined;
    case undefined:
      return downgraded ? " by its time" : undefined;
  }
}
