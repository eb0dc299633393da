// The server answers a request to the subject that the request names, also to one that the asker may not publish to.
// What every client can make it say, to every subject where that would matter: nothing arrives in the builders'
// account; what arrives at other clients changes nothing.
import { jetstreamManager } from "@nats-io/jetstream";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { expect } from "vitest";
import { sharedSubjects } from "../../src/bus/server/accounts.ts";
import type { BuildMessage } from "../../src/bus/bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { inboxPrefixOf, permissionsOf } from "../../src/bus/server/permissions.ts";
import { publishUpdateEvent } from "../../src/bus/publish-update.ts";
import { encodeEvent } from "../../src/protocol/events.ts";
import { parseBuilderName } from "../../src/protocol/names.ts";
import { encodeProgress } from "../../src/protocol/progress.ts";
import { streams } from "../../src/protocol/subjects.ts";
import {
  aBuildId,
  accepted,
  aChunk,
  anEvent,
  anUpdateEvent,
  aStatus,
  finished,
  warning,
} from "../support/builds.ts";
import { test } from "../support/nats-roles.ts";
import type { TestUser } from "../support/start-roles-server.ts";

const victim = aBuildId();
const other = aBuildId();
const clients = ["operator", "ci", "updater", "dashboard", "deployer"] as const satisfies readonly TestUser[];

/** A question to the server or a builder: the subject, with what has to be said to get an answer with content. */
interface Question {
  readonly subject: string;
  readonly payload?: string;
  readonly headers?: MsgHdrs;
}

/** Where an answer would forge, start, cancel or destroy something, if the server delivered it there. */
const targets = [
  `build-events.${victim}`,
  `build-logs.${victim}.0`,
  `build-control.${victim}`,
  `build-progress.${victim}`,
  "build-replies.operator.mine",
  "build.any.all",
  "build.servers.web1",
  "update-events.servers",
  "$KV.builders.b1",
  "builder.b1.status",
  "_R_.x.y",
  "_INBOX_builder-b1.x.y",
  "$JS.API.STREAM.PURGE.BUILD_LOGS",
  "$JS.API.STREAM.DELETE.BUILD_LOGS",
  "$JS.API.CONSUMER.MSG.NEXT.BUILD_REQUESTS.builder",
  "$JS.ACK.BUILD_REQUESTS.builder.1.1.1.1700000000000000000.0",
  `live.build-events.${victim}`,
  `live.build-logs.${victim}.0`,
  "live.update-events.servers",
  "deploy-orders.servers.web1",
  "deploy-events.servers.web1",
  "rollout-events.01JDB3K2M4N5P6Q7R8S9T0V1W2",
  "$KV.hosts.servers.web1",
];

/** Every question that the tables let somebody ask, in the forms that get different answers. */
function questions(): readonly Question[] {
  const { services } = sharedSubjects();
  return services.flatMap((service): readonly Question[] => {
    const stream = /^\$JS\.API\.DIRECT\.GET\.([^.]+)(\.>)?$/.exec(service);
    if (stream?.[1] !== undefined) return stream[2] === undefined ? bareGets(stream[1]) : lastGets(stream[1]);
    const subject = service
      .replace("build.>", "build.servers.web1")
      .replace("build-backlog.*.*", "build-backlog.servers.web1")
      .replace("builder.*", "builder.b1")
      .replace("*", service.startsWith("update") ? "servers" : other);
    return [{ subject, payload: /^build(?:\.|-backlog)/.test(service) ? '{"expiresAfter":1}' : "" }];
  });
}

const subjectsOf: Readonly<Record<string, string>> = {
  [streams.events]: `build-events.${other}`,
  [streams.logs]: `build-logs.${other}.1`,
  [streams.updates]: "update-events.servers",
  [streams.builders]: "$KV.builders.b1",
  [streams.results]: `$KV.results.build.${other}`,
  [streams.orders]: "deploy-orders.servers.web1",
  [streams.deployEvents]: "deploy-events.servers.web1",
  [streams.deployOutput]: "deploy-output.servers.web1",
  [streams.hosts]: "$KV.hosts.servers.web1",
  [streams.holds]: "$KV.holds.servers.web1",
};

const bareGets = (stream: string): readonly Question[] =>
  [
    { last_by_subj: subjectsOf[stream] },
    { seq: 1, next_by_subj: subjectsOf[stream] },
    { seq: 1 },
    { seq: 1, batch: 10, next_by_subj: ">" },
    { multi_last: [">"] },
    {},
  ].map((query) => ({ subject: `$JS.API.DIRECT.GET.${stream}`, payload: JSON.stringify(query) }));

const lastGets = (stream: string): readonly Question[] => [
  { subject: `$JS.API.DIRECT.GET.${stream}.${subjectsOf[stream]}` },
  { subject: `$JS.API.DIRECT.GET.${stream}.nothing.here` },
];

async function statesOf({ nats }: Connection): Promise<Readonly<Record<string, number>>> {
  const manager = await jetstreamManager(nats, { checkAPI: false });
  const entries = Object.values(streams).map(async (stream) => {
    const { state } = await manager.streams.info(stream);
    return [stream, state.last_seq] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Streams with something in them to be misused: what a client may store is bytes of its own choice. */
async function fill(as: (user: TestUser) => Promise<Connection>): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  const bus = createBuilderBus(await as("builder1"));
  const otherLog = await bus.openEventLog(other, [], signal);
  await otherLog.append(anEvent(other, 0, accepted), signal);
  await bus.appendLog(aChunk(other, 1, 1, new TextDecoder().decode(forged())), signal);
  await bus.putStatus(aStatus("b1", "2026-01-01T00:00:00.000Z"), signal);
  await publishUpdateEvent(await as("updater"), anUpdateEvent, signal);
  const operator = await as("operator");
  for (const subject of ["deploy-orders.servers.web1", "$KV.holds.servers.web1"])
    await operator.nats.request(subject, forged(), { timeout: 10_000 });
}

const forged = (): Uint8Array => encodeEvent(anEvent(victim, 1, finished));

test("no client can make an answer arrive in the builders' account", async ({ as }) => {
  await fill(as);
  const builder = await as("builder1");
  const heard: string[] = [];
  for (const subject of ["build-control.*", "builder.b1.status", "_INBOX_builder-b1.x.y"]) {
    builder.nats.subscribe(subject, {
      callback: (_, message) => {
        // A question that a client may ask is answered; an answer has nobody to answer to.
        if (subject !== "builder.b1.status" || message.reply === undefined) heard.push(message.subject);
      },
    });
  }
  await builder.nats.flush();

  const asked = questions();
  expect(asked.length).toBeGreaterThan(40);
  let published = 0;
  for (const user of clients) {
    const { nats } = await as(user);
    const { publish } = permissionsOf({ role: user });
    const mine = asked.filter(({ subject }) => isAllowed(publish, subject) && !isRequest(subject));
    const before = await statesOf(builder);
    for (const target of targets) {
      for (const { subject, payload = "" } of mine) {
        nats.publish(subject, payload, { reply: target });
        published++;
      }
    }
    // Each service answers in the order in which it was asked: what was asked before is answered then.
    for (const { subject, payload = "" } of mine.filter((each) => each.subject !== "builder.b1.status"))
      await nats.request(subject, payload, { timeout: 10_000 });
    await builder.nats.flush();
    expect({ user, ...(await statesOf(builder)) }).toEqual({ user, ...before });
  }
  expect(published).toBeGreaterThan(1000);
  expect(heard).toEqual([]);
});

test("an acknowledgement of what a client may store goes nowhere else either", async ({ as }) => {
  const builder = await as("builder1");
  const subject = `build-control.${other}`;
  const stored = async (): Promise<Readonly<Record<string, number>>> => {
    const manager = await jetstreamManager(builder.nats, { checkAPI: false });
    const query = { subjects_filter: ">", deleted_details: false, offset: 0 };
    const { state } = await manager.streams.info(streams.requests, query);
    const { [subject]: asked = 0, ...rest } = state.subjects ?? {};
    expect(asked).toBeGreaterThan(0);
    return rest;
  };
  for (const user of ["operator", "ci", "updater"] as const) {
    const { nats } = await as(user);
    await nats.request(subject, "{}", { timeout: 10_000 });
    const [before, { [streams.requests]: _, ...others }] = [await stored(), await statesOf(builder)];
    // A reply that is the server's own, such as `$JS.ACK.…`, is dropped with what it came with.
    for (const target of targets) nats.publish(subject, "{}", { reply: target });
    // Acknowledged behind all the others.
    await nats.request(subject, "{}", { timeout: 10_000 });
    expect({ user, stored: await stored() }).toEqual({ user, stored: before });
    expect(await statesOf(builder)).toMatchObject(others);
  }
});

const isAllowed = (allowed: readonly string[], subject: string): boolean =>
  allowed.some((pattern) => {
    const expression = pattern
      .replaceAll(/[$.]/g, String.raw`\$&`)
      .replaceAll("*", "[^.]+")
      .replace(/>$/, ".+");
    return new RegExp(`^${expression}$`).test(subject);
  });

/** Stored on purpose: the second test is about their acknowledgements. */
const isRequest = (subject: string): boolean =>
  [
    "build.",
    "build-backlog.",
    "build-control.",
    "update-events.",
    "deploy-orders.",
    "deploy-events.",
    "deploy-output.",
    "rollout-events.",
    "$KV.hosts.",
    "$KV.holds.",
  ].some((prefix) => subject.startsWith(prefix));

test("headers of a client empty no stream and pass for no builder", async ({ as }) => {
  const builder = await as("builder1");
  for (const [user, subject] of [
    ["ci", "build.servers.web1"],
    ["ci", "build-backlog.servers.web1"],
    ["ci", `build-control.${other}`],
    ["updater", "update-events.servers"],
  ] as const) {
    const { nats } = await as(user);
    const before = await statesOf(builder);
    for (const scope of ["all", "sub"]) {
      const rollup = headers();
      rollup.set("Nats-Rollup", scope);
      const answer = await nats.request(subject, "{}", { headers: rollup, timeout: 10_000 });
      expect(answer.json()).toMatchObject({ error: { err_code: 10_111 } });
    }
    expect(await statesOf(builder)).toEqual(before);
  }
});

test("what a client makes arrive at another client changes nothing that is shown of a build", async ({
  as,
}) => {
  const signal = AbortSignal.timeout(20_000);
  const bus = createBuilderBus(await as("builder1"));
  const watched = aBuildId();
  const log = await bus.openEventLog(watched, [], signal);
  await log.append(anEvent(watched, 0, accepted), signal);
  const note = "forged";
  const progress = encodeProgress({ build: watched, note, running: [], hosts: [] });
  for (const [index, text] of [encodeEvent(anEvent(watched, 1, finished)), progress].entries()) {
    await bus.appendLog(aChunk(other, index + 2, 0, new TextDecoder().decode(text)), signal);
  }

  const reader = createReader(await as("operator"));
  const seen: BuildMessage[] = [];
  const following = (async () => {
    for await (const message of reader.follow(watched, { logs: true, progress: true }, signal))
      seen.push(message);
  })();
  await expect.poll(() => seen.length).toBe(1);

  const spy = await as("operator");
  const arrived: string[] = [];
  for (const subject of [`live.build-events.${watched}`, `build-progress.${watched}`]) {
    spy.nats.subscribe(subject, { callback: (_, message) => void arrived.push(message.subject) });
  }
  await spy.nats.flush();
  const { nats } = await as("dashboard");
  for (const index of [2, 3]) {
    for (const reply of [`live.build-events.${watched}`, `build-progress.${watched}`]) {
      nats.publish(`$JS.API.DIRECT.GET.BUILD_LOGS.build-logs.${other}.${index}`, "", { reply });
    }
  }
  // They do arrive: a live message is a hint to read the stream, and a picture of progress has no headers.
  await expect.poll(() => arrived.length).toBe(4);

  await log.append(anEvent(watched, 1, warning("still running")), signal);
  await log.append(anEvent(watched, 2, finished), signal);
  await following;
  expect(seen).toEqual(
    [accepted, warning("still running"), finished].map((body, index) => ({
      type: "event",
      event: anEvent(watched, index, body),
    })),
  );
});

test("the inbox of another client has a name that cannot be guessed", async ({ as }) => {
  const inboxes = new Set<string>();
  const operator = await as("operator");
  const builder = await as("builder1");
  builder.nats.subscribe("builder.b1.status", {
    callback: (_, message) => {
      if (message.reply !== undefined) inboxes.add(message.reply);
      message.respond("{}");
    },
  });
  await builder.nats.flush();
  await operator.nats.request("builder.b1.status");
  // Not even the one who is asked sees it.
  expect([...inboxes].join()).toMatch(/^_R_\./);
  expect([...inboxes].join()).not.toContain(inboxPrefixOf({ role: "operator" }));
});

test("a builder tells its status to clients, and to nobody whom a question names instead", async ({ as }) => {
  const signal = AbortSignal.timeout(10_000);
  const builder = await as("builder1");
  const name = parseBuilderName("b1");
  const status = aStatus("b1", "2026-01-01T00:00:00.000Z");
  let asked = 0;
  createBuilderBus(builder).answerStatus(name, () => (asked++, status), signal);
  await builder.nats.flush();
  expect(await createReader(await as("operator")).askBuilder(name, signal)).toEqual(status);

  // Another process of that builder, in its own account.
  let misdirected = 0;
  const twin = await as("builder1");
  expect(await createReader(twin).askBuilder(name, signal)).toEqual(status);
  (await as("operator")).nats.subscribe("build-replies.operator.x", { callback: () => void misdirected++ });
  twin.nats.publish("builder.b1.status", "", { reply: "build-replies.operator.x" });
  await createReader(twin).askBuilder(name, signal);
  expect({ asked, misdirected }).toEqual({ asked: 3, misdirected: 0 });
});
