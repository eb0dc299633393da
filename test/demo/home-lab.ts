// The home lab of the demo: two repos, a nats-server and a builder with a Nix store of its own. All of it lives in
// one directory, so whoever owns that directory can find it and end it.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startNatsServer } from "../support/nats-server.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { createSampleRepo, type SampleRepo } from "./sample-repo.ts";

export const program = join(import.meta.dirname, "../../bin/homelab-deploy");

/** The builder's log, in the directory of the home lab. */
export const builderLog = "builder.log";

export interface HomeLab {
  readonly servers: SampleRepo;
  readonly desktops: SampleRepo;
  readonly configFile: string;
  /** The environment of the builder and of a user of this home lab. */
  readonly environment: NodeJS.ProcessEnv;
  /** How the builder ended, which it should not. */
  readonly builderEnded: Promise<string>;
}

/** Starts it in an existing directory, which must be the one that `TMPDIR` names. */
export async function startHomeLab(directory: string): Promise<HomeLab> {
  const [servers, desktops, server, store] = await Promise.all([
    createSampleRepo(join(directory, "repos"), "nixos-servers"),
    createSampleRepo(join(directory, "repos"), "nixos"),
    startNatsServer(),
    // The builds of the demo only print and wait, so more of them than there are cores do no harm.
    createThrowAwayStore({ "max-jobs": "4" }),
  ]);

  const configFile = join(directory, "config.json");
  const config = {
    nats: { servers: [server.url] },
    repos: Object.fromEntries(
      [servers, desktops].map(({ name, url }) => [name, { url, branch: "master", pollSeconds: 0 }]),
    ),
    builder: { name: "demo", stateDirectory: join(directory, "builder") },
  };
  await writeFile(configFile, `${JSON.stringify(config, undefined, 2)}\n`);

  const home = join(directory, "home");
  await mkdir(home);
  const environment = {
    ...withoutOwnSettings(process.env),
    ...store.environment,
    HOME: home,
    HOMELAB_DEPLOY_CONFIG: configFile,
  };
  const builderEnded = startBuilder(join(directory, builderLog), configFile, environment);
  return { servers, desktops, configFile, environment, builderEnded };
}

/** What the user has set for Nix, NATS and XDG directories must not reach into the demo, nor the demo into theirs. */
function withoutOwnSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(?:NIX|NATS|XDG|GIT)_/.test(name)),
  );
}

async function startBuilder(
  logFile: string,
  configFile: string,
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const output = openSync(logFile, "w");
  const builder = spawn(program, ["builder", "--config", configFile], {
    stdio: ["ignore", output, output],
    env: environment,
  });
  const how = await new Promise<string>((resolve) => {
    builder.once("error", (error) => resolve(error.message));
    builder.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return `the builder ended (${how})`;
}
