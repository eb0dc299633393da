import { jetstreamManager } from "@nats-io/jetstream";
import { expect } from "vitest";
import { HomelabError } from "../../src/base/errors.ts";
import { checkStreams, requireSound, setUpStreams, type Finding } from "../../src/bus/server/setup.ts";
import { connectTo, startNatsServer, type ServerPlace } from "../support/nats-server.ts";
import { test } from "../support/nats.ts";

const states = (findings: readonly Finding[]): readonly string[] => [
  ...new Set(findings.map(({ state }) => state)),
];
const hour = 3600 * 1_000_000_000;

test("creates everything once, and running it again changes nothing", async ({ connection }) => {
  const before = await checkStreams(connection);
  expect(states(before)).toEqual(["missing"]);
  expect(() => requireSound(before)).toThrow(
    /missing on the NATS server: BUILD_REQUESTS, BUILD_BACKLOG, BUILD_EVENTS/,
  );

  expect(states(await setUpStreams(connection))).toEqual(["created"]);
  expect(states(await setUpStreams(connection))).toEqual(["sound"]);
  const after = await checkStreams(connection);
  expect(after.map(({ object }) => object)).toEqual([
    "BUILD_REQUESTS",
    "BUILD_BACKLOG",
    "BUILD_EVENTS",
    "BUILD_LOGS",
    "UPDATE_EVENTS",
    "KV_builders",
    "KV_results",
    "DEPLOY_ORDERS",
    "DEPLOY_EVENTS",
    "DEPLOY_OUTPUT",
    "ROLLOUT_EVENTS",
    "KV_hosts",
    "KV_holds",
    "BUILD_REQUESTS.builder",
    "BUILD_REQUESTS.builder-control",
    "BUILD_BACKLOG.builder-backlog",
  ]);
  expect(() => requireSound(after)).not.toThrow();
});

test("a server that is alone is never said to have three copies", async ({ connection }) => {
  const alone = { kind: "refused", code: "NATS_REPLICAS", message: expect.stringContaining("is alone") };
  await expect(setUpStreams(connection, { replicas: 3 })).rejects.toMatchObject(alone);
  await setUpStreams(connection);
  await expect(setUpStreams(connection, { repair: true, replicas: 3 })).rejects.toMatchObject(alone);
  await expect(checkStreams(connection, 3)).rejects.toMatchObject(alone);
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
    expect.objectContaining({ code: "NATS_STORAGE", hint: expect.stringContaining("7.4GiB") }),
  );
  // What the first attempt has created stays as large as it is.
  await setUpStreams(connection, { scale: 0.05 });
  expect(states(await checkStreams(connection))).toEqual(["sound"]);
});

const inAccount =
  (account: string, server = "") =>
  ({ port, storeDirectory }: ServerPlace): string =>
    `listen: "127.0.0.1:${port}"
${server}
jetstream { store_dir: "${storeDirectory}", max_file_store: 50GB }
accounts { A { ${account}, users: [ { user: u, password: p } ] } }
no_auth_user: u`;

test.for([
  ["max_file: 1G", "max_file of our account is 953.7MiB, must be at least 7.4GiB", "--scale 0.1"],
  [
    "disk_max_stream_bytes: 1G",
    "disk_max_stream_bytes of our account is 953.7MiB, must be at least 5GiB",
    "--scale 0.1",
  ],
  ["max_streams: 3", "max_streams of our account is 3, must be at least 13", "--js-streams 13"],
  ["max_consumers: 1", "max_consumers of our account is 1, must be at least 3", "--js-consumer 3"],
  [
    "max_ack_pending: 10",
    "max_ack_pending of our account is 10, must be at least 1000",
    "jetstream { max_ack_pending: 1000 }",
  ],
] as const)("names the limit of the account: %s", async ([limit, message, advice]) => {
  await using server = await startNatsServer(inAccount(`jetstream { ${limit} }`));
  await using connection = await connectTo(server);
  await expect(setUpStreams(connection)).rejects.toMatchObject({
    kind: "refused",
    code: "NATS_LIMIT",
    message: `limits of the NATS server are too small: ${message}`,
    hint: expect.stringContaining(advice),
  });
  expect(states(await checkStreams(connection))).toEqual(["missing"]);
});

test("what it advises is enough", async () => {
  await using server = await startNatsServer(
    inAccount(
      "jetstream { max_mem: 0, max_file: 7977566208, max_streams: 13, max_consumers: 3, max_ack_pending: 1000, max_bytes_required: true }, limits { max_payload: 540672 }",
    ),
  );
  await using connection = await connectTo(server);
  expect(states(await setUpStreams(connection))).toEqual(["created"]);
  expect(states(await setUpStreams(connection))).toEqual(["sound"]);
});

test("a smaller scale is enough where it is advised", async () => {
  await using server = await startNatsServer(inAccount("jetstream { max_file: 1G }"));
  await using connection = await connectTo(server);
  expect(states(await setUpStreams(connection, { scale: 0.1 }))).toEqual(["created"]);
});

test.for([
  ["the account", inAccount("jetstream: enabled, limits { max_payload: 4096 }")],
  ["the server", inAccount("jetstream: enabled", "max_payload: 4096")],
] as const)("names max_payload of %s", async ([, config]) => {
  await using server = await startNatsServer(config);
  await using connection = await connectTo(server);
  await expect(setUpStreams(connection)).rejects.toMatchObject({
    code: "NATS_LIMIT",
    message: expect.stringContaining("max_payload of the server or of our account is 4KiB"),
  });
});

test.for([
  ["max_ack_pending: 20", "max_ack_pending: 1000"],
  ['duplicate_window: "1m"', 'duplicate_window: "10m"'],
] as const)("names the limit of the server: %s", async ([limit, advice]) => {
  await using server = await startNatsServer(
    ({ port, storeDirectory }) =>
      `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${storeDirectory}", max_file_store: 50GB, limits { ${limit} } }`,
  );
  await using connection = await connectTo(server);
  await expect(setUpStreams(connection)).rejects.toMatchObject({
    code: "NATS_LIMIT",
    hint: expect.stringContaining(`jetstream { limits { ${advice} } }`),
  });
});

test("says that the account has no JetStream", async () => {
  await using server = await startNatsServer(inAccount("exports: []"));
  await using connection = await connectTo(server);
  await expect(setUpStreams(connection)).rejects.toMatchObject({
    code: "JETSTREAM_MISSING",
    message: "cannot read BUILD_REQUESTS: our account on the NATS server has no JetStream",
    hint: expect.stringContaining("jetstream: enabled"),
  });
});

test("says that JetStream is off", async () => {
  await using server = await startNatsServer(({ port }) => `listen: "127.0.0.1:${port}"`);
  await using connection = await connectTo(server);
  const error: unknown = await checkStreams(connection).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(HomelabError);
  expect(error).toMatchObject({
    kind: "unavailable",
    code: "JETSTREAM_MISSING",
    message: expect.stringMatching(/the NATS server \S+ has no JetStream$/),
    hint: expect.stringContaining("nats.jetstreamDomain"),
  });
});
