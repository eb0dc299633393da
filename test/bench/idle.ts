import { setTimeout as sleep } from "node:timers/promises";
import type { BuildReader } from "../../src/bus/bus.ts";
import { isTerminal } from "../../src/protocol/events.ts";
import { atMost, milliseconds, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { startLab } from "./lab.ts";
import { readThreadTime } from "./measure.ts";

const repos = 5;
/** So that a minute has enough of them to count; a real builder looks once a minute. */
const pollSeconds = 1;
const measuredSeconds = 60;
const settleMs = 5000;
const patienceMs = 120_000;

/** What a builder takes that nobody asks for anything, and what it takes to look for new commits; git's own apart. */
export async function runIdle(context: BenchContext): Promise<readonly BenchResult[]> {
  const quiet = await measureIdle(context, 0);
  const polling = await measureIdle(context, pollSeconds);
  const polls = (measuredSeconds / pollSeconds) * repos;
  const perPoll = Math.max(0, polling - quiet) / polls;
  const anHour = (quiet / measuredSeconds) * 3600 + perPoll * repos * 60;
  return [
    {
      what: `idle builder, ${repos} repos polled each minute: CPU an hour, without git's`,
      ours: seconds(anHour),
      goal: atMost(anHour, 3, " s"),
    },
    { what: "idle builder: CPU for a poll, without git's", ours: milliseconds(perPoll * 1000) },
  ];
}

async function measureIdle(context: BenchContext, pollEvery: number): Promise<number> {
  await using lab = await startLab(context, { fleet: {}, polled: { repos, seconds: pollEvery } });
  if (pollEvery > 0) await untilFirstBuildsAreOver(lab.reader);
  await sleep(settleMs);
  const before = await readThreadTime(lab.builderPid);
  await sleep(measuredSeconds * 1000);
  return (await readThreadTime(lab.builderPid)) - before;
}

/** Each repo is built once, because nobody has seen its commit. */
async function untilFirstBuildsAreOver(reader: BuildReader): Promise<void> {
  const signal = AbortSignal.timeout(patienceMs);
  for (;;) {
    const ids = await reader.acceptedBuilds(repos, signal);
    const last = await Promise.all(ids.map(async (id) => reader.lastEvent(id, signal)));
    if (last.filter((event) => event !== undefined && isTerminal(event)).length === repos) return;
    await sleep(200, undefined, { signal });
  }
}
