// The command line with a configuration of its own, on flakes in repositories of any kind: what an operator sees.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { compileCache } from "./compile-cache.ts";
import { startGitHttpsServer, type GitHttpsServer, type GitHttpsServerOptions } from "./git-https-server.ts";
import { gitEnvironment } from "./git-remote.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "./nix-store.ts";

const run = promisify(execFile);
const program = join(import.meta.dirname, "../../src/cli/main.ts");

export interface SourceLab extends AsyncDisposable {
  readonly directory: string;
  readonly store: ThrowAwayStore;
  /** Served over https below `/`, when a server is started. */
  readonly served: string;
  /** Makes or changes a repository with these files, and commits; gives its path. */
  repository(name: string, files?: Readonly<Record<string, string>>): Promise<string>;
  git(...args: readonly string[]): Promise<string>;
  serve(
    options?: Partial<Pick<GitHttpsServerOptions, "token" | "redirectTo" | "redirectsSignedIn">>,
  ): Promise<GitHttpsServer>;
  secret(name: string, content: string): Promise<string>;
  /** A program that is found before the system's. */
  program(name: string, script: string): Promise<void>;
  /** What Nix's git gets of our environment, such as a certificate authority. */
  readonly environment: Record<string, string>;
  configure(config: object): Promise<void>;
  run(...args: readonly string[]): Promise<LabResult>;
  start(...args: readonly string[]): LabCommand;
}

export interface LabCommand {
  readonly ended: Promise<LabResult>;
  /** Resolves when the output has this text, or when the command has ended. */
  seen(text: string): Promise<void>;
}

export interface LabResult {
  readonly exitCode: number | null;
  readonly output: string;
}

export const username = "bot";

/** @param settings of nix.conf */
export async function createSourceLab(settings: Readonly<Record<string, string>> = {}): Promise<SourceLab> {
  const store = await createThrowAwayStore(settings);
  const { directory } = store;
  const served = join(directory, "served");
  const config = join(directory, "config.json");
  const programs = join(directory, "programs");
  const servers: GitHttpsServer[] = [];
  const environment: Record<string, string> = {};
  for (const path of [served, programs]) await mkdir(path);

  const git = async (...args: readonly string[]): Promise<string> => {
    const env = { ...gitEnvironment, GIT_ALLOW_PROTOCOL: "file" };
    const { stdout } = await run("git", [...args], { cwd: directory, env });
    return stdout.trim();
  };

  function start(args: readonly string[]): LabCommand {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...store.environment,
        ...compileCache,
        PATH: `${programs}:${store.environment["PATH"] ?? ""}`,
        HOME: join(directory, "home"),
        XDG_STATE_HOME: join(directory, "xdg-state"),
        HOMELAB_DEPLOY_CONFIG: config,
        ...environment,
      },
    });
    let output = "";
    const waiting = new Set<() => void>();
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
      for (const look of waiting) look();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const ended = once(child, "close").then(([exitCode]: (number | null)[]) => ({
      exitCode: exitCode ?? null,
      output,
    }));
    const seen = async (text: string): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => {
        if (output.includes(text)) resolve();
      };
      waiting.add(look);
      look();
      await Promise.race([promise, ended]);
    };
    return { ended, seen };
  }

  return {
    directory,
    store,
    served,
    environment,
    git,
    async repository(name, files = {}) {
      const path = join(directory, name);
      await git("init", "--quiet", "--initial-branch=main", path);
      for (const [file, content] of Object.entries(files)) {
        await mkdir(dirname(join(path, file)), { recursive: true });
        await writeFile(join(path, file), content);
      }
      await git("-C", path, "add", "--all");
      await git("-C", path, "commit", "--quiet", "--allow-empty", "--message", "Change");
      return path;
    },
    async serve({ token = "tok", redirectTo, redirectsSignedIn } = {}) {
      const place = join(directory, `server-${servers.length}`);
      await mkdir(place);
      const login = { username, token };
      const server = await startGitHttpsServer({
        root: served,
        directory: place,
        ...login,
        redirectTo,
        redirectsSignedIn,
      });
      servers.push(server);
      const authorities = join(directory, "authorities.pem");
      const known = await Promise.all(servers.map(({ caFile }) => readFile(caFile, "utf8")));
      await writeFile(authorities, known.join(""));
      environment["GIT_SSL_CAINFO"] = authorities;
      return server;
    },
    async secret(name, content) {
      const path = join(directory, name);
      await writeFile(path, content, { mode: 0o600 });
      return path;
    },
    async program(name, script) {
      await writeFile(join(programs, name), `#!/bin/sh\n${script}`);
      await chmod(join(programs, name), 0o755);
    },
    async configure(more) {
      const builder = {
        name: "b1",
        retry: { attempts: 2, firstDelaySeconds: 0 },
        stopSeconds: 1,
        build: { minFreeGiB: 0 },
      };
      await writeFile(config, JSON.stringify({ builder, ...more }));
    },
    run: (...args) => start(args).ended,
    start: (...args) => start(args),
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
      await store.remove();
    },
  };
}

/** A flake with the host web01, which is built from a text: an expression over the flake's inputs. */
export const flakeOf = (text: string, inputs = "", more = ""): string => `{
  ${inputs}
  ${more}
  outputs = { self, ... }@inputs: {
    nixosConfigurations.web01.config.system.build.toplevel = derivation {
      name = "nixos-system-web01";
      system = "x86_64-linux";
      builder = "/bin/sh";
      PATH = "/usr/bin:/bin";
      args = [ "-c" "echo \${${text}} > $out" ];
    };
  };
}
`;
