import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createFleet } from "../support/fleet.ts";
import { nodeFlags } from "../support/node-flags.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { addRemoteMachines, sharingFlake } from "../support/remote-machines.ts";
import { exactly, mebibytes, seconds, type BenchContext, type BenchResult } from "./bench.ts";
import { costOf } from "./measure.ts";

const hosts = 16;
/** The one that all share, one for each fourth of the hosts, and two for each host. */
const derivations = 1 + 4 + 2 * hosts;
const jobs = 2;
const kib = 1024;

interface Measured {
  readonly wallSeconds: number;
  /** Of the builder: evaluation, Nix, and its ends of the connections. */
  readonly cpuSeconds: number;
  readonly built: number;
  /** Paths of the machines' stores that were built elsewhere, and their bytes. */
  readonly sent: Paths;
  /** Those that were built there: each is fetched. */
  readonly fetched: Paths;
}

interface Paths {
  readonly count: number;
  readonly bytes: number;
}

/** Sixteen hosts that share derivations, on the builder itself, on one machine and on two. Only root can run it. */
export async function runRemoteBuilders(context: BenchContext): Promise<readonly BenchResult[]> {
  const here = await measure(context, []);
  const one = await measure(context, ["arm1"]);
  const two = await measure(context, ["arm1", "arm2"]);
  const rows = [
    ["on one remote builder", one],
    ["on two remote builders", two],
  ] as const;
  return rows.flatMap(([where, ours]): BenchResult[] => [
    {
      what: `${hosts} hosts, ${derivations} derivations of 1 s, ${jobs} jobs a machine, ${where}: time`,
      ours: seconds(ours.wallSeconds),
      baseline: `${seconds(here.wallSeconds)} on the builder itself`,
      ratio: ours.wallSeconds / here.wallSeconds,
    },
    {
      what: "— CPU of the builder",
      ours: seconds(ours.cpuSeconds),
      baseline: seconds(here.cpuSeconds),
      ratio: ours.cpuSeconds / here.cpuSeconds,
    },
    { what: "— derivations built", ours: `${ours.built}`, goal: exactly(ours.built, derivations) },
    { what: "— sent to machines", ours: `${ours.sent.count} paths, ${mebibytes(ours.sent.bytes)}` },
    {
      what: "— fetched from machines",
      ours: `${ours.fetched.count} paths, ${mebibytes(ours.fetched.bytes)}`,
    },
  ]);
}

async function measure({ program }: BenchContext, names: readonly string[]): Promise<Measured> {
  await using store = await createThrowAwayStore({ "max-jobs": names.length === 0 ? `${jobs}` : "0" });
  const remote = await addRemoteMachines(store, { names, jobs });
  await using fleet = await createFleet(store.directory);
  await fleet.commit(
    {},
    { files: { "flake.nix": await sharingFlake(remote.lab, { hosts, seconds: 1, kib }) } },
  );
  const config = join(store.directory, "config.json");
  await writeFile(
    config,
    JSON.stringify({
      repos: { fleet: { url: fleet.url, branch: "main", pollSeconds: 0 } },
      builder: { build: { minFreeGiB: 0 } },
    }),
  );
  const { wallSeconds, cpuSeconds } = await costOf(async () => {
    const child = spawn(process.execPath, [...nodeFlags, program, "build", "--all", "--local", "--json"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...store.environment,
        HOME: join(store.directory, "home"),
        XDG_STATE_HOME: join(store.directory, "state"),
        HOMELAB_DEPLOY_CONFIG: config,
      },
    });
    const [code]: (number | null)[] = await once(child, "close");
    if (code !== 0) throw new Error(`a build on ${names.length} machines ended with ${code}`);
  });
  const built = await remote.said("built");
  const [sent, fetched] = [
    { count: 0, bytes: 0 },
    { count: 0, bytes: 0 },
  ];
  for (const name of names) {
    const { storeDirectory } = remote.machine(name);
    for (const path of await readdir(storeDirectory)) {
      if (path.startsWith(".") || path.endsWith(".lock")) continue;
      const isBuiltHere = built.some((line) => line.machine === name && path.endsWith(`-${line.name}`));
      const of = isBuiltHere ? fetched : sent;
      of.count++;
      of.bytes += await bytesOf(join(storeDirectory, path));
    }
  }
  return {
    wallSeconds,
    cpuSeconds: cpuSeconds - (await remote.cpuSeconds()),
    built: built.length,
    sent,
    fetched,
  };
}

async function bytesOf(path: string): Promise<number> {
  const status = await stat(path);
  if (!status.isDirectory()) return status.size;
  const sizes = (await readdir(path)).map(async (name) => bytesOf(join(path, name)));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
