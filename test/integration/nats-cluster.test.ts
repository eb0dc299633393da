// Three servers of one cluster: nothing is lost and nobody gets a wrong answer while the one that leads is killed.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test as base } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { openManager } from "../../src/bus/jetstream-api.ts";
import { checkStreams } from "../../src/bus/server/setup.ts";
import { aBuildId, accepted, anEvent, finished, warning } from "../support/builds.ts";
import { startCluster } from "../support/start-cluster.ts";
import { startHomelabOn } from "../support/start-homelab.ts";

const signal = new AbortController().signal;
const test = base.extend("homelab", { scope: "file" }, async ({}, { onCleanup }) => {
  const homelab = await startHomelabOn(async () => startCluster());
  onCleanup(() => homelab[Symbol.asyncDispose]());
  return homelab;
});

test("every stream has as many copies as were asked for, and one server's are not enough then", async ({
  homelab,
}) => {
  await using admin = await homelab.server.connect("admin");
  expect((await checkStreams(admin, 3)).map(({ state }) => state)).toEqual(
    (await checkStreams(admin)).map(() => "sound"),
  );
  const [first] = await checkStreams(admin, 5);
  expect(first?.differences).toEqual([
    { setting: "BUILD_REQUESTS.num_replicas", is: "3", required: "at least 5", fixed: false },
  ]);
});

test("in a cluster, setup wants three copies unless somebody says otherwise, and repeats what they said", async ({
  homelab,
}) => {
  const setup = async (words: string) => {
    const { exitCode, stderr } = await homelab.run(["nats", "setup", ...words.split(" ")], { user: "admin" });
    return { exitCode, stderr };
  };
  await using admin = await homelab.server.connect("admin");
  const manager = await openManager(admin);
  const { config } = await manager.streams.info("BUILD_LOGS");
  await manager.streams.update("BUILD_LOGS", { ...config, num_replicas: 1 });
  expect(await setup("--check")).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining("BUILD_LOGS.num_replicas: is 1, must be at least 3"),
  });
  const { stdout } = await homelab.run(["doctor", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    findings: expect.arrayContaining([
      expect.objectContaining({
        check: "NATS copies",
        state: "warning",
        message: expect.stringContaining("only one server has BUILD_LOGS"),
      }),
    ]),
  });
  expect((await setup("--repair")).exitCode).toBe(0);
  expect((await manager.streams.info("BUILD_LOGS")).config.num_replicas).toBe(3);
  expect(await setup("--check --replicas 5")).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining("nats setup --repair --replicas 5"),
  });
  expect(await setup("--repair --replicas 5")).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining("the cluster has fewer servers than copies"),
  });
  await homelab.server.whenWhole();
});

test("the configuration of a node is not that of a server that is alone because --cluster was forgotten", async ({
  homelab,
}) => {
  const admin = ["--admin", `U${"A".repeat(55)}`];
  for (const option of [
    "--route 127.0.0.1:6222",
    "--cluster-listen 127.0.0.1:6222",
    "--advertise nats1.lan",
    "--node nats1",
  ]) {
    const answer = await homelab.run(["nats", "config", ...admin, ...option.split(" ")]);
    expect(answer, option).toMatchObject({
      exitCode: 2,
      stdout: "",
      stderr: expect.stringContaining("--cluster and --node go together"),
    });
  }
});

test("doctor knows how many servers keep the streams", async ({ homelab }) => {
  const { stdout } = await homelab.run(["doctor", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    findings: expect.arrayContaining([
      { check: "NATS copies", state: "ok", message: "3 servers have each stream" },
    ]),
  });
});

test("a copy that does not have the newest event yet is waited for, and is no lost event", async ({
  homelab: { server },
}) => {
  await using writing = await server.connect("builder1");
  await using resuming = await server.connect("builder2");
  const [writer, resumer] = [createBuilderBus(writing), createBuilderBus(resuming)];
  const id = aBuildId();
  const [first, second] = [anEvent(id, 0, accepted), anEvent(id, 1, warning("stored elsewhere"))];
  const written = await writer.openEventLog(id, [], signal);
  await written.append(first, signal);
  // Whoever resumes has read it from another copy already.
  const opening = resumer.openEventLog(id, [first, second], signal);
  await sleep(600);
  await written.append(second, signal);
  await (await opening).append(anEvent(id, 2, finished, 2), signal);
  expect(await writer.readEvents(id, 0, signal)).toHaveLength(3);
});

test("builds go on while the server that leads is killed, again and again", async ({ homelab }) => {
  const { server, fleet } = homelab;
  await homelab.startBuilder();
  const ends: string[] = [];
  for (let round = 0; round < 3; round++) {
    await fleet.commit({ hosts: 3, salt: `round ${round}` });
    const building = homelab.run(["build", "--all", "--json"]);
    await sleep(300 * round);
    const leader = await server.leader();
    await leader.kill();
    const { exitCode, stdout, stderr } = await building;
    const last = stdout.trim().split("\n").at(-1) ?? "";
    ends.push(
      exitCode === 0 && last.includes('"type":"finished"') ? "succeeded" : `${exitCode} ${last} ${stderr}`,
    );
    // While one is away, the other two serve what is asked.
    const shown = await homelab.run(["builds", "list", "--json"]);
    expect(shown.exitCode, shown.stderr).toBe(0);
    await leader.start();
    await server.whenWhole();
  }
  expect(ends).toEqual(["succeeded", "succeeded", "succeeded"]);
});
