// A host of the lab that is deployed to as a fleet is: NATS with the printed permissions, a cache, a builder's statements, and
// the operator's command line.
import { execFile, spawnSync } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { compileCache } from "../compile-cache.ts";
import { setUpStreams } from "../../../src/bus/server/setup.ts";
import { createBuilderBus } from "../../../src/bus/create-builder-bus.ts";
import type { Connection } from "../../../src/bus/connect/connection.ts";
import { createDeployBus } from "../../../src/bus/deploy/create-deploy-bus.ts";
import { createDeployReader } from "../../../src/bus/deploy/create-deploy-reader.ts";
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import { hashPartOf, parseNarInfo } from "../../../src/narinfo/narinfo.ts";
import { HostPolicy, mayNames } from "../../../src/protocol/deploy/host-policy.ts";
import { parseHostName, parseRepoName, type StorePath } from "../../../src/protocol/names.ts";
import { newBuildId } from "../../../src/protocol/ulid.ts";
import { signStatement } from "../../../src/signing/sign-envelope.ts";
import { createSigningKey, loadSigner, newSigner } from "../../../src/signing/signing-key-file.ts";
import { someStatement } from "../deploy-orders.ts";
import { serveNarCache, type NarCache } from "../nar-cache.ts";
import { startRolesServer, type RolesServer, type TestUser } from "../start-roles-server.ts";
import { connectTo } from "../nats-server.ts";
import { daemon, type SystemSpecification } from "./fake-systems.ts";
import type { LabHost } from "./lab-host.ts";
import { journalOnHost } from "./lab-journal.ts";
import { createLabOrders, type LabOrders } from "./lab-orders.ts";
import { startLab, type Lab } from "./lab.ts";
import { addProduct, productOf, type ProductSpecification } from "./product.ts";
import { cachePort, giveServer, natsPort } from "./serving-host.ts";

const program = join(import.meta.dirname, "../../../src/cli/main.ts");
const address = { repo: parseRepoName("servers"), host: parseHostName("db1") };

export interface CommandResult {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** What one system has other than the others. */
export interface Variant extends SystemSpecification {
  readonly product?: Partial<Pick<ProductSpecification, "nats" | "keyFile" | "listenerVersion">>;
  readonly policy?: object;
}

export const openNetwork = "ip link set eth0 up; nft delete table inet lab 2>/dev/null || :";
/** Lets nobody open a connection from the host; what is open stays open. */
export const closeToNew =
  "nft add table inet lab && nft 'add chain inet lab out { type filter hook output priority 0; }' && " +
  "nft add rule inet lab out 'tcp flags & (syn | ack) == syn' drop";
export const whyNoFirewall = (): string | undefined =>
  spawnSync("sh", ["-c", "command -v nft"]).status === 0 ? undefined : "a firewall needs nft (bin/setup)";
const timeouts = { settle: 1, confirm: 30, activate: 30, hold: 60 };
/** Of systems that cannot be confirmed: nobody waits long for them. */
export const impatient = { timeouts: { ...timeouts, confirm: 3 } };

export interface DeployLab extends AsyncDisposable {
  readonly lab: Lab;
  readonly server: RolesServer;
  readonly cache: NarCache;
  readonly host: LabHost;
  readonly systems: Readonly<Record<string, StorePath>>;
  readonly journalFile: string;
  readonly orders: LabOrders;
  /** Waits until the host has said on NATS that it is there. */
  spoken(): Promise<void>;
  /** What NATS has of its deployments, from this index on. */
  events(fromIndex?: number): Promise<readonly DeployEvent[]>;
  /** To the NATS that the host is told what to do by; the caller closes it. */
  connect(user: TestUser): Promise<Connection>;
  /** The builder states this system for the host, as after a build of the tip. */
  state(name: string): Promise<void>;
  /** `homelab-deploy …` as an operator, on a machine of its own. */
  run(...args: readonly string[]): Promise<CommandResult>;
  /** States the system and deploys it. */
  deploy(name: string, ...args: readonly string[]): Promise<CommandResult>;
}

export interface DeployLabOptions {
  /** The host itself has the NATS and the cache of the fleet: see serving-host.ts. */
  readonly serves?: boolean;
  /** The directory of the compiled program that the host runs; the sources otherwise. */
  readonly compiled?: string;
}

/** The host runs the first of the variants. */
export async function startDeployLab(
  variants: Readonly<Record<string, Variant>>,
  { serves = false, compiled }: DeployLabOptions = {},
): Promise<DeployLab> {
  const stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "deploy-lab-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const lab = stack.use(await startLab());
  const server = stack.use(await startRolesServer("0.0.0.0"));
  const cache = stack.use(await serveNarCache(lab.cacheDirectory, { host: lab.address }));
  const witness = `http://${lab.address}:${new URL(cache.url).port}`;
  const cacheUrl = serves ? `http://${address.host}:${cachePort}` : witness;
  const nats = serves ? `nats://${address.host}:${natsPort}` : `nats://${lab.address}:${server.port}`;
  const { nkeyFile, inboxPrefix } = server.settingsOf("neighbour");
  await copyFile(nkeyFile, join(lab.sharedDirectory, "db1.nk"));
  const keyFile = join(directory, "order.seed");
  await createSigningKey(keyFile);
  const signer = await loadSigner(keyFile);
  const builder = newSigner();
  const policyOf = (more: object = {}): HostPolicy =>
    v.parse(HostPolicy, {
      ...address,
      system: "x86_64-linux",
      tier: "test",
      trustedKeys: [{ name: "kai", key: signer.key, may: mayNames }],
      trustedBuilders: [{ name: "cache01", key: builder.key }],
      allowedBranches: ["master"],
      trustedCacheKeys: [lab.cacheKey],
      minFreeBytes: 0,
      witnesses: [witness],
      natsServers: [nats],
      timeouts,
      ...more,
    });
  const product = await addProduct(lab, compiled);

  const names = Object.keys(variants);
  const specifications = names.map((name, index): SystemSpecification => {
    const { product: changed = {}, policy, ...specification } = variants[name] ?? {};
    const common = productOf({
      product,
      policy: policyOf(policy),
      nats: { servers: [nats], inboxPrefix },
      keyFile: "/var/lib/listener.nk",
      ...changed,
    });
    return {
      version: `26.05.202611${String(10 + index)}.aaaaaaa`,
      ...common,
      // What networkd and the firewall do on a real machine: the network is as this system wants it.
      hooks: { afterActivate: openNetwork },
      ...specification,
      wants: [...(common.wants ?? []), ...(specification.wants ?? ["web.service"])],
      etc: { ...common.etc, ...specification.etc },
      units: { "web.service": daemon(name), ...common.units, ...specification.units },
    };
  });
  const paths = await lab.build(address.host, specifications);
  const systems = Object.fromEntries(names.map((name, index) => [name, paths[index] as StorePath]));
  const host = await lab.install(address.host, paths[0] as StorePath, { boot: false });
  await host.runOff("sh", "-c", `echo 'substituters = ${cacheUrl}' >> /etc/nix/nix.conf`);
  await host.runOff("install", "-o", "nobody", "-m", "600", "/lab/db1.nk", "/var/lib/listener.nk");
  if (serves) await giveServer(lab, host, server);
  await host.boot();

  const url = serves ? `nats://${host.address}:${natsPort}` : server.url;
  const connect = async (user: TestUser): Promise<Connection> =>
    connectTo({ url }, { ...server.settingsOf(user), name: user, role: "daemon" });
  if (serves) {
    await using admin = await connect("admin");
    await setUpStreams(admin);
  }
  const building = await connect("builder1");
  stack.defer(() => building.close());
  const operating = await connect("operator");
  stack.defer(() => operating.close());
  const bus = createDeployBus(operating);
  const config = join(directory, "config.json");
  const settings = { servers: [url], ...server.settingsOf("operator") };
  await writeFile(config, JSON.stringify({ nats: settings }));

  async function stated(name: string) {
    const path = systems[name];
    if (path === undefined) throw new Error(`there is no system ${name}`);
    const narInfo = await readFile(join(lab.cacheDirectory, `${hashPartOf(path)}.narinfo`), "utf8");
    const at = new Date().toISOString();
    const { narHash } = parseNarInfo(narInfo);
    const signed = signStatement(someStatement({ ...address, path, narHash, at }), builder);
    return { path, at, signed };
  }

  async function state(name: string): Promise<void> {
    const { path, at, signed } = await stated(name);
    const build = newBuildId(new Date());
    await createBuilderBus(building).results.putHost(
      { ...address, verdict: "built", build, at, outPath: path, cached: true, stated: { build, ...signed } },
      AbortSignal.timeout(20_000),
    );
  }

  const run = async (...args: readonly string[]): Promise<CommandResult> =>
    new Promise((resolve) => {
      const environment = {
        HOME: directory,
        HOMELAB_DEPLOY_CONFIG: config,
        HOMELAB_DEPLOY_KEY: keyFile,
        ...compileCache,
      };
      execFile(
        process.execPath,
        [program, ...args],
        { env: { ...process.env, ...environment } },
        (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
      );
    });

  return {
    lab,
    server,
    cache,
    host,
    systems,
    journalFile: journalOnHost,
    orders: createLabOrders({ address, bus, signer, host, stated }),
    async spoken() {
      const reader = createDeployReader(building);
      while ((await reader.hostState(address, AbortSignal.timeout(60_000))) === undefined) await sleep(200);
    },
    events: async (fromIndex = 0) => bus.readDeployEvents(address, fromIndex, AbortSignal.timeout(20_000)),
    connect,
    state,
    run,
    async deploy(name, ...args) {
      await state(name);
      return run("deploy", address.host, ...args);
    },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}
