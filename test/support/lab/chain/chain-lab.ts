// From an input to the hosts that run it, and nothing of ours is pretended: a forge with a flake, an updater, a builder and a
// cache on a host of the fleet, a deployer, NATS with the printed permissions, and hosts with a systemd each.
import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as v from "valibot";
import { createDeployBus } from "../../../../src/bus/deploy/create-deploy-bus.ts";
import type { DeployBus, HostAddress } from "../../../../src/bus/deploy-bus.ts";
import { parseCommit, StorePath, type Commit } from "../../../../src/protocol/names.ts";
import { createSigningKey } from "../../../../src/signing/signing-key-file.ts";
import { startForgeServer, type ForgeServer } from "../../forge-server/forge-server.ts";
import { giteaContract } from "../../forge-server/gitea-contract.ts";
import { gitEnvironment } from "../../git-remote.ts";
import { startRolesServer, type RolesServer } from "../../start-roles-server.ts";
import { startWebhook, type Webhook } from "../../webhook.ts";
import type { CommandResult } from "../deploy-lab.ts";
import { daemon, fakeSystem } from "../fake-systems.ts";
import type { LabHost } from "../lab-host.ts";
import { checkoutInHost, nodeInHost, startLab, type Lab } from "../lab.ts";
import { programCommand, programUnit } from "../program-units.ts";
import { createDeployerProcess } from "./deployer-process.ts";
import {
  addressOf,
  branch,
  cachePort,
  cacheUnits,
  installMembers,
  memberNames,
  memberSystems,
  membersSpoke,
  repo,
  restarting,
  type Member,
  type Specifications,
} from "./members.ts";
import { createOperator } from "./operator-commands.ts";

const program = "src/cli/main.ts";

/** Of the fleet's inputs. */
export interface InputStates {
  readonly nixpkgs: { readonly version: string };
  /** `breaks`: hosts that do not build with it. */
  readonly apps: { readonly web: string; readonly breaks: readonly string[] };
}

/** Ends again and again: it builds, and does not work. */
export const looping = "[Service]\nExecStart=/bin/sh -c 'sleep 0.4'\nRestart=always\nRestartSec=100ms\n";
export const working = (version: string): string => daemon(version);
const firstStates: InputStates = {
  nixpkgs: { version: "26.05.20261101.aaaaaaa" },
  apps: { web: working("1"), breaks: [] },
};

export interface ChainLab extends AsyncDisposable {
  readonly forge: ForgeServer;
  /** What the deployer told people. */
  readonly webhook: Webhook;
  readonly bus: DeployBus;
  readonly deployerLog: () => string;
  host(name: Member): LabHost;
  address(name: Member): HostAddress;
  /** Somebody upstream commits. */
  move<Input extends keyof InputStates>(input: Input, change: Partial<InputStates[Input]>): Promise<void>;
  /** `homelab-deploy update`, as its timer runs it beside the builder. */
  update(): Promise<CommandResult>;
  /** `homelab-deploy …` as an operator. */
  run(...args: readonly string[]): Promise<CommandResult>;
  /** Where the branch is. */
  tip(): Promise<Commit>;
  /** The systems of the branch, as Nix itself evaluates them. */
  evaluate(): Promise<Readonly<Record<string, StorePath>>>;
}

/** Every host runs, and the deployer has seen that it is the branch's tip. */
export async function startChainLab(): Promise<ChainLab> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "chain-lab-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const lab = stack.use(await startLab());
  const server = stack.use(await startRolesServer("0.0.0.0", memberNames.map(addressOf)));
  const webhook = stack.use(await startWebhook(directory));
  const keys = join(lab.sharedDirectory, "keys");
  await mkdir(keys);
  const deployerKeyFile = join(directory, "deployer.seed");
  const deployerKey = await createSigningKey(deployerKeyFile);
  const builderKey = await createSigningKey(join(keys, "statement.seed"));
  const forge = stack.use(
    await startForgeServer({
      kind: "gitea",
      directory: join(lab.sharedDirectory, "forge"),
      address: lab.address,
      contract: giteaContract(),
    }),
  );
  await writeFile(join(keys, "token"), `${forge.bot.token}\n`, { mode: 0o600 });
  const inputs = await createInputs(lab);

  const specifications = await memberSystems(lab, server, {
    trustedKeys: [{ name: "deployer", key: deployerKey, may: ["deploy", "rollback", "reboot"] }],
    builderKey,
    servingUnits: buildingUnits,
  });
  const { nixpkgs, apps } = firstStates;
  const hosts = await installMembers(lab, server, specifications, { ...nixpkgs, web: apps.web });
  const host = (name: Member): LabHost => lab.host(name);
  await writeBuildersFiles(lab, server, forge);
  await publishFlake(lab, forge, specifications);
  await hosts.boot();
  // Nix makes the lock, and its first builder finds what is installed already.
  await lockFlake(forge, host("cache01"));

  const operating = stack.use(await server.connect("operator"));
  const bus = createDeployBus(operating);
  await membersSpoke(bus);
  const deployer = stack.use(createDeployerProcess({ directory, server, webhook, keyFile: deployerKeyFile }));
  await deployer.configure({ [repo]: { automatic: true, branch, soakSeconds: 2 } });
  deployer.start();
  const tip = async (): Promise<Commit> => parseCommit(await forge.remote.git("rev-parse", branch));
  const run = await createOperator({ directory, server });
  const owned = stack.move();
  return {
    forge,
    webhook,
    bus,
    deployerLog: deployer.log,
    host,
    address: addressOf,
    move: inputs.move,
    run,
    async update() {
      const argv = [nodeInHost, `${checkoutInHost}/${program}`, "--config", "/lab/updater.json", "update"];
      const { exitCode, stdout, stderr } = await host("cache01").exec(argv, { timeoutMs: 150_000 });
      return { exitCode, stdout, stderr };
    },
    tip,
    async evaluate() {
      const commit = `ref=${branch}&rev=${await tip()}`;
      const flake = `git+file:///lab/forge/remote.git?${commit}#nixosConfigurations`;
      const apply = "builtins.mapAttrs (_: host: host.config.system.build.toplevel.outPath)";
      const said = await host("cache01").run("nix", "eval", "--json", flake, "--apply", apply);
      return v.parse(v.record(v.string(), StorePath), JSON.parse(said));
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

/** Flakes with nothing but a state, in repositories of their own. */
async function createInputs({ sharedDirectory }: Lab): Promise<Pick<ChainLab, "move">> {
  const states: { -readonly [Input in keyof InputStates]: InputStates[Input] } = { ...firstStates };
  const git = async (input: string, ...args: readonly string[]): Promise<void> => {
    const cwd = join(sharedDirectory, "inputs", input);
    await promisify(execFile)("git", [...args], { cwd, env: gitEnvironment });
  };
  async function commit(input: keyof InputStates): Promise<void> {
    await writeFile(join(sharedDirectory, "inputs", input, "state.json"), JSON.stringify(states[input]));
    await git(input, "add", "--all");
    await git(input, "commit", "--quiet", "--message", "Change");
  }
  for (const input of ["nixpkgs", "apps"] as const) {
    const at = join(sharedDirectory, "inputs", input);
    await mkdir(at, { recursive: true });
    const state = "builtins.fromJSON (builtins.readFile ./state.json)";
    await writeFile(join(at, "flake.nix"), `{ outputs = { self }: { state = ${state}; }; }\n`);
    await git(input, "init", "--quiet", "--initial-branch=main");
    await commit(input);
  }
  return {
    async move(input, change) {
      states[input] = { ...states[input], ...change };
      await commit(input);
    },
  };
}

/** A builder, and a cache that serves its store. */
const buildingUnits = {
  ...cacheUnits,
  "builder.service": programUnit(programCommand(program, "--config", "/lab/builder.json", "builder"), {
    Service: restarting,
  }),
};

async function writeBuildersFiles(lab: Lab, server: RolesServer, forge: ForgeServer): Promise<void> {
  const write = async (name: string, user: "builder1" | "updater", more: object): Promise<void> => {
    const { nkeyFile, inboxPrefix } = server.settingsOf(user);
    await copyFile(nkeyFile, join(lab.sharedDirectory, `keys/${user}.nk`));
    const nats = {
      servers: [`nats://${lab.address}:${server.port}`],
      nkeyFile: `/lab/keys/${user}.nk`,
      inboxPrefix,
    };
    await writeFile(join(lab.sharedDirectory, name), JSON.stringify({ nats, ...more }));
  };
  const source = { url: "file:///lab/forge/remote.git", branch };
  await write("builder.json", "builder1", {
    repos: { [repo]: { ...source, pollSeconds: 2 } },
    builder: {
      name: "b1",
      stateDirectory: "/var/lib/homelab-deploy-builder",
      statementKeyFile: "/lab/keys/statement.seed",
      evaluation: { workers: 1, maxMemoryMiB: 512 },
      build: { minFreeGiB: 0 },
      retry: { attempts: 2, firstDelaySeconds: 0 },
    },
    cache: { url: `http://cache01:${cachePort}`, publicKeys: [lab.cacheKey], verifyBuilds: true },
  });
  const { owner, name } = forge.state;
  const tokenFile = "/lab/keys/token";
  await write("updater.json", "updater", {
    repos: {
      [repo]: {
        ...source,
        update: {
          forge: { kind: "gitea", url: forge.url, owner, repository: name, tokenFile },
          identity: { email: "bot@homelab.invalid" },
        },
      },
    },
    update: { stateDirectory: "/var/lib/homelab-deploy-updater" },
  });
}

/** Still without a lock: only the builder's Nix sees the inputs where the flake says that they are. */
async function publishFlake(lab: Lab, forge: ForgeServer, specifications: Specifications): Promise<void> {
  const work = join(lab.sharedDirectory, "forge/work");
  const specs = Object.fromEntries(memberNames.map((name) => [name, fakeSystem(name, specifications[name])]));
  await cp(join(import.meta.dirname, "../system"), work, { recursive: true });
  await copyFile(join(import.meta.dirname, "flake.nix"), join(work, "flake.nix"));
  await forge.remote.commit({ branch, files: { "hosts.json": JSON.stringify(specs, undefined, 1) } });
}

async function lockFlake(forge: ForgeServer, builder: LabHost): Promise<void> {
  await builder.run("nix", "flake", "lock", "/lab/forge/work");
  await forge.remote.commit({ branch });
}
