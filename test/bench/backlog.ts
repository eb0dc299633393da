import { setTimeout as sleep } from "node:timers/promises";
import type { BuildReader } from "../../src/bus/bus.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { parseHostName } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { atMost, mebibytes, milliseconds, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { benchRepo, everyHost, startLab } from "./lab.ts";
import { readCpuTime, readResidentBytes } from "./measure.ts";
import { requestBuild } from "./requests.ts";

const requests = 10_000;
const hosts = 20;
const atOnce = 50;
const patienceMs = 600_000;

/** A person's request behind a backlog of batch requests for hosts that are built, and what working it off costs. */
export async function runBacklog(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: { hosts, shared: 0 } });
  await requestBuild(lab.reader, everyHost);
  const one = { repo: benchRepo, host: parseHostName("host01") };
  const alone = await requestBuild(lab.reader, one);
  const signal = AbortSignal.timeout(patienceMs);
  const before = await readCpuTime(lab.builderPid);
  const ids: BuildId[] = [];
  const ask = async (): Promise<void> => {
    const id = newBuildId(new Date());
    const host = parseHostName(`host${String((ids.push(id) % hosts) + 1).padStart(2, "0")}`);
    await lab.reader.submit({ repo: benchRepo, host }, { id, priority: "batch", rev: lab.commit }, signal);
  };
  for (let count = 0; count < requests; count += atOnce)
    await Promise.all(Array.from({ length: atOnce }, ask));
  const queued = await lab.reader.queueLength(signal);
  const behind = await requestBuild(lab.reader, one);

  let mostBytes = 0;
  while (!(await areOver(lab.reader, ids, signal))) {
    mostBytes = Math.max(mostBytes, await readResidentBytes(lab.builderPid));
    await sleep(1000);
  }
  const after = await readCpuTime(lab.builderPid);
  const perBuild = ((after.own - before.own + after.descendants - before.descendants) / requests) * 1000;
  const what = `behind ${queued} of ${requests} batch requests`;
  return [
    {
      what: `interactive request ${what}: accepted`,
      ours: seconds(behind.acceptedMs / 1000),
      baseline: `${seconds(alone.acceptedMs / 1000)} alone`,
      ratio: behind.acceptedMs / alone.acceptedMs,
      goal: atMost(behind.acceptedMs / 1000, 1, " s"),
    },
    {
      what: `interactive request ${what}: verdict of an unchanged host`,
      ours: seconds(behind.finishedMs / 1000),
      baseline: `${seconds(alone.finishedMs / 1000)} alone`,
      ratio: behind.finishedMs / alone.finishedMs,
      goal: atMost(behind.finishedMs / 1000, 3, " s"),
    },
    {
      what: `${requests} batch requests: CPU for each, with Nix and git`,
      ours: milliseconds(perBuild),
      goal: atMost(perBuild, 5, " ms"),
    },
    {
      what: `${requests} batch requests: most memory of the builder`,
      ours: mebibytes(mostBytes),
      goal: atMost(mostBytes / 1024 ** 2, 200, " MiB"),
    },
  ];
}

async function areOver(reader: BuildReader, ids: readonly BuildId[], signal: AbortSignal): Promise<boolean> {
  if ((await reader.queueLength(signal)) > 0) return false;
  const last = await Promise.all(ids.slice(-100).map(async (id) => reader.lastEvent(id, signal)));
  return last.every((event) => event?.type === "finished");
}
