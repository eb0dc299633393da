// The home lab of the demo: two repos, a nats-server, a cache, a builder with a Nix store of its own, and a host that is only
// pretended. All of it lives in one directory, so whoever owns that directory can find it and end it.
import { execFile, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { mayNames } from "../../src/protocol/deploy/host-policy.ts";
import { createSigningKey } from "../../src/signing/signing-key-file.ts";
import { freePort } from "../support/free-port.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { serveStore } from "../support/store-cache.ts";
import { createPackagesRepo, createSampleRepo, type SampleRepo } from "./sample-repo.ts";

export const program = join(import.meta.dirname, "../../bin/homelab-deploy");

/** Logs, in the directory of the home lab. */
export const builderLog = "builder.log";
export const hostLog = "pretended-host.log";
export const deployerLog = "deployer.log";
const dashboardLog = "dashboard.log";

const pretendedHost = join(import.meta.dirname, "pretended-host/main.ts");

/** Disposed of, it no longer keeps this process running; its programs are ended with its directory. */
export interface HomeLab extends AsyncDisposable {
  readonly servers: SampleRepo;
  readonly desktops: SampleRepo;
  /** The input of both. */
  readonly packages: SampleRepo;
  readonly configFile: string;
  /** Where its pages are, once `startDashboard` was called. */
  readonly dashboardUrl: string;
  /** The environment of the builder and of a user of this home lab. */
  readonly environment: NodeJS.ProcessEnv;
  /** The key of whoever deploys. */
  readonly orderKeyFile: string;
  readonly natsUrl: string;
  readonly cacheUrl: string;
  /** How the builder ended, which it should not. */
  readonly builderEnded: Promise<string>;
}

/** Starts it in an existing directory, which must be the one that `TMPDIR` names. */
export async function startHomeLab(directory: string): Promise<HomeLab> {
  const home = join(directory, "home");
  const settings = join(home, ".config/homelab-deploy");
  await mkdir(settings, { recursive: true });
  const orderKeyFile = join(settings, "order.seed");
  const statementKeyFile = join(directory, "statement.seed");
  const deployerKeyFile = join(directory, "deployer.seed");
  const [server, store, orderKey, statementKey, deployerKey] = await Promise.all([
    startNatsServer(),
    // The builds of the demo only print and wait, so more of them than there are cores do no harm.
    createThrowAwayStore({ "max-jobs": "4" }),
    createSigningKey(orderKeyFile),
    createSigningKey(statementKeyFile),
    createSigningKey(deployerKeyFile),
  ]);
  await using started = new AsyncDisposableStack();
  const cache = started.use(await serveStore(store));
  const policy = {
    trustedKeys: [
      { name: "you", key: orderKey, may: [...mayNames] },
      { name: "deployer", key: deployerKey, may: ["deploy" as const] },
    ],
    trustedBuilders: [{ name: "demo", key: statementKey }],
    trustedCacheKeys: [cache.publicKey],
    natsServers: [server.url],
  };
  const repos = join(directory, "repos");
  const packages = await createPackagesRepo(repos);
  const lock = async (checkout: string): Promise<void> => {
    const features = ["--extra-experimental-features", "nix-command flakes"];
    await promisify(execFile)("nix", [...features, "flake", "lock", checkout], { env: store.environment });
  };
  const [servers, desktops] = await Promise.all([
    createSampleRepo(repos, "nixos-servers", { policy, packages, lock }),
    createSampleRepo(repos, "nixos", { policy, packages, lock }),
  ]);

  const configFile = join(directory, "config.json");
  const listen = `127.0.0.1:${await freePort()}`;
  const config = {
    nats: { servers: [server.url] },
    repos: Object.fromEntries(
      [servers, desktops].map(({ name, url }) => [name, { url, branch: "master", pollSeconds: 0 }]),
    ),
    builder: { name: "demo", stateDirectory: join(directory, "builder"), statementKeyFile },
    cache: { url: cache.url, publicKeys: [cache.publicKey], verifyBuilds: true },
    dashboard: { listen },
    update: { stateDirectory: join(directory, "updater") },
    deployer: {
      keyFile: deployerKeyFile,
      stateDirectory: join(directory, "deployer"),
      rollouts: { [servers.name]: { automatic: true, branch: "master", soakSeconds: 2 } },
    },
  };
  await writeFile(configFile, `${JSON.stringify(config, undefined, 2)}\n`);

  const environment = {
    ...withoutOwnSettings(process.env),
    ...store.environment,
    HOME: home,
    HOMELAB_DEPLOY_CONFIG: configFile,
  };
  const builderEnded = startDaemon("builder", [program, "builder"], join(directory, builderLog), environment);
  const kept = started.move();
  return {
    servers,
    desktops,
    packages,
    configFile,
    dashboardUrl: `http://${listen}/`,
    environment,
    orderKeyFile,
    natsUrl: server.url,
    cacheUrl: cache.url,
    builderEnded,
    [Symbol.asyncDispose]: async () => kept.disposeAsync(),
  };
}

/** What the user has set for Nix, NATS and XDG directories must not reach into the demo, nor the demo into theirs. */
function withoutOwnSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(?:NIX|NATS|XDG|GIT|HOMELAB_DEPLOY)_/.test(name)),
  );
}

/** Resolves when its pages can be read. */
export async function startDashboard(
  directory: string,
  { environment, dashboardUrl }: HomeLab,
  signal: AbortSignal,
): Promise<void> {
  const ended = startDaemon("dashboard", [program, "dashboard"], join(directory, dashboardLog), environment);
  const failed = ended.then((how) => {
    throw new Error(`${how}: see ${join(directory, dashboardLog)}`);
  });
  const isReady = async (): Promise<boolean> =>
    fetch(`${dashboardUrl}healthz`, { signal }).then(
      ({ ok }) => ok,
      () => false,
    );
  const ready = async (): Promise<void> => {
    while (!(await isReady())) await sleep(100, undefined, { signal });
  };
  await Promise.race([ready(), failed]);
}

/** Starts what rolls out each green build of the servers' branch. Resolves with how it ended, which it should not. */
export const startDeployer = async (directory: string, { environment }: HomeLab): Promise<string> =>
  startDaemon("deployer", [program, "deployer"], join(directory, deployerLog), environment);

/**
 * Starts a host that is only a directory, on which somebody has installed the system at that path.
 *
 * @returns its directory. It is ready when `hosts` lists it
 */
export function startPretendedHost(
  directory: string,
  name: string,
  system: string,
  { environment, natsUrl, cacheUrl }: HomeLab,
): PretendedHost {
  const place = join(directory, "hosts", name);
  const command = [process.execPath, pretendedHost, place, system, natsUrl, cacheUrl];
  return {
    name,
    directory: place,
    ended: startDaemon(`pretended host ${name}`, command, join(directory, hostLog), environment),
  };
}

export interface PretendedHost {
  readonly name: string;
  readonly directory: string;
  /** How it ended, which it should not. */
  readonly ended: Promise<string>;
}

async function startDaemon(
  what: string,
  [file = "", ...args]: readonly string[],
  logFile: string,
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const output = openSync(logFile, "w");
  const daemon = spawn(file, args, { stdio: ["ignore", output, output], env: environment });
  const how = await new Promise<string>((resolve) => {
    daemon.once("error", (error) => resolve(error.message));
    daemon.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return `the ${what} ended (${how})`;
}
