// Tells what has landed, and what it changes on the hosts: an event, and a comment on the pull request that it was
// merged by. All of it comes after the landing, and none of it can undo that.
import { HomelabError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { BranchName } from "../../protocol/names.ts";
import type { LandedEffect } from "../../protocol/update-events.ts";
import { isOurs } from "../propose/decide-pull-requests.ts";
import type { TendOptions } from "../propose/tend-proposals.ts";
import { announce, announceValidated, type AnnounceOptions } from "../tell/announce.ts";
import type { Explain, LandedCommit } from "../update.ts";
import { effectComment } from "./effect-markdown.ts";

export interface TellLandedOptions {
  readonly log: Log;
  readonly explain: Explain;
  readonly telling: AnnounceOptions;
  /** Undefined without a forge. */
  readonly proposals: Pick<TendOptions, "forge" | "branch"> | undefined;
}

/**
 * A run that is ended in between has not told it, and the next one does.
 *
 * @param inputs where nobody has what was validated any more
 * @returns what it changes; undefined where nobody could find out
 */
export async function tellLanded(
  options: TellLandedOptions,
  landed: LandedCommit,
  inputs: readonly string[],
  signal: AbortSignal,
): Promise<LandedEffect | undefined> {
  const { telling, log } = options;
  const { base, commit, validated, branch } = landed;
  const effect = await unlessItFails(log, "what a landed update changes could not be found out", signal, () =>
    options.explain(landed, signal),
  );
  if (validated !== undefined) {
    await announceValidated(telling, validated, { outcome: "landed", effect }, signal);
  } else {
    await announce(telling, { outcome: "landed", base, commit, inputs: [...inputs], effect }, signal);
  }
  if (effect !== undefined && branch !== undefined) {
    await unlessItFails(log, "the merged pull request could not be commented on", signal, () =>
      commentOnMerged(options, branch, landed, effect, signal),
    );
  }
  return effect;
}

/** Where it landed by a merge. */
async function commentOnMerged(
  { proposals }: Pick<TellLandedOptions, "proposals">,
  head: BranchName,
  { commit }: Pick<LandedCommit, "commit">,
  effect: LandedEffect,
  signal: AbortSignal,
): Promise<void> {
  if (proposals === undefined) return;
  const { forge, branch: base } = proposals;
  const merged = (await forge.pullRequests({ state: "closed", head, base }, signal)).findLast(
    (pullRequest) => pullRequest.state === "merged" && isOurs(pullRequest),
  );
  if (merged === undefined) return;
  await forge.ensureComment(merged.number, effectComment(commit, effect), signal);
}

/** Bugs are counted by the log that they are written to. */
async function unlessItFails<Value>(
  log: Log,
  what: string,
  signal: AbortSignal,
  act: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await act();
  } catch (error) {
    signal.throwIfAborted();
    const advice = error instanceof HomelabError ? { code: error.code, hint: error.hint } : {};
    log.warn({ err: error, ...advice }, what);
    return undefined;
  }
}
