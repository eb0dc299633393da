// `doctor` on a host that is deployed to, and on the machine of who deploys: each fault is found once, with what to do.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import * as v from "valibot";
import { systemClock } from "../../src/base/clock.ts";
import { writeNewKey } from "../../src/bus/server/keys.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { createListenerBus } from "../../src/bus/deploy/create-listener-bus.ts";
import { openJournal } from "../../src/deploy/journal-file.ts";
import { encodeHostPolicy } from "../../src/protocol/deploy/host-policy.ts";
import { createCommandContext, runCommand } from "../support/command-context.ts";
import { operator, somePolicy } from "../support/deploy-orders.ts";
import { someHostState } from "../support/fake-deploy-bus.ts";
import { freePort } from "../support/free-port.ts";
import { test as withRoles } from "../support/nats-roles.ts";
import { testHosts, type RolesServer } from "../support/start-roles-server.ts";

const { repo, host } = testHosts.listener;
const Findings = v.object({
  findings: v.array(
    v.object({ check: v.string(), state: v.string(), message: v.string(), hint: v.optional(v.string()) }),
  ),
});
type Finding = v.InferOutput<typeof Findings>["findings"][number];

/** A host in which nothing is wrong, and what is changed about it. */
interface Place {
  readonly directory: string;
  readonly policy: Record<string, unknown>;
  readonly environment: Record<string, string>;
  config: Record<string, unknown>;
}

const test = withRoles.extend("place", async ({ roles }, { onCleanup }): Promise<Place> => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-doctor-host-"));
  onCleanup(async () => rm(directory, { recursive: true, force: true }));
  const at = (name: string): string => join(directory, name);
  await mkdir(at("state"));
  await writeFile(at("state/nats.nk"), await readFile(roles.settingsOf("listener").nkeyFile), {
    mode: 0o600,
  });
  const journal = await openJournal({ directory: at("deploy"), repo, host, bootId: "b", clock: systemClock });
  await journal[Symbol.asyncDispose]();
  await mkdir(at("bin"));
  await writeFile(at("bin/timedatectl"), "#!/bin/sh\necho yes\n");
  await chmod(at("bin/timedatectl"), 0o755);
  return {
    directory,
    // Something that listens, and has nothing to do with what is asked.
    policy: { repo, host, natsServers: [roles.url], witnesses: [new URL(roles.url).host] },
    environment: { PATH: `${at("bin")}:${process.env["PATH"]}`, HOME: directory },
    config: {
      listener: {
        policyFile: at("host.json"),
        stateDirectory: at("state"),
        journalDirectory: at("deploy"),
      },
    },
  };
});

async function examine({ directory, policy, environment, config }: Place): Promise<{
  readonly exitCode: number;
  readonly findings: readonly Finding[];
}> {
  const file = join(directory, "config.json");
  await writeFile(file, JSON.stringify(config));
  await writeFile(join(directory, "host.json"), encodeHostPolicy(somePolicy(policy)));
  const { context, said } = createCommandContext({ options: { config: file }, environment, json: true });
  const exitCode = await runCommand(context, "doctor", "--json");
  return { exitCode, findings: v.parse(Findings, JSON.parse(said.stdout)).findings };
}

const brief = (findings: readonly Finding[]): readonly string[] =>
  findings.filter(({ state }) => state !== "ok").map(({ check, state }) => `${state} ${check}`);

test("nothing is said of a host that is in order, and the newest order can be read", async ({ place }) => {
  const { exitCode, findings } = await examine(place);
  expect(findings.filter(({ state }) => state !== "ok")).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual([
    "host policy",
    "signers",
    "journal of deployments",
    "clock synchronisation",
    "witnesses",
    "enrolment",
    "NATS rights",
    "orders",
  ]);
  expect(exitCode).toBe(0);
});

interface Fault {
  readonly name: string;
  plant(place: Place, roles: RolesServer): Promise<void> | void;
  readonly found: string;
  readonly says: RegExp;
  readonly advice: RegExp;
}

const faults: readonly Fault[] = [
  {
    name: "NATS does not know the key",
    async plant({ directory }) {
      await rm(join(directory, "state/nats.nk"));
      await writeNewKey(join(directory, "state/nats.nk"));
    },
    found: "wrong enrolment",
    says: /not admitted: NATS does not know U/,
    advice: /nats config --listener servers\/web1\.lan=U/,
  },
  {
    name: "NATS knows the key as that of another host",
    async plant({ directory }, roles) {
      await writeFile(
        join(directory, "state/nats.nk"),
        await readFile(roles.settingsOf("neighbour").nkeyFile),
      );
    },
    found: "wrong enrolment",
    says: /as a user other than this host/,
    advice: /nats config --listener/,
  },
  {
    name: "the listener has never started",
    plant: async ({ directory }) => rm(join(directory, "state/nats.nk")),
    found: "wrong enrolment",
    says: /the listener has never started/,
    advice: /systemctl status homelab-deploy-listener/,
  },
  {
    name: "nobody may deploy",
    plant: ({ policy }) =>
      void (policy["trustedKeys"] = [{ name: "kai", key: operator.key, may: ["reboot"] }]),
    found: "wrong signers",
    says: /no key may deploy here: kai/,
    advice: /trustedKeys/,
  },
  {
    name: "a witness does not answer",
    plant: async ({ policy }) =>
      void (policy["witnesses"] = [...(policy["witnesses"] as string[]), `127.0.0.1:${await freePort()}`]),
    found: "warning witness …",
    says: /does not answer/,
    advice: /name another one/,
  },
  {
    name: "the clock is before what the system was built from",
    plant: ({ policy }) => void (policy["builtAfter"] = "2199-01-01T00:00:00Z"),
    found: "wrong clock floor",
    says: /2199-01-01T00:00:00Z has passed/,
    advice: /timedatectl/,
  },
  {
    name: "nobody sets the clock",
    plant: async ({ directory }) => writeFile(join(directory, "bin/timedatectl"), "#!/bin/sh\necho no\n"),
    found: "warning clock synchronisation",
    says: /not synchronised/,
    advice: /timedatectl set-ntp true/,
  },
  {
    name: "there is no journal",
    plant: async ({ directory }) => rm(join(directory, "deploy"), { recursive: true }),
    found: "wrong journal of deployments",
    says: /obeys no order/,
    advice: /homelab-deploy-recover/,
  },
  {
    name: "the journal is damaged",
    plant: async ({ directory }) => writeFile(join(directory, "deploy/journal"), "nonsense\n"),
    found: "wrong journal of deployments",
    says: /cannot be read/,
    advice: /move it away/,
  },
  {
    name: "NATS is away",
    plant: async ({ policy }) => void (policy["natsServers"] = [`nats://127.0.0.1:${await freePort()}`]),
    found: "wrong NATS server",
    says: /./,
    advice: /./,
  },
  {
    name: "nothing answers",
    async plant({ policy }) {
      policy["natsServers"] = [`nats://127.0.0.1:${await freePort()}`];
      policy["witnesses"] = [`127.0.0.1:${await freePort()}`];
    },
    found: "wrong network",
    says: /neither NATS nor 127\.0\.0\.1:\d+ answers/,
    advice: /ip route/,
  },
];

test.for(faults)("found: $name", async ({ plant, found, says, advice }, { place, roles }) => {
  await plant(place, roles);
  const { exitCode, findings } = await examine(place);
  const problems = findings.filter(({ state }) => state !== "ok");
  expect(brief(problems).map((line) => line.replace(/127\.\S+/, "…"))).toEqual([found]);
  expect(problems[0]).toMatchObject({
    message: expect.stringMatching(says),
    hint: expect.stringMatching(advice),
  });
  expect(exitCode).toBe(found.startsWith("wrong") ? 1 : 0);
});

test("a stream of orders that is not there is found", async ({ place, as }) => {
  const manager = await openManager(await as("admin"));
  const { config } = await manager.streams.info("DEPLOY_ORDERS");
  await manager.streams.delete("DEPLOY_ORDERS");
  try {
    const { findings } = await examine(place);
    expect(brief(findings)).toEqual(["wrong orders"]);
    expect(findings.find(({ check }) => check === "orders")?.hint).toMatch(/nats setup/);
  } finally {
    await manager.streams.add(config);
  }
});

test("who deploys is told of hosts with a wrong clock, and of a key that cannot sign", async ({
  place,
  as,
  roles,
}) => {
  const signal = AbortSignal.timeout(60_000);
  const listener = createListenerBus(await as("listener"), { repo, host });
  await listener.putHostState(
    someHostState({ repo, host, at: new Date().toISOString(), clock: { ok: false } }),
    signal,
  );
  const key = join(place.directory, "order.seed");
  await writeNewKey(key);
  const { findings } = await examine({
    ...place,
    environment: { ...place.environment, HOMELAB_DEPLOY_KEY: key },
    config: {
      nats: { servers: [roles.url], ...roles.settingsOf("operator") },
      listener: { policyFile: join(place.directory, "none.json") },
    },
  });
  const problems = findings.filter(({ state, check }) => state === "wrong" && check !== "builders");
  expect(brief(problems).toSorted()).toEqual([
    "wrong clock of servers/web1.lan",
    "wrong key HOMELAB_DEPLOY_KEY",
  ]);
});
