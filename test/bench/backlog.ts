import { parseHostName } from "../../src/protocol/names.ts";
import { atMost, mebibytes, milliseconds, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { drainBatch } from "./drain-batch.ts";
import { benchRepo, everyHost, startLab } from "./lab.ts";
import { requestBuild, type WatchedBuild } from "./requests.ts";

const requests = 10_000;
const hosts = 20;

/** A person's request behind a backlog of batch requests for hosts that are built, and what working it off costs. */
export async function runBacklog(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: { hosts, shared: 0 } });
  await requestBuild(lab.reader, everyHost);
  const one = { repo: benchRepo, host: parseHostName("host01") };
  const alone = await requestBuild(lab.reader, one);
  let behind: WatchedBuild = { ...alone, acceptedMs: Number.NaN, finishedMs: Number.NaN };
  let queued = 0;
  const target = (number: number) => ({
    repo: benchRepo,
    host: parseHostName(`host${String((number % hosts) + 1).padStart(2, "0")}`),
  });
  const { cpuMs, mostBytes } = await drainBatch(lab, requests, target, async (signal) => {
    queued = await lab.reader.queueLength(signal);
    behind = await requestBuild(lab.reader, one);
  });
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
      ours: milliseconds(cpuMs),
      goal: atMost(cpuMs, 5, " ms"),
    },
    {
      what: `${requests} batch requests: most memory of the builder`,
      ours: mebibytes(mostBytes),
      goal: atMost(mostBytes / 1024 ** 2, 200, " MiB"),
    },
  ];
}
