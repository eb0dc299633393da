// A run, and the one moment of upstream that it is about.
import { isDeepStrictEqual } from "node:util";
import { updatableInputs } from "../nix/lock/flake-lock-diff.ts";
import { parseFlakeLock } from "../nix/lock/flake-lock.ts";
import type { Commit } from "../protocol/names.ts";
import { newBuildId } from "../protocol/ulid.ts";
import { branchOfDay } from "./branch/decide-branch.ts";
import type { LockMoment } from "./candidate.ts";
import { countRuns, rememberedInputs } from "./unreached-inputs.ts";
import type { Run, Source } from "./update.ts";
import { unavailableInputs, updateReachable, worstOf } from "./update-reachable.ts";

/** What of an update it takes. */
export interface MomentOptions {
  readonly run: Run;
  readonly source: Source;
}

/** An unfinished run is resumed for so long; after that, upstream is asked again. */
const maxCandidateAgeMs = 24 * 3_600_000;
/** @throws HomelabError that of an input, when none of them can be reached */
export async function resolveMoment(
  options: MomentOptions,
  base: Commit,
  signal: AbortSignal,
): Promise<LockMoment> {
  const fitted = await fitLock(options, base, signal);
  return { fitted, full: await resolveFullLock(options, base, signal) };
}

/** The same moment of upstream for another base. */
export const momentFor = async (
  options: Pick<MomentOptions, "source">,
  base: Commit,
  { full }: LockMoment,
  signal: AbortSignal,
): Promise<LockMoment> => ({ fitted: await fitLock(options, base, signal), full });

async function fitLock(
  { source: { upstream, repository, lockPath } }: Pick<MomentOptions, "source">,
  base: Commit,
  signal: AbortSignal,
): Promise<string> {
  // Nix says less of a lock that it cannot read, and 2.8 nothing in its log.
  const text = await repository.readFile(base, lockPath, signal);
  if (text !== undefined) parseFlakeLock(text);
  return upstream.updateLock(base, [], signal);
}

/** Resumes the run that did not end, or begins a new one. */
export async function beginRun(
  { run: { journal, clock }, source: { inputs } }: MomentOptions,
  base: Commit,
): Promise<void> {
  const started = journal.last("started");
  const isOpen = started !== undefined && journal.last("ended") === undefined;
  // What was resolved for some inputs says nothing about the others.
  const isSame = isDeepStrictEqual(started?.inputs?.toSorted(), inputs?.toSorted());
  if (isOpen && isSame && clock.now().getTime() - Date.parse(started.at) < maxCandidateAgeMs) return;
  const unreached = rememberedInputs(journal);
  await journal.restart();
  const now = clock.now();
  await journal.append({
    step: "started",
    run: newBuildId(now),
    at: now.toISOString(),
    base,
    branch: branchOfDay(now),
    inputs: inputs && [...inputs],
    ...(unreached.length === 0 ? {} : { unreached: [...unreached] }),
  });
}

/**
 * Upstream is asked once in a run: every candidate of it is about the same moment.
 *
 * @throws HomelabError that of an input, when none of them can be reached
 */
async function resolveFullLock(
  { run: { journal, log }, source }: MomentOptions,
  base: Commit,
  signal: AbortSignal,
): Promise<string> {
  const { upstream, repository, lockPath, inputs } = source;
  const known = journal.last("resolved");
  if (known !== undefined) return known.fullLock;
  const baseLock = await repository.readFile(base, lockPath, signal);
  const update = async (wanted: readonly string[] | undefined): Promise<string> =>
    upstream.updateLock(base, wanted, signal);
  // Without a lock nothing can stay as it is.
  const names = async (): Promise<readonly string[]> =>
    baseLock === undefined ? [] : updatableInputs(parseFlakeLock(await update([])));
  const { lock: fullLock, unavailable } = await updateReachable({ update, names, inputs, log });
  const counted = countRuns(unavailableInputs(unavailable), journal.last("started"));
  if (fullLock === undefined) {
    await journal.append({ step: "unreached", unavailable: counted });
    throw worstOf([...unavailable.values()]);
  }
  await journal.append({
    step: "resolved",
    fullLock,
    ...(counted.length === 0 ? {} : { unavailable: counted }),
  });
  return fullLock;
}
