// Commands while nobody leads a NATS cluster, because two of its three servers are away.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test as base } from "vitest";
import { startCluster, type Cluster } from "../support/start-cluster.ts";
import { startHomelabOn, type Homelab } from "../support/start-homelab.ts";

const test = base.extend("scene", { scope: "file" }, async ({}, { onCleanup }) => {
  const homelab = await startHomelabOn(async () => startCluster());
  onCleanup(() => homelab[Symbol.asyncDispose]());
  await homelab.startBuilder();
  await homelab.fleet.commit({ hosts: 1 });
  const { stdout } = await homelab.run(["build", "--all", "--json"]);
  const { build } = JSON.parse(stdout.split("\n")[0] ?? "") as { build: string };
  return { homelab, build };
});

/** Time that a command takes to start on a machine with two cores, where others start at once: milliseconds. */
const startMs = 15_000;

/** Two of three go at once, among them those who lead the event log and JetStream itself. The result brings them back. */
async function loseLeaders({ server }: Homelab<Cluster>): Promise<() => Promise<void>> {
  const leaders = new Set([await server.leader(), await server.metaLeader()]);
  const away = [...leaders, ...server.nodes.filter((node) => !leaders.has(node))].slice(0, 2);
  await Promise.all(away.map(async (node) => node.kill()));
  return async () => {
    await Promise.all(away.map(async (node) => node.start()));
  };
}

interface Answer {
  readonly exitCode: number | NodeJS.Signals;
  readonly text: string;
  readonly seconds: number;
}

/** The same question of several people at once. */
async function ask(homelab: Homelab<Cluster>, commands: readonly string[]): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  await Promise.all(
    commands.map(async (command) => {
      const started = performance.now();
      const user = command.startsWith("nats") ? "admin" : "operator";
      const { exitCode, stdout, stderr } = await homelab.run(command.split(" "), { user });
      const seconds = (performance.now() - started) / 1000;
      answers.set(command, { exitCode, text: stdout + stderr, seconds });
    }),
  );
  return answers;
}

const readers = ["builds list", "hosts", "status", "rollouts"];

test("every command waits for the leader, and then does what it was asked", async ({ scene }) => {
  const { homelab, build } = scene;
  const bringBack = await loseLeaders(homelab);
  const asking = ask(homelab, [
    ...readers,
    "nats setup --check --replicas 3",
    "build host01",
    "build --all --detach",
    "doctor --json",
    `builds show ${build}`,
    `logs ${build}`,
    `builds cancel ${build}`,
  ]);
  await sleep(8000);
  await bringBack();
  const answers = await asking;
  const doctor = JSON.parse(answers.get("doctor --json")?.text ?? "") as {
    findings: { check: string; state: string; message: string }[];
  };
  const wrong = doctor.findings.filter(({ check, state }) => check.startsWith("NATS") && state === "wrong");
  expect(wrong).toEqual([]);
  expect(doctor.findings).toContainEqual(expect.objectContaining({ check: "NATS streams", state: "ok" }));
  expect(answers.get(`builds cancel ${build}`)).toMatchObject({
    exitCode: 4,
    text: expect.stringContaining(`build ${build} is over: it succeeded`),
  });
  for (const [command, { exitCode, text }] of answers) {
    if (command.startsWith("doctor") || command.startsWith("builds cancel")) continue;
    expect(`${command}: ${exitCode}`, text).toBe(`${command}: 0`);
  }
  // Nobody takes a bucket that does not answer for one that does not exist.
  expect(answers.get("builds list")?.text).toContain(build);
  expect(answers.get("hosts")?.text).toContain("host01");
  await homelab.server.whenWhole();
});

test("a running build is cancelled once there is a leader", async ({ scene: { homelab } }) => {
  await homelab.fleet.commit({ hosts: 1, salt: "slow", hostSeconds: 120 });
  const { stdout } = await homelab.run(["build", "--all", "--detach"]);
  const id = stdout.trim();
  await expect
    .poll(async () => (await homelab.run(["builds", "show", id])).stdout, { timeout: 60_000, interval: 1000 })
    .toContain("0 of 1 host done so far");
  const bringBack = await loseLeaders(homelab);
  const cancelling = ask(homelab, [`builds cancel ${id}`]);
  await sleep(5000);
  await bringBack();
  const cancelled = (await cancelling).get(`builds cancel ${id}`);
  expect(cancelled?.exitCode, cancelled?.text).toBe(0);
  await expect
    .poll(async () => (await homelab.run(["builds", "show", id])).stdout, { timeout: 60_000, interval: 1000 })
    .toContain("cancelled");
  await homelab.server.whenWhole();
});

test("without a leader a command gives up after the documented time, and says what is wrong", async ({
  scene,
}) => {
  const { homelab, build } = scene;
  const bringBack = await loseLeaders(homelab);
  const answers = await ask(homelab, [
    "nats setup --check --replicas 3",
    "build host01",
    "build --all --detach",
    "doctor",
    "builds list",
    `builds show ${build}`,
  ]);
  for (const [command, { exitCode, text, seconds }] of answers) {
    expect(text, command).not.toContain("enable JetStream");
    expect(seconds, command).toBeLessThan(60 + startMs / 1000);
    if (exitCode === 0) continue;
    expect(`${command}: ${exitCode}`, text).toBe(`${command}: ${command === "doctor" ? 1 : 3}`);
    expect(text, command).toMatch(/the NATS cluster homelab has no leader for it|of the cluster homelab run/);
  }
  // One server has what was stored, and what is stored nowhere is not said to be.
  expect(answers.get(`builds show ${build}`)).toMatchObject({ exitCode: 0 });
  for (const command of ["build host01", "build --all --detach", "nats setup --check --replicas 3"])
    expect(answers.get(command)?.exitCode, command).toBe(3);
  await bringBack();
  await homelab.server.whenWhole();
});
