// Finds the inputs that break an update, by building the hosts that fail with parts of it.
import type { Commit, HostName } from "../../protocol/names.ts";
import { hostsToCompare } from "../judge/decide-classes.ts";
import { allBuilt, probeCommit, type ProbeOptions } from "./probe-commit.ts";
import { searchInputs, type SearchResult } from "./search-inputs.ts";

export interface IsolateOptions extends ProbeOptions {
  /** A commit of the base with these inputs, where builders find it. */
  readonly offer: (inputs: readonly string[], signal: AbortSignal) => Promise<Commit | undefined>;
  readonly budget: SearchBudget;
}

export interface SearchBudget {
  /** Parts that are built at most. */
  readonly parts: number;
  /** After this time of the monotonic clock none is begun. */
  readonly deadline: number;
}

/** @param hosts that all inputs together break; those that were broken before say nothing of the inputs */
export async function isolateInputs(
  options: IsolateOptions,
  inputs: readonly string[],
  hosts: readonly HostName[],
  signal: AbortSignal,
): Promise<SearchResult> {
  const { clock, log, offer, budget } = options;

  async function test(part: readonly string[]): Promise<boolean | undefined> {
    if (clock.monotonic() > budget.deadline) return undefined;
    const question = `does it build with ${part.join(", ")}?`;
    const probe = { offer: (until: AbortSignal) => offer(part, until), hosts, question };
    const probed = await probeCommit(options, probe, signal);
    if (probed.type === "unknown") return undefined;
    if (probed.type === "missing" || hostsToCompare(probed.state).length > 0) return false;
    return allBuilt(probed.state, hosts) ? true : undefined;
  }

  const found = await searchInputs({ inputs, test, budget: budget.parts });
  log.info(
    { landable: found.landable, guilty: found.guilty, tests: found.tests },
    "looked for the inputs that break the update",
  );
  return found;
}
