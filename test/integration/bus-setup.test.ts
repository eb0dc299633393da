import { jetstreamManager } from "@nats-io/jetstream";
import { expect } from "vitest";
import { HomelabError } from "../../src/base/errors.ts";
import { checkStreams, requireSound, setUpStreams, type Finding } from "../../src/bus/server/setup.ts";
import { connectTo, startNatsServer } from "../support/nats-server.ts";
import { test } from "../support/nats.ts";

const states = (findings: readonly Finding[]): readonly string[] => [
  ...new Set(findings.map(({ state }) => state)),
];
const hour = 3600 * 1_000_000_000;

test("creates everything once, and running it again changes nothing", async ({ connection }) => {
  const before = await checkStreams(connection);
  expect(states(before)).toEqual(["missing"]);
  expect(() => requireSound(before)).toThrow(/missing on the NATS server: BUILD_REQUESTS, BUILD_EVENTS/);

  expect(states(await setUpStreams(connection))).toEqual(["created"]);
  expect(states(await setUpStreams(connection))).toEqual(["sound"]);
  const after = await checkStreams(connection);
  expect(after.map(({ object }) => object)).toEqual([
    "BUILD_REQUESTS",
    "BUILD_EVENTS",
    "BUILD_LOGS",
    "UPDATE_EVENTS",
    "KV_builders",
    "BUILD_REQUESTS.builder",
    "BUILD_REQUESTS.builder-control",
  ]);
  expect(() => requireSound(after)).not.toThrow();
});

test("names the exact difference of a weaker stream, leaves it alone, and repairs it when told to", async ({
  connection,
}) => {
  await setUpStreams(connection);
  const manager = await jetstreamManager(connection.nats);
  await manager.streams.update("BUILD_EVENTS", { max_age: hour });
  await manager.streams.update("BUILD_LOGS", { max_age: 20_000 * hour });
  await manager.consumers.update("BUILD_REQUESTS", "builder", { ack_wait: 5_000_000_000 });

  const findings = await setUpStreams(connection);
  expect(() => requireSound(findings)).toThrow(
    expect.objectContaining({
      kind: "refused",
      code: "STREAM_WEAKER",
      message:
        "BUILD_EVENTS.max_age: is 1h, must be at least 720h; BUILD_REQUESTS.builder.ack_wait: is 5s, must be at least 1m",
    }),
  );
  expect((await manager.streams.info("BUILD_EVENTS")).config.max_age).toBe(hour);

  const repaired = await setUpStreams(connection, { repair: true });
  expect(repaired.filter(({ state }) => state === "repaired").map(({ object }) => object)).toEqual([
    "BUILD_EVENTS",
    "BUILD_REQUESTS.builder",
  ]);
  expect(states(await checkStreams(connection))).toEqual(["sound"]);
  expect((await manager.streams.info("BUILD_LOGS")).config.max_age).toBe(20_000 * hour);
});

test("does not pretend to repair what the server cannot change", async ({ connection }) => {
  await setUpStreams(connection);
  const manager = await jetstreamManager(connection.nats);
  const { config } = await manager.streams.info("UPDATE_EVENTS");
  await manager.streams.delete("UPDATE_EVENTS");
  await manager.streams.add({ ...config, storage: "memory" });

  const findings = await setUpStreams(connection, { repair: true });
  expect(findings.find(({ object }) => object === "UPDATE_EVENTS")?.state).toBe("weaker");
  expect(() => requireSound(findings)).toThrow("UPDATE_EVENTS.storage: is memory, must be file");
  await manager.streams.delete("UPDATE_EVENTS");
});

test("says what a server with too little storage needs, and fits it with a smaller scale", async () => {
  await using server = await startNatsServer(
    ({ port, storeDirectory }) =>
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${storeDirectory}", max_file_store: 1GB }`,
  );
  await using connection = await connectTo(server);
  await expect(setUpStreams(connection)).rejects.toThrow(
    expect.objectContaining({ code: "NATS_STORAGE", hint: expect.stringContaining("6.3GiB") }),
  );
  await setUpStreams(connection, { scale: 0.1 });
  expect(states(await checkStreams(connection))).toEqual(["sound"]);
});

test("says that JetStream is off", async () => {
  await using server = await startNatsServer(({ port }) => `listen: "127.0.0.1:${port}"`);
  await using connection = await connectTo(server);
  const error: unknown = await checkStreams(connection).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(HomelabError);
  expect(error).toMatchObject({ kind: "unavailable", code: "JETSTREAM_MISSING" });
});
