// Finds the inputs that break an update, by building the hosts that fail with parts of it.
import { HomelabError } from "../base/errors.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { Commit, HostName, RepoName } from "../protocol/names.ts";
import { isSuccess } from "../protocol/verdicts.ts";
import { newBuildId } from "../protocol/ulid.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { hostsToCompare } from "./decide-classes.ts";
import { searchInputs, type SearchResult } from "./search-inputs.ts";
import { buildCommit } from "./validate.ts";

export interface IsolateOptions {
  readonly builds: BuildReader;
  readonly repo: RepoName;
  readonly clock: Clock;
  readonly log: Log;
  /** A commit of the base with these inputs, where builders find it. */
  readonly offer: (inputs: readonly string[], signal: AbortSignal) => Promise<Commit | undefined>;
  /** The hosts that are there at a commit. */
  readonly inventory: (commit: Commit, signal: AbortSignal) => Promise<readonly string[]>;
  readonly budget: SearchBudget;
}

export interface SearchBudget {
  /** Parts that are built at most; 0 looks for nothing. */
  readonly parts: number;
  readonly milliseconds: number;
}

/** @param hosts that all inputs together break; those that were broken before say nothing of the inputs */
export async function isolateInputs(
  { builds, repo, clock, log, offer, inventory, budget }: IsolateOptions,
  inputs: readonly string[],
  hosts: readonly HostName[],
  signal: AbortSignal,
): Promise<SearchResult> {
  const deadline = clock.monotonic() + budget.milliseconds;

  async function test(part: readonly string[]): Promise<boolean | undefined> {
    if (clock.monotonic() > deadline) return undefined;
    try {
      const commit = await offer(part, signal);
      if (commit === undefined) return undefined;
      const present = await inventory(commit, signal);
      if (!hosts.every((host) => present.includes(host))) return false;
      const requestedBy = `update: does it build with ${part.join(", ")}?`;
      const state = await buildCommit(
        builds,
        { id: newBuildId(clock.now()), repo, commit, hosts, requestedBy },
        signal,
      );
      if (hostsToCompare(state).length > 0) return false;
      const verdicts = [...state.hosts.values()].map((host) => host.finished?.verdict);
      const all =
        verdicts.length === hosts.length &&
        verdicts.every((verdict) => verdict !== undefined && isSuccess(verdict));
      return all ? true : undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HomelabError)) throw error;
      log.warn({ inputs: part, error: error.message }, "a part of the update could not be judged");
      return undefined;
    }
  }

  const found = await searchInputs({ inputs, test, budget: budget.parts });
  log.info(
    { landable: found.landable, guilty: found.guilty, tests: found.tests },
    "looked for the inputs that break the update",
  );
  return found;
}
