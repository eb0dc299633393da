// Which rollout is next where only signed commits are rolled out. What nobody on the list has signed does not begin, and keeps
// nothing else from beginning.
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Commit } from "../protocol/names.ts";
import { decideStart, type StartFacts, type StartStep } from "./decide-start.ts";
import type { DeployerParts } from "./deployer-parts.ts";

/** Somebody may repair the list, and a git server comes back. */
const againMs = 60_000;

export type SignedStart = (facts: StartFacts, signal: AbortSignal) => Promise<StartStep | undefined>;

export function createSignedStart({
  repo,
  verifyCommit,
  clock,
  log,
}: Pick<DeployerParts, "repo" | "verifyCommit"> & {
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
}): SignedStart {
  /** When each was last refused, and the code for which that was logged. */
  const refused = new Map<Commit, { readonly at: number; readonly code: string | undefined }>();

  async function isSigned(commit: Commit, signal: AbortSignal): Promise<boolean> {
    if (verifyCommit === undefined) return true;
    const before = refused.get(commit);
    if (before !== undefined && clock.monotonic() - before.at < againMs) return false;
    try {
      await verifyCommit(commit, signal);
      refused.delete(commit);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HomelabError)) throw error;
      const { code, hint } = error;
      if (before?.code !== code) {
        log.error({ repo, commit, err: error, hint }, "a rollout does not begin: its commit is not verified");
      }
      refused.set(commit, { at: clock.monotonic(), code });
      return false;
    }
  }

  return async function next(facts, signal): Promise<StartStep | undefined> {
    const step = decideStart(facts);
    if (step?.type !== "create" || (await isSigned(step.rollout.commit, signal))) return step;
    // Hosts that are back get what was rolled out before, whatever the newest build is.
    return facts.green === undefined ? undefined : next({ ...facts, green: undefined }, signal);
  };
}
