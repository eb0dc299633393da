// On a leaf node without JetStream, with the configuration that `nats config --domain` prints.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { probePermissions, probesOf } from "../../src/bus/server/probe-permissions.ts";
import { readServerLimits } from "../../src/bus/server/server-limits.ts";
import { checkStreams, setUpStreams } from "../../src/bus/server/setup.ts";
import { parseBuilderName, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { decodeRequest } from "../../src/protocol/request.ts";
import { aBuildId, accepted, aChunk, anEvent, aStatus, finished } from "../support/builds.ts";
import { startLeafLab, type LeafLab, type LeafUser } from "../support/leaf-node.ts";

const target = { repo: parseRepoName("servers"), host: parseHostName("web1.lan") };

async function openLab() {
  const lab = await startLeafLab("hub");
  onTestFinished(() => lab[Symbol.asyncDispose]());
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  const connect = async (server: LeafLab["hub"], user: LeafUser, domain?: string) => {
    const connection = await lab.connect(server, user, domain);
    onTestFinished(() => connection.close());
    return connection;
  };
  return { ...lab, connect, signal: stopped.signal };
}

test("a build goes from a client of a leaf node to a builder of it, through the streams of the hub", async () => {
  const { hub, leaf, connect, signal } = await openLab();
  const admin = await connect(leaf, "admin", "hub");
  // The leaf node needs a moment to reach its hub.
  await expect
    .poll(async () => setUpStreams(admin).then(() => "done", String), { timeout: 60_000 })
    .toBe("done");
  const asking = await connect(leaf, "operator", "hub");
  expect(await checkStreams(asking)).toHaveLength(16);
  expect((await readServerLimits(asking)).account).toMatchObject({ streams: 13 });

  const operator = createReader(asking);
  const building = await connect(leaf, "builder", "hub");
  const builder = createBuilderBus(building);
  const name = parseBuilderName("b1");
  const probes = await probePermissions(building, probesOf({ role: "builder", name }, aBuildId()));
  expect(probes.filter(({ isAllowed }) => !isAllowed)).toEqual([]);

  const id = aBuildId();
  await operator.submit(target, { id }, signal);
  const delivery = await builder.nextRequest(signal);
  expect(decodeRequest(delivery?.data ?? new Uint8Array()).id).toBe(id);
  await delivery?.ack(signal);
  expect(await operator.queueLength(signal)).toBe(0);

  const log = await builder.openEventLog(id, [], signal);
  await log.append(anEvent(id, 0, accepted), signal);
  const followed = Array.fromAsync(operator.follow(id, {}, signal));
  await builder.appendLog(aChunk(id, 0, 0, "hello\n"), signal);
  await log.append(anEvent(id, 1, finished), signal);
  expect((await followed).length).toBeGreaterThanOrEqual(2);
  expect((await Array.fromAsync(operator.readLogs(id, signal))).length).toBe(1);
  await builder.putStatus(aStatus(name, new Date().toISOString()), signal);
  expect((await operator.listBuilders(signal)).map((status) => status.name)).toEqual([name]);

  // The same streams, for those who connect to the hub, with the domain and without.
  for (const domain of ["hub", undefined]) {
    const reader = createReader(await connect(hub, "operator", domain));
    expect((await reader.readEvents(id, 0, signal)).map(({ type }) => type)).toEqual([
      "accepted",
      "finished",
    ]);
  }
});

test("while a leaf node has lost its hub, a command waits", async () => {
  const { hub, leaf, connect } = await openLab();
  const admin = await connect(leaf, "admin", "hub");
  await expect
    .poll(async () => setUpStreams(admin).then(() => "done", String), { timeout: 60_000 })
    .toBe("done");
  const asking = await connect(leaf, "operator", "hub");
  const [operator, id] = [createReader(asking), aBuildId()];
  const signal = AbortSignal.timeout(60_000);
  await hub.kill();
  const submitted = operator.submit(target, { id }, signal);
  const [listed, checked] = [operator.listBuilds(signal), checkStreams(asking)];
  await sleep(8000);
  await hub.start();
  await submitted;
  expect(await listed).toEqual([]);
  expect((await checked).map(({ state }) => state)).not.toContain("missing");
  expect(await operator.queueLength(signal)).toBe(1);
});

test("without the domain, or with a wrong one, it is said what to set", async () => {
  const { leaf, connect } = await openLab();
  await expect(checkStreams(await connect(leaf, "operator"))).rejects.toMatchObject({
    code: "JETSTREAM_MISSING",
    message: "cannot read BUILD_REQUESTS: the NATS server leaf has no JetStream",
    hint: expect.stringContaining("set nats.jetstreamDomain to the domain of the hub's JetStream"),
  });
  await expect(checkStreams(await connect(leaf, "operator", "hbu"))).rejects.toMatchObject({
    kind: "refused",
    code: "NATS_PERMISSION",
  });
  await expect(connect(leaf, "operator", "a.b")).rejects.toMatchObject({ code: "BAD_NAME" });
});
