// Four hosts with a systemd each, a cache on one of them, a deployer, and NATS with the printed permissions. What a builder would
// say, a test says.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBuilderBus } from "../../../../src/bus/create-builder-bus.ts";
import { createDeployBus } from "../../../../src/bus/deploy/create-deploy-bus.ts";
import type { DeployBus } from "../../../../src/bus/deploy-bus.ts";
import { createRolloutBus } from "../../../../src/bus/rollout/create-rollout-bus.ts";
import type { RolloutBus } from "../../../../src/bus/rollout-bus.ts";
import { hashPartOf, parseNarInfo } from "../../../../src/narinfo/narinfo.ts";
import { mayNames } from "../../../../src/protocol/deploy/host-policy.ts";
import type { Commit, StorePath } from "../../../../src/protocol/names.ts";
import { signStatement } from "../../../../src/signing/sign-envelope.ts";
import { createSigningKey, newSigner } from "../../../../src/signing/signing-key-file.ts";
import { someStatement } from "../../deploy-orders.ts";
import { startRolesServer, type RolesServer } from "../../start-roles-server.ts";
import { tellBuild } from "../../told-build.ts";
import { startWebhook } from "../../webhook.ts";
import type { CommandResult } from "../deploy-lab.ts";
import type { LabHost } from "../lab-host.ts";
import { sharedInHost, startLab } from "../lab.ts";
import { createDeployerProcess, type DeployerProcess } from "./deployer-process.ts";
import {
  addressOf,
  branch,
  cacheUnits,
  installMembers,
  memberNames,
  memberSystem,
  memberSystems,
  membersSpoke,
  type Change,
  type Member,
} from "./members.ts";
import { createOperator } from "./operator-commands.ts";

export type MemberPaths = Readonly<Record<Member, StorePath>>;

export interface FleetLab extends AsyncDisposable {
  /** In the hosts' network; what listens there on all addresses is reached by it from here as well. */
  readonly address: string;
  readonly server: RolesServer;
  readonly bus: DeployBus;
  readonly rollouts: RolloutBus;
  /** It does not run yet. */
  readonly deployer: DeployerProcess;
  /** What hosts were installed with. */
  readonly first: MemberPaths;
  host(name: Member): LabHost;
  /** Builds a system for each host, and puts it into the cache of the fleet, whose host must run. */
  make(changes: Readonly<Record<Member, Change>>): Promise<MemberPaths>;
  /** A builder tells that it built and cached these at the tip of the branch. */
  tell(commit: Commit, systems: MemberPaths): Promise<void>;
  /** `homelab-deploy …` as an operator whose key the hosts trust. */
  run(...args: readonly string[]): Promise<CommandResult>;
}

const recordOf = (paths: readonly StorePath[]): MemberPaths =>
  Object.fromEntries(memberNames.map((name, index) => [name, paths[index]])) as MemberPaths;

/** Every host runs what it was installed with, and has said so. */
export async function startFleetLab(change: Change): Promise<FleetLab> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "fleet-lab-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const lab = stack.use(await startLab());
  const server = stack.use(await startRolesServer("0.0.0.0", memberNames.map(addressOf)));
  const webhook = stack.use(await startWebhook(directory));
  const deployerKeyFile = join(directory, "deployer.seed");
  const personKeyFile = join(directory, "person.seed");
  const builder = newSigner();
  const specifications = await memberSystems(lab, server, {
    trustedKeys: [
      {
        name: "deployer",
        key: await createSigningKey(deployerKeyFile),
        may: ["deploy", "rollback", "reboot"],
      },
      { name: "kai", key: await createSigningKey(personKeyFile), may: [...mayNames] },
    ],
    builderKey: builder.key,
    servingUnits: cacheUnits,
  });
  const installed = await installMembers(lab, server, specifications, change);
  await installed.boot();

  const building = createBuilderBus(stack.use(await server.connect("builder1", { role: "daemon" })));
  const operating = stack.use(await server.connect("operator", { role: "daemon" }));
  const bus = createDeployBus(operating);
  await membersSpoke(bus);
  const deployer = stack.use(createDeployerProcess({ directory, server, webhook, keyFile: deployerKeyFile }));
  const run = await createOperator({ directory, server, keyFile: personKeyFile });
  const owned = stack.move();
  return {
    address: lab.address,
    server,
    bus,
    rollouts: createRolloutBus(operating),
    deployer,
    first: recordOf(installed.systems),
    host: (name) => lab.host(name),
    run,
    async make(changes) {
      const paths = await lab.buildAll(
        memberNames.map((name) => memberSystem(specifications, name, changes[name])),
      );
      const from = ["--no-check-sigs", "--from", `file://${sharedInHost}/cache`];
      await lab.host("cache01").run("nix", "copy", ...from, ...paths);
      return recordOf(paths);
    },
    async tell(commit, systems) {
      const at = new Date().toISOString();
      const signal = AbortSignal.timeout(120_000);
      const hosts = await Promise.all(
        memberNames.map(async (name) => {
          const path = systems[name];
          const narInfo = await readFile(join(lab.cacheDirectory, `${hashPartOf(path)}.narinfo`), "utf8");
          const { narHash } = parseNarInfo(narInfo);
          const about = { ...addressOf(name), branch, commit, path, narHash, at };
          const statement = signStatement(someStatement(about), builder);
          const finished = { ...addressOf(name), verdict: "built" as const, durationMs: 1 };
          return { ...finished, outPath: path, cached: true, statement };
        }),
      );
      const build = await tellBuild(building, { branch, commit, at, hosts, verdict: "succeeded" }, signal);
      for (const { statement, durationMs: _, ...row } of hosts) {
        await building.results.putHost(
          { ...row, build, commit, at, stated: { build, ...statement } },
          signal,
        );
      }
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}
