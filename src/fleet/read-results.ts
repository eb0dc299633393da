// Builds and hosts for lists, from their rows; where there is none (yet), from the event log.
import { HomelabError } from "../base/errors.ts";
import { workThrough } from "../base/work-through.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { BuildId } from "../protocol/names.ts";
import {
  hostResultsOf,
  mergeHostResults,
  summaryOf,
  type BuildSummary,
  type HostResult,
} from "../protocol/results.ts";
import { readBuild } from "./find-build.ts";

const rowsAtOnce = 100;
/** A log has megabytes. */
const logsAtOnce = 4;

/** In the order of the ids; a build whose events are gone, and that has no row, is left out. */
export async function readSummaries(
  reader: BuildReader,
  ids: readonly BuildId[],
  counts: ReadonlyMap<BuildId, number>,
  signal: AbortSignal,
): Promise<BuildSummary[]> {
  const found = new Map<BuildId, BuildSummary>();
  const without: BuildId[] = [];
  const stored = await reader.results.builds(signal);
  await workThrough([...ids], rowsAtOnce, async (id) => {
    const row = stored.has(id) ? await reader.results.build(id, signal) : undefined;
    if (row !== undefined) found.set(id, row);
    // The row is of an older state than the log, as after the restore of a backup.
    if (row === undefined || row.events < (counts.get(id) ?? 0)) without.push(id);
  });
  await workThrough(without, logsAtOnce, async (id) => {
    const summary = await fromLog(reader, id, summaryOf, signal);
    if (summary !== undefined) found.set(id, summary);
  });
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** @param recent builds that may be newer than all rows, newest first */
export async function readHosts(
  reader: BuildReader,
  recent: readonly BuildId[],
  signal: AbortSignal,
): Promise<HostResult[]> {
  // In this order: the rows of its hosts are there before that of a build.
  const stored = await reader.results.builds(signal);
  const rows = await reader.results.hosts(signal);
  const logs = new Map<BuildId, readonly HostResult[]>();
  const without = recent.filter((id) => !stored.has(id));
  await workThrough([...without], logsAtOnce, async (id) => {
    logs.set(id, (await fromLog(reader, id, hostResultsOf, signal)) ?? []);
  });
  return mergeHostResults([...rows, ...without.toReversed().flatMap((id) => logs.get(id) ?? [])]);
}

async function fromLog<T>(
  reader: BuildReader,
  id: BuildId,
  take: (state: Awaited<ReturnType<typeof readBuild>>) => T,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return take(await readBuild(reader, id, signal));
  } catch (error) {
    if (signal.aborted || !(error instanceof HomelabError)) throw error;
    return undefined;
  }
}
