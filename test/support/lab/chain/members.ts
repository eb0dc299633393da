// The four hosts of a fleet that is rolled out: what each says of itself, and the systems that they have from the first day.
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import type { DeployReader, HostAddress } from "../../../../src/bus/deploy-bus.ts";
import { HostPolicy } from "../../../../src/protocol/deploy/host-policy.ts";
import { BranchName, parseHostName, parseRepoName, type StorePath } from "../../../../src/protocol/names.ts";
import type { RolesServer } from "../../start-roles-server.ts";
import { openNetwork } from "../deploy-lab.ts";
import { fakeSystem, type SystemSpecification } from "../fake-systems.ts";
import type { Lab } from "../lab.ts";
import { addProduct, productOf } from "../product.ts";
import { programCommand, programUnit } from "../program-units.ts";

export const repo = parseRepoName("servers");
export const branch = v.parse(BranchName, "main");
export const cachePort = 5000;
/** What each says of itself. The last one caches for all, and so it is deployed after them. */
export const members = {
  testvm01: { tier: "test", wave: 0 },
  web01: { tier: "prod", role: "web" },
  web02: { tier: "prod", role: "web" },
  cache01: { tier: "prod", serves: ["cache", "builder"] },
} as const;
export type Member = keyof typeof members;
export const memberNames = Object.keys(members) as readonly Member[];
export const addressOf = (name: Member): HostAddress => ({ repo, host: parseHostName(name) });

export type Specifications = Readonly<Record<Member, SystemSpecification>>;

const unitEnvironment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"];
export const restarting = { Environment: unitEnvironment, Restart: "always", RestartSec: "1" };
/** A cache that serves the store of its host. */
export const cacheUnits: Readonly<Record<string, string>> = {
  "cache.service": programUnit(
    programCommand("test/support/lab/serve-store.ts", "/lab/lab.secret", `${cachePort}`),
    { Service: restarting },
  ),
};

export interface MemberOptions {
  readonly trustedKeys: v.InferInput<typeof HostPolicy>["trustedKeys"];
  readonly builderKey: string;
  /** Of the host that serves the others. */
  readonly servingUnits: Readonly<Record<string, string>>;
}

/** Without `web.service`, which is what changes. */
export async function memberSystems(
  lab: Lab,
  server: RolesServer,
  { trustedKeys, builderKey, servingUnits }: MemberOptions,
): Promise<Specifications> {
  const product = await addProduct(lab);
  const nats = `nats://${lab.address}:${server.port}`;
  const specificationOf = (name: Member): SystemSpecification => {
    const policy = v.parse(HostPolicy, {
      repo,
      host: name,
      system: "x86_64-linux",
      ...members[name],
      trustedKeys,
      trustedBuilders: [{ name: "b1", key: builderKey }],
      allowedBranches: [branch],
      trustedCacheKeys: [lab.cacheKey],
      minFreeBytes: 0,
      witnesses: [`http://cache01:${cachePort}`],
      natsServers: [nats],
      timeouts: { settle: 1, confirm: 60, activate: 60, hold: 60 },
    });
    const { inboxPrefix } = server.settingsOfHost(addressOf(name));
    const common = productOf({
      product,
      policy,
      nats: { servers: [nats], inboxPrefix },
      keyFile: "/var/lib/listener.nk",
    });
    const units = name === "cache01" ? servingUnits : {};
    return {
      ...common,
      hooks: { afterActivate: openNetwork },
      units: { ...common.units, ...units },
      wants: [...(common.wants ?? []), "web.service", ...Object.keys(units)],
    };
  };
  return Object.fromEntries(memberNames.map((name) => [name, specificationOf(name)])) as Specifications;
}

/** What changes from one system of a host to the next. */
export interface Change extends SystemSpecification {
  readonly web: string;
}

export function memberSystem(specifications: Specifications, name: Member, { web, ...change }: Change) {
  const { units, ...specification } = specifications[name];
  return fakeSystem(name, {
    ...specification,
    ...change,
    hooks: { ...specification.hooks, ...change.hooks },
    units: { ...units, "web.service": web },
  });
}

/** Each host is installed with this change, fetches from the cache of the fleet, and has its key for NATS. It does not run. */
export async function installMembers(
  lab: Lab,
  server: RolesServer,
  specifications: Specifications,
  change: Change,
): Promise<{ readonly systems: readonly StorePath[]; readonly boot: () => Promise<void> }> {
  const keys = join(lab.sharedDirectory, "keys");
  await mkdir(keys, { recursive: true });
  const systems = await lab.buildAll(memberNames.map((name) => memberSystem(specifications, name, change)));
  const installed = await Promise.all(
    memberNames.map(async (name, index) => {
      const host = await lab.install(name, systems[index] as StorePath, { boot: false });
      const { nkeyFile } = server.settingsOfHost(addressOf(name));
      await copyFile(nkeyFile, join(keys, `${name}.nk`));
      const script = `
        echo 'substituters = http://cache01:${cachePort}' >> /etc/nix/nix.conf
        install -o nobody -m 600 /lab/keys/${name}.nk /var/lib/listener.nk`;
      await host.runOff("sh", "-ec", script);
      return host;
    }),
  );
  return {
    systems,
    boot: async () => void (await Promise.all(installed.map(async (host) => host.boot()))),
  };
}

/** Until each of them has said on NATS that it is there. */
export async function membersSpoke(reader: Pick<DeployReader, "hostState">): Promise<void> {
  const spoken = async (name: Member): Promise<void> => {
    while ((await reader.hostState(addressOf(name), AbortSignal.timeout(60_000))) === undefined)
      await sleep(200);
  };
  await Promise.all(memberNames.map(spoken));
}
