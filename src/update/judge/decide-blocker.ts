// Why an update does not land although everything builds with it.
import type { LockFinding, LockFindingKind } from "../../nix/lock/flake-lock-check.ts";

export interface Blocker {
  readonly reason: "race" | "refused" | "lock" | "downgrade";
  /** Has text from outside. */
  readonly message: string;
  /** What to change so that the next update lands, where that is known. */
  readonly advice?: string;
}

/** An update moves inputs forward on the place they are declared at; these are something else. */
const suspicious: ReadonlySet<LockFindingKind> = new Set(["source-changed", "source-differs", "not-pinned"]);

/**
 * Which changes of a lock a person has to look at. Inputs of inputs are their authors' affair: they come and go with every release, and building is what judges them.
 *
 * @returns undefined when nothing hinders the landing.
 */
export function blockerOf(findings: readonly LockFinding[]): Blocker | undefined {
  const direct = findings.filter(({ path }) => path.length === 1);
  const strange = direct.filter(({ kind }) => suspicious.has(kind));
  if (strange.length > 0) return { reason: "lock", message: sentence(strange) };
  const older = direct.filter(({ kind }) => kind === "downgraded");
  return older.length > 0 ? { reason: "downgrade", message: sentence(older) } : undefined;
}

const sentence = (findings: readonly LockFinding[]): string =>
  findings.map(({ message }) => message).join("; ");
