// Why an update breaks hosts: by which of its inputs, and by which revisions of these.
import type { Found, Searching, Validated } from "../update.ts";
import type { Commit, HostName } from "../../protocol/names.ts";
import { isSuccess } from "../../protocol/verdicts.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { bisectInput, type BisectedInput } from "./bisect-input.ts";
import type { BrokenPart } from "./broken-part.ts";
import type { Candidate } from "../candidate.ts";
import { breakageOf } from "./breakage.ts";
import { isolateInputs, type SearchBudget } from "./isolate.ts";
import type { ProbeOptions } from "./probe-commit.ts";
import type { SearchResult } from "./search-inputs.ts";

export interface GuiltyOptions extends ProbeOptions, Searching {
  /** The base with some inputs of a lock, without one of the complete update; undefined when nothing would change. */
  readonly makePart: (
    inputs: readonly string[],
    signal: AbortSignal,
    fullLock?: string,
  ) => Promise<Candidate | undefined>;
  /** Puts it where builders find it. */
  readonly claim: (part: Candidate, signal: AbortSignal) => Promise<void>;
  /** Validates it on every host, and lands it if it may. */
  readonly land: (part: Candidate, signal: AbortSignal) => Promise<boolean>;
}

/** Whether what an update has besides the guilty inputs is known to build. */
export const isRestGood = ({ candidate }: Pick<Validated, "candidate">, { guilty }: Found): boolean =>
  guilty.length > 0 && guilty.length < candidate.changes.length;

/** When it returns, builders find the candidate again where they did before, unless a part of it has landed. */
export async function findGuilty(
  options: GuiltyOptions,
  candidate: Candidate,
  broken: BrokenPart,
  signal: AbortSignal,
): Promise<Found> {
  const { search, clock, makePart, claim } = options;
  const budget = { parts: search.parts, deadline: clock.monotonic() + search.milliseconds };
  const offer = async (names: readonly string[]): Promise<Commit | undefined> => {
    const part = await makePart(names, signal);
    if (part !== undefined) await claim(part, signal);
    return part?.commit;
  };
  const inputs = candidate.changes.map(({ path }) => path[0] ?? "");
  const searched = await isolateInputs({ ...options, offer, budget }, inputs, broken.hosts, signal);
  const { landable, guilty } = searched;
  const landed = await landRest(options, landable, signal);
  const left = { ...budget, parts: budget.parts - searched.tests };
  const bisected = await bisectGuilty({ ...options, budget: left }, candidate, broken, searched, signal);
  if (landed === undefined) await claim(candidate, signal);
  return { guilty, bisected, landed };
}

async function landRest(
  { partialLanding, makePart, claim, land }: GuiltyOptions,
  landable: readonly string[],
  signal: AbortSignal,
): Promise<Found["landed"]> {
  const rest = partialLanding && landable.length > 0 ? await makePart(landable, signal) : undefined;
  if (rest === undefined) return undefined;
  await claim(rest, signal);
  return (await land(rest, signal)) ? { commit: rest.commit, inputs: landable } : undefined;
}

/** Each guilty input on top of what builds: there the old revision was seen to build, and the new one to break. */
async function bisectGuilty(
  options: GuiltyOptions & { readonly budget: SearchBudget },
  candidate: Candidate,
  { hosts, state, baseState }: BrokenPart,
  { landable, guilty, incomplete }: SearchResult,
  signal: AbortSignal,
): Promise<readonly BisectedInput[]> {
  const { history, makePart, claim, budget } = options;
  const isBaseGood = candidate.changes.length === 1 && hosts.every((host) => hasBuilt(baseState, host));
  async function offer(input: string, rev: Commit): Promise<Commit> {
    const fullLock = await history.lockAt(candidate.commit, input, rev, signal);
    const part = await makePart([...landable, input], signal, fullLock);
    if (part === undefined) return candidate.base;
    await claim(part, signal);
    return part.commit;
  }
  const bisected: BisectedInput[] = [];
  for (const input of guilty) {
    const suspect = {
      input,
      between: { base: candidate.base, candidate: candidate.commit },
      breakage: breakageOf(state, hosts),
      isOldGood: landable.length > 0 || isBaseGood,
      isNewBad: guilty.length === 1 || !incomplete,
    };
    const probed = bisected.reduce((sum, { probes }) => sum + probes, 0);
    const left = { ...budget, parts: budget.parts - probed };
    bisected.push(await bisectInput({ ...options, offer, budget: left }, suspect, signal));
  }
  return bisected;
}

const hasBuilt = (state: BuildState | undefined, name: HostName): boolean =>
  [...(state?.hosts.values() ?? [])].some(
    ({ host, finished }) => host === name && finished !== undefined && isSuccess(finished.verdict),
  );
