// `build --all` of a commit that nobody has seen, over an empty store.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";
import { buildAtOnce, buildInTurn, type FlakeAt } from "./bare-nix.ts";
import { atMost, seconds, type BenchContext, type BenchResult, type Goal, type Peer } from "./bench.ts";
import { coldFleets, type ColdFleet } from "./cold-fleets.ts";
import { nixSettings, startLab, type Lab } from "./lab.ts";
import { costOf, median, type Cost } from "./measure.ts";
import { mostMemory } from "./watch-memory.ts";

const rounds = 3;

export interface ColdRun extends Cost {
  /** From the start to the first toplevel that is built. */
  readonly firstBuildSeconds: number;
  readonly memoryBytes: number;
}

export async function runColdBuild(context: BenchContext): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = [];
  for (const fleet of await coldFleets(process.env["NIXPKGS"])) {
    const ours: ColdRun[] = [];
    const inTurn: Cost[] = [];
    const atOnce: Cost[] = [];
    const peers: ColdRun[] = [];
    for (let round = 0; round < rounds; round++) {
      const { files, before, hosts } = fleet;
      await using lab = await startLab(context, {
        fleet: {},
        commit: { files: before },
        countsNix: false,
      });
      await using peerStore = await createThrowAwayStore(nixSettings);
      await lab.run("build", "--all");
      const { bare } = lab;
      const commit = await lab.change({}, { files });
      ours.push(await runOurs(lab));
      if (context.peer !== undefined) {
        await buildAtOnce(peerStore, lab, ["before"]);
        peers.push(await runPeer(context.peer, peerStore, { bare, commit }));
      }
      // What others do is enough to compare with; and bare Nix takes minutes for real hosts.
      if (context.peer !== undefined || fleet.isReal) continue;
      await using storeOfLoop = await createThrowAwayStore(nixSettings);
      await using storeOfOne = await createThrowAwayStore(nixSettings);
      inTurn.push(await buildInTurn(storeOfLoop, { bare, commit }, hosts));
      atOnce.push(await buildAtOnce(storeOfOne, { bare, commit }, hosts));
    }
    results.push(
      ...compare(fleet, ours, { "nix build, host by host": inTurn, "one nix build of all": atOnce }),
    );
    if (peers.length > 0) results.push(...compareWithPeer(fleet, ours, peers));
  }
  return results;
}

async function runOurs(lab: Lab): Promise<ColdRun> {
  let cost: Cost | undefined;
  const startedAt = Date.now();
  const memoryBytes = await mostMemory(
    () => [lab.builderPid, ...lab.commandPids()],
    async () => (cost = await lab.run("build", "--all")),
  );
  if (cost === undefined) throw new Error("nothing was measured");
  return { ...cost, memoryBytes, firstBuildSeconds: ((await firstBuild(lab.store)) - startedAt) / 1000 };
}

async function runPeer(peer: Peer, store: ThrowAwayStore, { bare, commit }: FlakeAt): Promise<ColdRun> {
  const flake = `git+${pathToFileURL(bare).href}?ref=main&rev=${commit}#toplevels`;
  const args = [
    "--no-nom",
    "--nix-eval-jobs",
    peer.evalJobs,
    "--option",
    "eval-cache",
    "false",
    "--flake",
    flake,
  ];
  const pids: number[] = [];
  let cost: Cost | undefined;
  const startedAt = Date.now();
  const memoryBytes = await mostMemory(
    () => pids,
    async () => {
      cost = await costOf(async () => {
        const child = spawn(peer.fastBuild, args, {
          stdio: ["ignore", "ignore", "pipe"],
          env: { ...store.wholeEnvironment, PATH: process.env["PATH"] ?? "" },
        });
        if (child.pid !== undefined) pids.push(child.pid);
        const said: string[] = [];
        child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
        const [code] = await once(child, "close");
        if (code !== 0)
          throw new Error(`nix-fast-build ended with ${String(code)}:\n${said.join("").slice(-2000)}`);
      });
    },
  );
  if (cost === undefined) throw new Error("nothing was measured");
  return { ...cost, memoryBytes, firstBuildSeconds: ((await firstBuild(store)) - startedAt) / 1000 };
}

/** When the first toplevel was built, in milliseconds of the wall clock: each says it of itself. */
async function firstBuild({ storeDirectory }: ThrowAwayStore): Promise<number> {
  const names = (await readdir(storeDirectory)).filter((name) => /-bench-system-[a-z0-9]+$/.test(name));
  const times = await Promise.all(
    names.map(async (name) => Number(await readFile(join(storeDirectory, name), "utf8"))),
  );
  if (times.length === 0) throw new Error("nothing was built");
  return Math.min(...times);
}

/** Against bare Nix, with its evaluation cache. */
function compare(
  { name }: ColdFleet,
  ours: readonly ColdRun[],
  baselines: Readonly<Record<string, readonly Cost[]>>,
): readonly BenchResult[] {
  const what = `cold build --all, ${name}`;
  const first = median(ours.map(({ firstBuildSeconds }) => firstBuildSeconds));
  const rows = Object.entries(baselines).flatMap(([baseline, costs]) =>
    costs.length === 0
      ? []
      : (
          [
            ["wall", ({ wallSeconds }: Cost) => wallSeconds],
            ["CPU", ({ cpuSeconds }: Cost) => cpuSeconds],
          ] as const
        ).map(([figure, of]): BenchResult => {
          const [our, their] = [median(ours.map(of)), median(costs.map(of))];
          return {
            what: `${what}: ${figure}`,
            ours: seconds(our),
            baseline: `${seconds(their)} ${baseline}`,
            ratio: our / their,
            goal: bareGoal(figure, baseline, our, their),
          };
        }),
  );
  return [...rows, { what: `${what}: first build`, ours: seconds(first), goal: firstBuildGoal(name, first) }];
}

/** What we add to an evaluation is about the same for each fleet, so it is not a part of a small one's. */
function bareGoal(figure: "wall" | "CPU", baseline: string, ours: number, theirs: number): Goal | undefined {
  const isOne = baseline.startsWith("one");
  if (figure === "wall") return isOne ? undefined : atMost(ours / theirs, 0.5);
  return isOne ? { ...atMost(ours - theirs, 1.2), text: "≤ 1.2 s more" } : undefined;
}

const firstBuildGoal = (name: string, value: number): Goal | undefined =>
  name.includes("nothing shared") ? atMost(value, 1.3, " s") : undefined;

const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(2)} GiB`;

function compareWithPeer(
  { name, isReal }: ColdFleet,
  ours: readonly ColdRun[],
  peers: readonly ColdRun[],
): readonly BenchResult[] {
  const figures = [
    ["wall", ({ wallSeconds }: ColdRun) => wallSeconds, seconds, isReal ? 0.9 : 1],
    ["CPU", ({ cpuSeconds }: ColdRun) => cpuSeconds, seconds, isReal ? 1 : 1.1],
    ["first build", ({ firstBuildSeconds }: ColdRun) => firstBuildSeconds, seconds, 1],
    ["memory", ({ memoryBytes }: ColdRun) => memoryBytes, gibibytes, isReal ? 0.6 : undefined],
  ] as const;
  return figures.map(([figure, of, show, bound]) => {
    const [our, their] = [median(ours.map(of)), median(peers.map(of))];
    return {
      what: `cold build --all, ${name}: ${figure}`,
      ours: show(our),
      baseline: `${show(their)} nix-fast-build`,
      ratio: our / their,
      ...(bound !== undefined && { goal: atMost(our / their, bound) }),
    };
  });
}
