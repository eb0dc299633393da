// What an update costs that one revision of one input breaks, counted from the events of its builds.
import { createHash } from "node:crypto";
import type { BuildEvent } from "../../src/protocol/events.ts";
import { createUpdateLab, type UpdateLab } from "../support/update-lab.ts";
import { startUpdateRig, type UpdateRig } from "../support/update-rig.ts";
import { exactly, type BenchResult } from "./bench.ts";

const hosts = Array.from({ length: 16 }, (_, index) => `host${String(index + 1).padStart(2, "0")}`);
const broken = "host03";
const revisions = 8;
const firstBad = 5;

/** One build of the update. */
interface CountedBuild {
  /** A digest of the flake.lock of its commit. */
  readonly lock: string;
  /** What the update wanted to know by it. */
  readonly question: string;
  readonly hosts: readonly string[];
  /** Hosts that were evaluated for it; the others were remembered. */
  readonly evaluated: readonly string[];
}

/**
 * Three inputs move, one of them by eight revisions, of which the fifth breaks one host of sixteen. Updated twice: the
 * second time nothing has changed, as on the day after.
 */
export async function runRedUpdate(): Promise<readonly BenchResult[]> {
  await using lab = await createUpdateLab(hosts);
  await using rig = await startUpdateRig(lab);
  await lab.bump("alpha", { value: "2" });
  await lab.bump("gamma", { value: "2" });
  for (let number = 1; number <= revisions; number++) {
    await lab.bump("beta", { value: `b${number}`, breaks: number < firstBad ? [] : [broken] });
  }
  const isFound = await update(rig);
  const builds = await countBuilds(lab, rig);
  await update(rig);
  const again = (await countBuilds(lab, rig)).slice(builds.length);

  console.log(builds.map(lineOf).join("\n"));
  const [whole, ...probes] = builds;
  const evaluations = sum(builds, ({ evaluated }) => evaluated.length);
  const built = sum(probes, (build) => build.hosts.length);
  const most = Math.max(...evaluationsPerLock([...builds, ...again]).values());
  const repeated = sum(again, ({ evaluated }) => evaluated.length);
  const what = `red update, ${hosts.length} hosts, 1 breaks`;
  return [
    {
      what: `${what}: first bad revision found`,
      ours: isFound ? "1" : "0",
      goal: exactly(isFound ? 1 : 0, 1),
    },
    {
      what: `${what}: most evaluations of a host for one lock`,
      ours: `${most}`,
      goal: exactly(most, 1),
    },
    {
      what: `${what}: hosts built in ${probes.length} probes`,
      ours: `${built}`,
      baseline: `${probes.length * hosts.length} all hosts each time`,
      ratio: built / (probes.length * hosts.length),
      goal: exactly(built, probes.length),
    },
    {
      what: `${what}: evaluations of hosts`,
      ours: `${evaluations}`,
      baseline: `${builds.length * hosts.length} all hosts each time`,
      ratio: evaluations / (builds.length * hosts.length),
      goal: exactly(evaluations, (whole?.hosts.length ?? 0) + probes.length),
    },
    { what: `${what}: evaluations the day after`, ours: `${repeated}`, goal: exactly(repeated, 0) },
  ];
}

/** Whether the first bad revision was named, as `found` of the result says. */
async function update(rig: UpdateRig): Promise<boolean> {
  const result = await rig.update();
  if (result.type !== "proposed") throw new Error(`the update ended as ${result.type}`);
  const [beta] = result.found?.bisected ?? [];
  return beta?.firstBad !== undefined;
}

/** In the order in which they were asked for. */
async function countBuilds(lab: UpdateLab, { builds }: UpdateRig): Promise<readonly CountedBuild[]> {
  const signal = AbortSignal.timeout(60_000);
  const ids = (await builds.listBuilds(signal)).toReversed();
  return Promise.all(ids.map(async (id) => countBuild(lab, await builds.readEvents(id, 0, signal))));
}

async function countBuild(lab: UpdateLab, events: readonly BuildEvent[]): Promise<CountedBuild> {
  const accepted = events.find((event) => event.type === "accepted");
  const [source] = accepted?.sources ?? [];
  if (accepted === undefined || source === undefined) throw new Error("a build was not accepted");
  const evaluated = events.flatMap((event) => (event.type === "evaluated" ? event.hosts : []));
  // What is known before a build begins is not evaluated; everything else ends as evaluated, or did not evaluate.
  const failed = events.some(
    (event) =>
      event.type === "hosts-finished" && event.hosts.some(({ verdict }) => verdict === "eval-failed"),
  );
  if (failed) throw new Error("a host did not evaluate: that is not counted here");
  return {
    lock: await lockDigest(lab, source.commit),
    question: accepted.requestedBy ?? "",
    hosts: accepted.hosts.map(({ host }) => host),
    evaluated: evaluated.filter(({ remembered }) => !remembered).map(({ host }) => host),
  };
}

/** The remote keeps every commit that was ever pushed to it. */
async function lockDigest(lab: UpdateLab, commit: string): Promise<string> {
  const lock = await lab.show(commit, "flake.lock");
  return createHash("sha256").update(lock).digest("hex").slice(0, 12);
}

/** By lock and host. */
function evaluationsPerLock(builds: readonly CountedBuild[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { lock, evaluated } of builds) {
    for (const host of evaluated) counts.set(`${lock} ${host}`, (counts.get(`${lock} ${host}`) ?? 0) + 1);
  }
  return counts;
}

const lineOf = ({ lock, question, hosts: all, evaluated }: CountedBuild): string =>
  `  lock ${lock}: ${all.length} ${all.length === 1 ? "host" : "hosts"}, ${evaluated.length} evaluated: ${question}`;

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((total, item) => total + of(item), 0);
