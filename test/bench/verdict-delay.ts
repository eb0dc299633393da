import { spawn } from "node:child_process";
import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { FleetToggles } from "../support/fleet.ts";
import type { ThrowAwayStore } from "../support/nix-store.ts";
import { derivationsOf, hostNames } from "./bare-nix.ts";
import { atMost, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { everyHost, startLab, type Lab } from "./lab.ts";
import { median } from "./measure.ts";

const hosts = 12;
const slow = "host12";
const failing = "host03";
/** The slow host takes so long at least. */
const slowMs = 30_000;

/** From the end of a toplevel's build to the verdict at a reader, while another host of the process is being built. */
export async function runVerdictDelay(context: BenchContext): Promise<readonly BenchResult[]> {
  const gate = (name: string): string => join(context.directory, `gate-${name}`);
  const fleet = (name: string): FleetToggles => ({
    hosts,
    salt: name,
    hostSeconds: 1,
    gate: gate(name),
    buildFail: { [slow]: "gate", [failing]: "exit1" },
  });
  // Evaluated together, so that one Nix process builds them.
  const builder = { evaluation: { workers: 1, batchSize: hosts } };
  await using lab = await startLab(context, { fleet: fleet("ours"), builder });
  const ours = await withGate(gate("ours"), async () => delaysOfVerdicts(lab));
  const commit = await lab.change(fleet("nix"));
  const drvPaths = await derivationsOf(lab.store, { bare: lab.bare, commit }, hostNames(hosts));
  const plain = await withGate(gate("nix"), async () => delaysOfStops(lab.store, drvPaths));

  const slowest = Math.max(...ours);
  const row = (what: string, our: number, nix: number): BenchResult => ({
    what: `${hosts - 1} hosts beside one that takes ${slowMs / 1000} s: last derivation to verdict, ${what}`,
    ours: seconds(our),
    baseline: `${seconds(nix)} the end in the log of nix-store`,
    ratio: our / nix,
  });
  return [
    row("median", median(ours), median(plain)),
    { ...row("slowest", slowest, Math.max(...plain)), goal: atMost(slowest, 2, " s") },
  ];
}

async function withGate<T>(gate: string, work: () => Promise<T>): Promise<T> {
  const [result] = await Promise.all([work(), sleep(slowMs).then(async () => writeFile(gate, ""))]);
  return result;
}

/** In seconds, of all hosts but the slow one. */
async function delaysOfVerdicts(lab: Lab): Promise<readonly number[]> {
  const id = newBuildId(new Date());
  const signal = AbortSignal.timeout(10 * slowMs);
  await lab.reader.submit(everyHost, { id }, signal);
  const drvPaths = new Map<string, string>();
  const verdictAt = new Map<string, number>();
  for await (const message of lab.reader.follow(id, {}, signal)) {
    if (message.type !== "event") continue;
    if (message.event.type === "evaluated")
      for (const { host, drvPath } of message.event.hosts) drvPaths.set(host, drvPath);
    if (message.event.type === "hosts-finished")
      for (const { host } of message.event.hosts) verdictAt.set(host, Date.now());
  }
  return delays(
    lab.store,
    hostNames(hosts)
      .filter((host) => host !== slow)
      .map((host) => [drvPaths.get(host), verdictAt.get(host)]),
  );
}

/** The same for what Nix says by itself. */
async function delaysOfStops(store: ThrowAwayStore, drvPaths: readonly string[]): Promise<readonly number[]> {
  const args = ["--realise", "--keep-going", "--log-format", "internal-json", ...drvPaths];
  const nix = spawn("nix-store", args, {
    env: { ...store.environment, HOME: store.directory },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(nix, "close");
  const building = new Map<string, string>();
  const stoppedAt = new Map<string, number>();
  for await (const line of createInterface(nix.stderr)) {
    const { id, drvPath } =
      /^@nix \{"action":"start","fields":\["(?<drvPath>[^"]+)".*"id":(?<id>\d+).*"type":105\}$/.exec(line)
        ?.groups ?? {};
    if (id !== undefined && drvPath !== undefined) building.set(id, drvPath);
    const stopped = building.get(
      /^@nix \{"action":"stop","id":(?<id>\d+)\}$/.exec(line)?.groups?.["id"] ?? "",
    );
    if (stopped !== undefined) stoppedAt.set(stopped, Date.now());
  }
  await ended;
  const quick = drvPaths.filter((drvPath) => !drvPath.includes(`-${slow}-`));
  return delays(
    store,
    quick.map((drvPath) => [drvPath, stoppedAt.get(drvPath)]),
  );
}

/** Nix writes the end of a build's log when its builder has ended. */
async function delays(
  { logDirectory }: ThrowAwayStore,
  known: readonly (readonly [drvPath: string | undefined, at: number | undefined])[],
): Promise<readonly number[]> {
  return Promise.all(
    known.map(async ([drvPath, at]) => {
      if (drvPath === undefined || at === undefined) throw new Error("a host had no verdict");
      const name = basename(drvPath);
      const { mtimeMs } = await stat(join(logDirectory, "drvs", name.slice(0, 2), `${name.slice(2)}.bz2`));
      return (at - mtimeMs) / 1000;
    }),
  );
}
