import { setTimeout as sleep } from "node:timers/promises";
import { startFleet } from "../support/listener-fleet.ts";
import { atMost, milliseconds, seconds, type BenchResult } from "./bench.ts";

const hosts = 1000;
/** Two heartbeats of each. */
const watchedMs = 120_000;

/** Listeners of a thousand hosts in this process, with a server of their own: an order for each, and their heartbeats. */
export async function runThousandListeners(): Promise<readonly BenchResult[]> {
  await using fleet = await startFleet(hosts);
  const { storedMs, heardMs } = await fleet.orderAll(AbortSignal.timeout(60_000));
  // What the orders have changed is told first.
  await sleep(10_000);
  const cpuBefore = process.cpuUsage();
  const before = await fleet.countStates();
  await sleep(watchedMs);
  const rate = ((await fleet.countStates()) - before) / (watchedMs / 1000);
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuPerHour = ((user + system) / 1e6 / hosts) * (3_600_000 / watchedMs);
  const startedAt = performance.now();
  const states = await fleet.operator.hostStates(AbortSignal.timeout(30_000));
  const readMs = performance.now() - startedAt;
  if (states.length !== hosts)
    throw new Error(`${states.length} of ${hosts} hosts have said what they are like`);
  return [
    { what: `an order for each of ${hosts} hosts, stored`, ours: seconds(storedMs / 1000) },
    {
      what: `the same, heard and verified by each`,
      ours: seconds(heardMs / 1000),
      goal: atMost(heardMs / 1000, 3, " s"),
    },
    {
      what: `heartbeats of ${hosts} hosts`,
      ours: `${rate.toFixed(1)} a second`,
      goal: atMost(rate, 20, " a second"),
    },
    {
      what: `reading the state of ${hosts} hosts`,
      ours: milliseconds(readMs),
      goal: atMost(readMs / 1000, 1, " s"),
    },
    { what: "an idle listener, without its process", ours: `${cpuPerHour.toFixed(2)} s of CPU an hour` },
  ];
}
