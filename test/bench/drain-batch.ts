// Batch requests for what is built already: asked for at once, and worked off by the builder.
import { setTimeout as sleep } from "node:timers/promises";
import type { BuildReader } from "../../src/bus/bus.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import type { Target } from "../../src/protocol/subjects.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { Lab } from "./lab.ts";
import { readCpuTime, readResidentBytes, type CpuTime } from "./measure.ts";

const atOnce = 50;
const patienceMs = 600_000;

export interface Drain {
  /** Milliseconds of the builder's CPU for each, with Nix and git. */
  readonly cpuMs: number;
  /** The same of the builder alone. */
  readonly ownMs: number;
  readonly mostBytes: number;
}

/**
 * @param targetOf the one with this number
 * @param queued called when all are asked for
 */
export async function drainBatch(
  lab: Lab,
  requests: number,
  targetOf: (number: number) => Target,
  queued: (signal: AbortSignal) => Promise<void> = async () => {},
): Promise<Drain> {
  const signal = AbortSignal.timeout(patienceMs);
  const before = await readCpuTime(lab.builderPid);
  const ids: BuildId[] = [];
  const ask = async (): Promise<void> => {
    const id = newBuildId(new Date());
    const target = targetOf(ids.push(id));
    await lab.reader.submit(target, { id, priority: "batch", rev: lab.commit }, signal);
  };
  for (let count = 0; count < requests; count += atOnce)
    await Promise.all(Array.from({ length: Math.min(atOnce, requests - count) }, ask));
  await queued(signal);

  let mostBytes = 0;
  while (!(await areOver(lab.reader, ids, signal))) {
    mostBytes = Math.max(mostBytes, await readResidentBytes(lab.builderPid));
    await sleep(1000);
  }
  const after = await readCpuTime(lab.builderPid);
  const each = (key: keyof CpuTime): number => ((after[key] - before[key]) / requests) * 1000;
  return { cpuMs: each("own") + each("descendants"), ownMs: each("own"), mostBytes };
}

async function areOver(reader: BuildReader, ids: readonly BuildId[], signal: AbortSignal): Promise<boolean> {
  if ((await reader.queueLength(signal)) > 0) return false;
  const last = await Promise.all(ids.slice(-100).map(async (id) => reader.lastEvent(id, signal)));
  return last.every((event) => event?.type === "finished");
}
