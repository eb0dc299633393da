// One machine without NATS: a throw-away Nix store with its nix.conf, a flake of the test's own in a git remote, and
// `build --local` in a process of its own, as a person runs it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test as base } from "vitest";
import { compileCache } from "./compile-cache.ts";
import { foldEvents, type BuildState } from "../../src/protocol/build-state.ts";
import { decodeEvent, type BuildEvent } from "../../src/protocol/events.ts";
import type { LogChunk } from "../../src/protocol/log-chunk.ts";
import type { Commit } from "../../src/protocol/names.ts";
import { startNixDaemon, type NixDaemon } from "./nix-daemon.ts";
import { createGitRemote, type GitRemote } from "./git-remote.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "./nix-store.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");

export interface LocalResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface LocalBuild extends LocalResult {
  readonly state: BuildState;
  readonly events: readonly BuildEvent[];
  /** With `-L`. */
  readonly logs: readonly Pick<LogChunk, "drvPath" | "machine" | "text">[];
  /** By host. */
  readonly verdicts: Readonly<Record<string, string | undefined>>;
  readonly reasons: Readonly<Record<string, string | undefined>>;
}

export interface LocalLab extends AsyncDisposable {
  readonly directory: string;
  readonly store: ThrowAwayStore;
  readonly remote: GitRemote;
  /** Of the builder that `build --local` is: also Nix's own cache of what it fetched. */
  readonly stateDirectory: string;
  commit(files: Readonly<Record<string, string>>): Promise<Commit>;
  /** More lines for nix.conf. */
  configureNix(lines: string): Promise<void>;
  /** From now on everything is built through a Nix daemon, which has the nix.conf of now. */
  startDaemon(): Promise<void>;
  /** An executable shell script; its path. */
  script(name: string, text: string): Promise<string>;
  run(args: readonly string[]): Promise<LocalResult>;
  /** `build --local --json`, with all hosts unless the arguments name some. */
  build(...args: readonly string[]): Promise<LocalBuild>;
}

/**
 * @param builder more settings of the builder
 * @param nixConf more lines for nix.conf
 */
export async function createLocalLab(
  builder: object = {},
  nixConf: Readonly<Record<string, string>> = {},
): Promise<LocalLab> {
  const store = await createThrowAwayStore({ "max-jobs": "2", ...nixConf });
  const { directory } = store;
  const remote = await createGitRemote(join(directory, "git"));
  const config = join(directory, "config.json");
  const settings = {
    repos: { fleet: { url: remote.url, branch: "main", pollSeconds: 0 } },
    builder: { retry: { attempts: 2, firstDelaySeconds: 0 }, build: { minFreeGiB: 0 }, ...builder },
  };
  await writeFile(config, JSON.stringify(settings));
  const state = join(directory, "xdg-state");
  let daemon: NixDaemon | undefined;

  async function run(args: readonly string[]): Promise<LocalResult> {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...(daemon ?? store).environment,
        ...compileCache,
        HOME: join(directory, "home"),
        XDG_STATE_HOME: state,
        HOMELAB_DEPLOY_CONFIG: config,
      },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [code]: (number | null)[] = await once(child, "close");
    return { exitCode: code ?? -1, stdout, stderr };
  }

  return {
    directory,
    store,
    remote,
    stateDirectory: join(state, "homelab-deploy/local"),
    commit: (files) => remote.commit({ files }),
    configureNix: (lines) => appendFile(join(directory, "conf/nix.conf"), `${lines}\n`),
    async startDaemon() {
      daemon = await startNixDaemon(store);
    },
    async script(name, text) {
      const path = join(directory, name);
      await writeFile(path, `#!/bin/sh\n${text}\n`);
      await chmod(path, 0o755);
      return path;
    },
    run,
    async build(...args) {
      const named = args.some((argument) => !argument.startsWith("-")) ? [] : ["--all"];
      const result = await run(["build", "--local", "--json", ...named, ...args]);
      const lines = result.stdout.split("\n").filter((line) => line !== "");
      const isLog = (line: string): boolean => line.includes('"type":"log"');
      const events = lines.filter((line) => !isLog(line)).map((line) => decodeEvent(Buffer.from(line)));
      const logs = lines.filter(isLog).map((line) => JSON.parse(line) as LogChunk);
      const [first] = events;
      if (first === undefined) throw new Error(`no event:\n${result.stderr}`);
      const folded = foldEvents(first.build, events);
      const hosts = [...folded.hosts.values()];
      return {
        ...result,
        state: folded,
        events,
        logs,
        verdicts: Object.fromEntries(hosts.map(({ host, finished }) => [host, finished?.verdict])),
        reasons: Object.fromEntries(hosts.map(({ host, finished }) => [host, finished?.reason])),
      };
    },
    async [Symbol.asyncDispose]() {
      await daemon?.[Symbol.asyncDispose]();
      await store.remove();
    },
  };
}

/** A flake whose outputs are this Nix expression. In it: `derive name { … }` and `host name { … }`. */
export const flakeOf = (configurations: string, inputs = "", names = "self"): string => `{
  ${inputs}
  outputs = { ${names} }: let
    derive = name: more: derivation ({
      inherit name; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-c" "echo building \${name}; echo \${name} > $out" ];
    } // more);
    host = name: more: { config.system.build.toplevel = derive "nixos-system-\${name}" more; };
  in { nixosConfigurations = ${configurations}; };
}
`;

export const test = base.extend("lab", async ({}, { onCleanup }) => {
  const lab = await createLocalLab();
  onCleanup(() => lab[Symbol.asyncDispose]());
  return lab;
});
