// Builds on a NATS cluster whose servers are disturbed one after the other: three real nats-servers, a real builder, and the
// command as people run it. One server of three may be away at any time, so that nothing at all may be seen of it:
// no build lost, no other verdict, no other exit code, no line of a log missing.
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { createReader } from "../../../src/bus/create-reader.ts";
import type { BuildReader } from "../../../src/bus/bus.ts";
import { messageOf } from "../../../src/base/errors.ts";
import { decodeEvent, type BuildEvent } from "../../../src/protocol/events.ts";
import type { BuildId, Commit } from "../../../src/protocol/names.ts";
import type { HostVerdict } from "../../../src/protocol/verdicts.ts";
import type { NatsServer } from "../../support/nats-server.ts";
import { startCluster, type Cluster } from "../../support/start-cluster.ts";
import { startHomelabOn, type Homelab } from "../../support/start-homelab.ts";
import { judgeBuild, type Fault } from "../judge-build.ts";
import { createRandom } from "../random.ts";
import { judgeCommand, judgeLogs, type CommandRun } from "./judge-command.ts";

export interface ClusterCampaignOptions {
  readonly seed: number;
  readonly kills: number;
  readonly builds: number;
  /** Only what has this in its name. */
  readonly only: string;
  readonly say: (line: string) => void;
}

export interface ClusterCampaignResult {
  readonly kills: Readonly<Record<string, number>>;
  readonly builds: number;
  readonly exits: Readonly<Record<string, number>>;
  /** Seconds from a kill to a whole cluster, the longest. */
  readonly longestRepair: number;
  /** Seconds from the start of a command to its end: half of them took no longer, and all. */
  readonly medianBuild: number;
  readonly longestBuild: number;
  readonly faults: readonly Fault[];
}

/** Whom it hits: the leader of the event log, of JetStream itself, or the server that somebody is connected to. */
const victims = ["event log's leader", "meta leader", "builder's server", "command's server"] as const;
type Victim = (typeof victims)[number];

/**
 * What happens to it:
 *
 * - `killed`: SIGKILL, away for up to ten seconds
 * - `stalled`: it says nothing for 20 s, but its connections stay (SIGSTOP)
 * - `lame duck`: it sends its clients away, and ends
 * - `emptied`: killed, and back with an empty store
 */
const troubles = ["killed", "stalled", "lame duck", "emptied"] as const;
type Trouble = (typeof troubles)[number];

const hosts: Readonly<Record<string, { readonly verdict: HostVerdict; readonly exitCode: number }>> = {
  host01: { verdict: "built", exitCode: 0 },
  host02: { verdict: "build-failed", exitCode: 1 },
  host03: { verdict: "eval-failed", exitCode: 1 },
  host04: { verdict: "built", exitCode: 0 },
};
/** Commands that wait at once. */
const atOnce = 3;
const logLines = 400;

export async function runClusterCampaign({
  seed,
  kills,
  builds,
  only,
  say,
}: ClusterCampaignOptions): Promise<ClusterCampaignResult> {
  const random = createRandom(seed);
  const chosen = troubles.filter((trouble) => trouble.includes(only));
  const never = new AbortController().signal;
  await using homelab = await startHomelabOn(async () => startCluster());
  const { server: cluster } = homelab;
  const commits: Commit[] = [];
  for (let count = 0; count < builds; count++) commits.push(await commitFleet(homelab, `${seed}-${count}`));
  await homelab.startBuilder();

  const counts: Record<string, number> = {};
  const killed = (): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const runs: CommandRun[] = [];
  let begun = 0;

  /** In step with the kills: what is asked for while nothing dies proves nothing. */
  async function ask(): Promise<void> {
    for (let count = begun++; count < builds; count = begun++) {
      while (count * kills > (killed() + 1) * builds) await sleep(50);
      const host = Object.keys(hosts)[count % Object.keys(hosts).length] ?? "";
      runs.push(await buildHost(homelab, host, commits[count]));
    }
  }

  let longestRepair = 0;
  async function kill(trouble: Trouble, victim: Victim): Promise<void> {
    await sleep(random() * 2500);
    const node = await choose(cluster, victim, random);
    const started = performance.now();
    const what = `${trouble}: ${victim}`;
    counts[what] = (counts[what] ?? 0) + 1;
    await disturb(node, trouble, random);
    await cluster.whenWhole();
    longestRepair = Math.max(longestRepair, (performance.now() - started) / 1000);
    say(`${killed()} of ${kills} kills (${what}), ${runs.length} of ${builds} builds are over`);
  }

  const asking = Promise.all(Array.from({ length: atOnce }, ask));
  for (let count = 0; count < kills; count++)
    await kill(
      chosen[count % chosen.length] ?? "killed",
      // Each trouble hits each of them.
      victims[Math.floor(count / chosen.length) % victims.length] ?? "event log's leader",
    );
  await asking;

  await using connection = await cluster.connect("operator");
  const reader = createReader(connection);
  const faults: Fault[] = [];
  for (const run of runs) faults.push(...(await judge(reader, run, never)));
  const stored = await reader.listBuilds(never);
  if (stored.length !== builds)
    faults.push({ kind: "wrong", build: "-", what: `${stored.length} builds are stored, not ${builds}` });
  const queued = await reader.queueLength(never);
  if (queued > 0) faults.push({ kind: "endless", build: "-", what: `${queued} requests are still queued` });
  const exits: Record<string, number> = {};
  for (const { exitCode } of runs) exits[exitCode] = (exits[exitCode] ?? 0) + 1;
  const seconds = runs.map((run) => run.seconds).toSorted((a, b) => a - b);
  const [medianBuild = 0, longestBuild = 0] = [seconds[Math.floor(seconds.length / 2)], seconds.at(-1)];
  return { kills: counts, builds: runs.length, exits, longestRepair, medianBuild, longestBuild, faults };
}

async function judge(reader: BuildReader, run: CommandRun, signal: AbortSignal): Promise<readonly Fault[]> {
  const id: BuildId | undefined = run.printed[0]?.build;
  const right = hosts[run.host];
  if (right === undefined) throw new RangeError(`there is no ${run.host}`);
  if (id === undefined)
    return [{ kind: "lost", build: run.host, what: `the command printed no event: ${run.stderr}` }];
  let stored: readonly BuildEvent[];
  try {
    stored = await reader.readEvents(id, 0, signal);
  } catch (error) {
    return [
      { kind: "lost", build: id, what: `${messageOf(error)}; the command exited with ${run.exitCode}` },
    ];
  }
  const faults: Fault[] = [...judgeCommand(run, right.exitCode, stored)];
  const verdictOf = (): HostVerdict => right.verdict;
  faults.push(...judgeBuild({ id, wasCancelled: false, published: run.printed, verdictOf }, stored));
  if (right.verdict === "eval-failed") return faults;
  const expected = ["shared-1", `${run.host}-pkg-1`, `nixos-system-${run.host}-24.11.synthetic`].map(
    (derivation) => ({ derivation, lines: logLines }),
  );
  return [...faults, ...judgeLogs(id, expected, await Array.fromAsync(reader.readLogs(id, signal)))];
}

async function buildHost(
  homelab: Homelab<Cluster>,
  host: string,
  commit: Commit | undefined,
): Promise<CommandRun> {
  const started = performance.now();
  const { exitCode, stdout, stderr } = await homelab.run([
    "build",
    host,
    "--repo",
    "fleet",
    "--rev",
    commit ?? "",
    "--json",
  ]);
  const lines = stdout.split("\n").filter((text) => text !== "");
  // The last line may be the error that the command ends with.
  const isError = (line: string): boolean => line.startsWith('{"error":');
  const printed = lines
    .filter((line) => !isError(line))
    .map((line): BuildEvent => decodeEvent(Buffer.from(line)));
  const said = [...lines.filter(isError), stderr].join("\n");
  return { host, exitCode, printed, stderr: said, seconds: (performance.now() - started) / 1000 };
}

async function disturb(node: NatsServer, trouble: Trouble, random: () => number): Promise<void> {
  // Sometimes it is back before anybody is elected, and sometimes long after.
  const away = async () => sleep(random() < 0.3 ? random() * 300 : 1000 + random() * 9000);
  switch (trouble) {
    case "stalled":
      node.signal("SIGSTOP");
      await sleep(20_000);
      node.signal("SIGCONT");
      return;
    case "lame duck":
      node.signal("SIGUSR2");
      await node.whenEnded();
      await away();
      break;
    case "killed":
      await node.kill();
      await away();
      break;
    case "emptied":
      await node.kill();
      await away();
      await rm(node.storeDirectory, { recursive: true });
      break;
  }
  await node.start();
}

async function choose(cluster: Cluster, victim: Victim, random: () => number): Promise<NatsServer> {
  switch (victim) {
    case "event log's leader":
      return cluster.leader();
    case "meta leader":
      return cluster.metaLeader();
    case "builder's server":
    case "command's server": {
      const client = victim === "builder's server" ? "homelab-deploy builder" : "homelab-deploy";
      for (let waits = 0; waits < 200; waits++) {
        const servers = await cluster.serversOf(client);
        const server = servers[Math.floor(random() * servers.length)];
        if (server !== undefined) return server;
        await sleep(50);
      }
      return cluster.leader();
    }
  }
}

/** Each commit has derivations of its own: every build really builds, and has logs. */
const commitFleet = async (homelab: Homelab<Cluster>, salt: string): Promise<Commit> =>
  homelab.fleet.commit({
    hosts: Object.keys(hosts).length,
    salt: `cluster-${salt}`,
    shared: 1,
    perHostSeconds: 1,
    hostSeconds: 1,
    logLines,
    buildFail: { host02: "exit1" },
    evalFail: { host03: "throw" },
  });
