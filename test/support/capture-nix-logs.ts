// Captures the log of the Nix in PATH as homelab-deploy runs it, for the scenarios below:
//   node test/support/capture-nix-logs.ts
// In what is written the throw-away store is /nix/store, and the directory around it /tmp/lab; everything else is as
// Nix said it.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createNix } from "../../src/nix/create-nix.ts";
import type { EvaluationOptions } from "../../src/nix/evaluator.ts";
import type { RealiseOptions } from "../../src/nix/realiser.ts";
import { createExec } from "../../src/process/create-exec.ts";
import type { Exec } from "../../src/process/exec.ts";
import { type Commit, parseHostName, StorePath } from "../../src/protocol/names.ts";
import { createFleet, type Fleet, type FleetToggles } from "./fleet.ts";
import { startNixDaemon } from "./nix-daemon.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "./nix-store.ts";

interface Scenario {
  readonly toggles: FleetToggles;
  /** An attribute of the flake in place of all hosts. */
  readonly attribute?: string;
  readonly limits?: Partial<RealiseOptions>;
  readonly throughDaemon?: true;
}

const seconds = (timeoutSeconds: number, silenceSeconds: number): Partial<RealiseOptions> => ({
  timeoutSeconds,
  silenceSeconds,
});
const failures = {
  hosts: 4,
  shared: 1,
  perHostSeconds: 1,
  privateFail: { host02: "exit2silent" },
  buildFail: { host01: "fakejson", host03: "nooutput" },
} as const;
const stuck = { hosts: 2, shared: 1, buildFail: { host01: "chatty", host02: "exit1" } } as const;
const silent = { hosts: 2, shared: 1, buildFail: { host01: "silent", host02: "exit1" } } as const;

const builds: Readonly<Record<string, Scenario>> = {
  our_fail: { toggles: failures },
  our_timeout: { toggles: stuck, limits: seconds(2, 60) },
  our_silence: { toggles: silent, limits: seconds(60, 2) },
  our_hash: { toggles: {}, attribute: "packages.x86_64-linux.hash-mismatch" },
  our_no_builder: { toggles: { hosts: 2, system: "aarch64-linux" } },
  our_dead_substituter: { toggles: { hosts: 1 }, limits: { substituters: ["http://127.0.0.1:1"] } },
  our_daemon_fail: { toggles: failures, throughDaemon: true },
  our_daemon_timeout: { toggles: stuck, limits: seconds(2, 60), throughDaemon: true },
  our_daemon_silence: { toggles: silent, limits: seconds(60, 2), throughDaemon: true },
  our_daemon_no_builder: { toggles: { hosts: 2, system: "aarch64-linux" }, throughDaemon: true },
};

const anHour = AbortSignal.timeout(3_600_000);
const evaluation: EvaluationOptions = {
  timeoutMs: 60_000,
  maxMemoryBytes: 1024 ** 3,
  allowImportFromDerivation: false,
};

/** The same, and what each process says on stderr goes to `heard` as well. */
const overheard =
  (exec: Exec, heard: Uint8Array[][]): Exec =>
  async (file, args, options) => {
    const said: Uint8Array[] = [];
    heard.push(said);
    return exec(file, args, {
      ...options,
      async onStderr(chunk) {
        said.push(chunk);
        await options.onStderr?.(chunk);
      },
    });
  };

await using store = await createThrowAwayStore();
await using fleet = await createFleet(store.directory);
const directly = await nixThatIsHeard(store.environment);
const into = join(import.meta.dirname, "../fixtures/nix-logs", directly.nix.version);
await mkdir(into, { recursive: true });

for (const [name, scenario] of Object.entries(builds)) {
  const salted = await fleet.commit({ salt: name, logLines: 1, ...scenario.toggles });
  const paths = await derivationsOf(fleet, store, salted, scenario);
  await using daemon = scenario.throughDaemon === true ? await startNixDaemon(store) : undefined;
  const { nix, heard } = daemon === undefined ? directly : await nixThatIsHeard(daemon.environment);
  heard.length = 0;
  const options = { timeoutSeconds: 60, silenceSeconds: 60, maxJobs: 2, cores: 1, ...scenario.limits };
  await nix.realise(paths, options, () => undefined, anHour);
  await keep(name, heard);
}

for (const [name, url] of [
  ["our_gone_git_input", "git+file:///nonexistent/gone.git"],
  ["our_gone_tarball_input", "http://127.0.0.1:1/gone.tar.gz"],
] as const) {
  const commit = await fleet.commit(
    {},
    { files: { "flake.nix": flakeWithInput(url), "flake.lock": lockOf(url) } },
  );
  directly.heard.length = 0;
  await Array.fromAsync(
    directly.nix.evaluate({ mirror: fleet.bare, commit }, [parseHostName("web")], evaluation, anHour),
  );
  await keep(name, directly.heard);
}

/** The Nix in PATH on the store that this environment names, and what each of its processes says from now on. */
async function nixThatIsHeard(environment: Readonly<Record<string, string>>) {
  const heard: Uint8Array[][] = [];
  const stateDirectory = join(store.directory, "ours");
  const options = { environment, stateDirectory, clock: systemClock, log: silentLog };
  return { nix: await createNix({ exec: overheard(createExec(), heard), ...options }, anHour), heard };
}

async function derivationsOf(
  { bare }: Fleet,
  { run }: ThrowAwayStore,
  commit: Commit,
  { toggles: { hosts = 0 }, attribute }: Scenario,
): Promise<StorePath[]> {
  const toplevel = "config.system.build.toplevel";
  const attributes =
    attribute === undefined
      ? Array.from({ length: hosts }, (_, index) => `nixosConfigurations.host0${index + 1}.${toplevel}`)
      : [attribute];
  const flake = `git+file://${bare}?ref=refs/heads/main&rev=${commit}`;
  const paths = [];
  for (const wanted of attributes) {
    const path = await run(
      "nix",
      "eval",
      "--raw",
      "--option",
      "eval-cache",
      "false",
      `${flake}#${wanted}.drvPath`,
    );
    paths.push(v.parse(StorePath, path));
  }
  return paths;
}

/** The first process only: an evaluation that fails for want of something is tried a second time. */
async function keep(scenario: string, [first = []]: readonly Uint8Array[][]): Promise<void> {
  const said = Buffer.concat(first)
    .toString("latin1")
    .replaceAll(store.storeDirectory, "/nix/store")
    .replaceAll(store.directory, "/tmp/lab");
  await writeFile(join(into, `${scenario}.log`), said, "latin1");
  process.stdout.write(`${directly.nix.version} ${scenario}: ${said.length} bytes\n`);
}

/** A flake whose host needs an input that nobody has. */
function flakeWithInput(url: string): string {
  const input = url.startsWith("git+") ? `${url}?ref=main&rev=${"e".repeat(40)}` : url;
  return `{
    inputs.gone = { url = "${input}"; flake = false; };
    outputs = { gone, ... }: { nixosConfigurations.web.config = import gone; };
  }`;
}

function lockOf(url: string): string {
  const narHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const rev = "e".repeat(40);
  const original = url.startsWith("git+")
    ? { type: "git", url: url.slice("git+".length), ref: "main", rev }
    : { type: "tarball", url };
  const revCount = url.startsWith("git+") ? { revCount: 1, lastModified: 1 } : {};
  const gone = { flake: false, locked: { ...original, ...revCount, narHash }, original };
  return JSON.stringify({ nodes: { gone, root: { inputs: { gone: "gone" } } }, root: "root", version: 7 });
}
