// Builds of test/fixtures/faults by `build --local`, as people run it.
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { decodeEvent, type BuildEvent } from "../../src/protocol/events.ts";
import { parseBuildId } from "../../src/protocol/names.ts";
import { createFleet } from "./fleet.ts";
import type { ThrowAwayStore } from "./nix-store.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");
const flake = join(import.meta.dirname, "../fixtures/faults/flake.nix");

export type FaultSet = "machine" | "wellMachine" | "fullMachine" | "accused" | "refused" | "downloads";

/** The text of test/fixtures/faults/flake.nix with what it leaves open. */
export async function faultFlake(
  set: FaultSet,
  { lab, url, salt }: { readonly lab: string; readonly url: string; readonly salt: string },
): Promise<string> {
  const text = await readFile(flake, "utf8");
  return text
    .replaceAll("@LAB@", lab)
    .replaceAll("@URL@", url)
    .replaceAll("@SALT@", salt)
    .replaceAll("@SET@", set);
}

export interface FaultBuild {
  readonly exitCode: number;
  /** By host: the verdict, and its reason. */
  readonly verdicts: Readonly<Record<string, string>>;
  readonly reasons: Readonly<Record<string, string>>;
  /** By host, how often it was tried again as infrastructure had failed it. */
  readonly retries: Readonly<Record<string, number>>;
  readonly tails: Readonly<Record<string, readonly string[]>>;
}

export interface FaultBuilds extends AsyncDisposable {
  /** Commits the set again, so that nothing of it is built, and builds all its hosts. */
  build(set: FaultSet): Promise<FaultBuild>;
}

export async function createFaultBuilds(
  store: Pick<ThrowAwayStore, "directory" | "environment">,
  { lab = store.directory, url = "http://127.0.0.1:1" } = {},
): Promise<FaultBuilds> {
  const fleet = await createFleet(store.directory);
  const config = join(store.directory, "config.json");
  const stateDirectory = join(store.directory, "builder");
  const retry = { attempts: 2, firstDelaySeconds: 0 };
  await writeFile(
    config,
    JSON.stringify({
      repos: { fleet: { url: fleet.url, branch: "main", pollSeconds: 0 } },
      builder: { name: "b1", stateDirectory, retry, stopSeconds: 2, build: { minFreeGiB: 0 } },
    }),
  );
  const env = {
    ...store.environment,
    HOME: join(store.directory, "home"),
    XDG_STATE_HOME: join(store.directory, "state"),
    HOMELAB_DEPLOY_CONFIG: config,
  };
  let salt = 0;

  return {
    async build(set) {
      const filled = await faultFlake(set, { lab, url, salt: `${++salt}` });
      await fleet.commit({}, { files: { "flake.nix": filled } });
      const { exitCode, stdout } = await run(["build", "--all", "--local", "--json"], env);
      await rm(stateDirectory, { recursive: true, force: true });
      return summary(exitCode, stdout.trim().split("\n").map(eventOf));
    },
    [Symbol.asyncDispose]: async () => fleet.remove(),
  };
}

async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly exitCode: number; readonly stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], { env, maxBuffer: 2 ** 26 }, (_, stdout) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout }),
    );
  });
}

const eventOf = (line: string): BuildEvent => decodeEvent(new TextEncoder().encode(line));

function summary(exitCode: number, events: readonly BuildEvent[]): FaultBuild {
  const { hosts, failures } = foldEvents(events[0]?.build ?? parseBuildId(""), events);
  const retries: Record<string, number> = {};
  for (const event of events) {
    if (event.type !== "retrying") continue;
    for (const { host } of event.hosts) retries[host] = (retries[host] ?? 0) + 1;
  }
  const finished = [...hosts.values()].map(({ host, finished: end }) => [host, end] as const);
  return {
    exitCode,
    verdicts: Object.fromEntries(finished.map(([host, end]) => [host, end?.verdict ?? "none"])),
    reasons: Object.fromEntries(finished.map(([host, end]) => [host, end?.reason ?? ""])),
    retries,
    tails: Object.fromEntries(failures.map(({ name, tail }) => [name.replace("nixos-system-", ""), tail])),
  };
}
