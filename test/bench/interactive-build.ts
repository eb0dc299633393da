import { setTimeout as sleep } from "node:timers/promises";
import type { Commit } from "../../src/protocol/names.ts";
import { parseHostName } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { FleetToggles } from "../support/fleet.ts";
import { atMost, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { benchRepo, everyHost, startLab } from "./lab.ts";
import { requestBuild } from "./requests.ts";

/** Hosts of 20 s, half of it in a package; builds sleep, so that they cost no CPU. */
const fleet = (salt: string): FleetToggles => ({
  salt,
  hosts: 12,
  shared: 0,
  perHostSeconds: 10,
  hostSeconds: 10,
});
const wanted = { repo: benchRepo, host: parseHostName("host12") };
const settleMs = 5000;
const patienceMs = 60_000;

/** A host that somebody waits for, and that two batch builds of everything have in their queues as well. */
export async function runInteractiveBuild(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: fleet("alone") });
  const ask = async (rev: Commit): Promise<number> =>
    (await requestBuild(lab.reader, wanted, { priority: "interactive", rev })).finishedMs / 1000;
  const alone = await ask(lab.commit);

  const batches: { readonly id: ReturnType<typeof newBuildId>; readonly rev: Commit }[] = [];
  for (const salt of ["first", "second"]) {
    const rev = await lab.change(fleet(salt));
    const id = newBuildId(new Date());
    const signal = AbortSignal.timeout(patienceMs);
    await lab.reader.submit(everyHost, { id, priority: "batch", rev }, signal);
    batches.push({ id, rev });
    await sleep(settleMs);
  }
  const besides: number[] = [];
  for (const { rev } of batches) besides.push(await ask(rev));
  for (const { id } of batches)
    await lab.reader.control(id, { action: "cancel" }, AbortSignal.timeout(patienceMs));

  const slowest = Math.max(...besides);
  return [
    {
      what: "interactive build of 20 s that two batch builds have queued, slower of 2",
      ours: seconds(slowest),
      baseline: `${seconds(alone)} alone`,
      ratio: slowest / alone,
      goal: atMost(slowest, 35, " s"),
    },
  ];
}
