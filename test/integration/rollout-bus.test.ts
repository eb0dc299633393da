// Logs of rollouts and requests for them, on a real server with the rights that `nats config` prints; what both can do is
// also asked of the bus in memory, which stands for it in other tests.
import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished } from "vitest";
import { createDeployerBus } from "../../src/bus/rollout/create-deployer-bus.ts";
import { createRolloutBus } from "../../src/bus/rollout/create-rollout-bus.ts";
import { createRolloutReader } from "../../src/bus/rollout/create-rollout-reader.ts";
import type { DeployerBus, RolloutBus, RolloutNews, RolloutReader } from "../../src/bus/rollout-bus.ts";
import type { Connection } from "../../src/bus/connect/connection.ts";
import type { RolloutEvent, RolloutId } from "../../src/protocol/rollout/rollout-events.ts";
import { publishOnce } from "../../src/bus/publish-stored.ts";
import { createStreamReader } from "../../src/bus/stored-messages.ts";
import { rolloutSubject, startSubject, streams } from "../../src/protocol/subjects.ts";
import { somePath } from "../support/deploy-orders.ts";
import { createFakeRolloutBus } from "../support/fake-rollout-bus.ts";
import { test as base } from "../support/nats-roles.ts";
import { connectTo, startNatsServer } from "../support/nats-server.ts";
import { startRolesServer } from "../support/start-roles-server.ts";
import {
  aRolloutEvent,
  aRolloutId,
  created,
  rolloutRepo as repo,
  testSeal,
} from "../support/rollout-events.ts";

interface Parties {
  readonly operator: RolloutBus;
  readonly ci: RolloutBus;
  readonly deployer: DeployerBus;
  readonly dashboard: RolloutReader;
}

const test = base.extend<{ parties: (kind: string) => Promise<Parties> }>({
  parties: async ({ as }, use) =>
    use(async (kind) => {
      const fake = createFakeRolloutBus();
      if (kind === "in memory") return { operator: fake, ci: fake, deployer: fake, dashboard: fake };
      return {
        operator: createRolloutBus(await as("operator")),
        ci: createRolloutBus(await as("ci")),
        deployer: createDeployerBus(await as("deployer", { role: "daemon" }), testSeal),
        dashboard: createRolloutReader(await as("dashboard")),
      };
    }),
});

function testSignal(): AbortSignal {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  return AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)]);
}

const paused = (id: RolloutId, by: string): RolloutEvent => aRolloutEvent(id, { type: "paused", by });
const types = (events: readonly RolloutEvent[]): readonly string[] => events.map(({ type }) => type);

/** Collects what a follower is given, until the test is over. */
function collect(reader: RolloutReader, id: RolloutId, signal: AbortSignal): (readonly string[])[] {
  const seen: (readonly string[])[] = [];
  void (async () => {
    for await (const { events } of reader.followRollout(id, signal)) seen.push(types(events));
  })().catch((error: unknown) => seen.push([String(error)]));
  return seen;
}

/** Its subscription has reached the server. */
const heard = async ({ nats }: Connection): Promise<void> => nats.flush();

describe.each(["on NATS", "in memory"])("the bus of rollouts %s", (kind) => {
  test("of two who append at once, one succeeds in each of 50 rounds", async ({ parties }) => {
    const signal = testSignal();
    const { operator, deployer, dashboard } = await parties(kind);
    const id = aRolloutId();
    let sequence = await deployer.appendRolloutEvent(created(id), 0, signal);
    for (let round = 0; round < 50; round++) {
      const appended = await Promise.all(
        [operator, deployer].map(async (bus, index) =>
          bus.appendRolloutEvent(paused(id, `${round}.${index}`), sequence ?? -1, signal),
        ),
      );
      expect(appended.filter((each) => each !== undefined)).toHaveLength(1);
      const log = await dashboard.readRollout(id, signal);
      expect(log.events.at(-1)).toMatchObject({ by: `${round}.${appended[0] === undefined ? 1 : 0}` });
      sequence = appended.find((each) => each !== undefined);
      expect(log.sequence).toBe(sequence);
    }
  });

  test("a log that nobody began is empty, and a second beginning is refused", async ({ parties }) => {
    const signal = testSignal();
    const { operator, dashboard } = await parties(kind);
    const id = aRolloutId();
    expect(await dashboard.readRollout(id, signal)).toEqual({ events: [], sequence: 0 });
    expect(await operator.appendRolloutEvent(created(id), 0, signal)).toBeGreaterThan(0);
    expect(await operator.appendRolloutEvent(created(id, { by: "mo" }), 0, signal)).toBeUndefined();
    expect((await dashboard.readRollout(id, signal)).events).toEqual([created(id)]);
  });

  test("rollouts are listed by when they were asked for, the newest first", async ({ parties }) => {
    const signal = testSignal();
    const { operator, dashboard } = await parties(kind);
    const [old, middle, newest] = [aRolloutId(1000), aRolloutId(2000), aRolloutId(3000)];
    for (const id of [newest, old, middle]) await operator.appendRolloutEvent(created(id), 0, signal);
    const ids = await dashboard.rolloutIds(signal);
    expect(ids.filter((id) => [old, middle, newest].includes(id))).toEqual([newest, middle, old]);
  });

  test("a follower is given the log as it is, and again when it has grown", async ({ parties }) => {
    const signal = testSignal();
    const { operator, dashboard } = await parties(kind);
    const id = aRolloutId();
    const seen = collect(dashboard, id, signal);
    await expect.poll(() => seen).toEqual([[]]);
    const first = await operator.appendRolloutEvent(created(id), 0, signal);
    await expect.poll(() => seen.at(-1)).toEqual(["created"]);
    await operator.appendRolloutEvent(paused(id, "kai"), first ?? -1, signal);
    await expect.poll(() => seen.at(-1)).toEqual(["created", "paused"]);
  });

  test("nobody answers where no deployer listens, and who asks knows at once", async ({ parties }) => {
    const signal = testSignal();
    const { operator, ci, deployer } = await parties(kind);
    const ended = new AbortController();
    deployer.answerStarts(repo, async () => ({ type: "accepted", rollout: aRolloutId() }), ended.signal);
    ended.abort(new Error("the deployer has ended"));
    // After the time limit for an answer it would be an error.
    expect(await operator.askForRollout(repo, { by: "kai" }, signal)).toBeUndefined();
    expect(await ci.askForRollout(repo, { by: "ci" }, signal)).toBeUndefined();
  });

  test("the deployer answers an operator and a pipeline with what it decides", async ({ parties, as }) => {
    const signal = testSignal();
    const { operator, ci, deployer } = await parties(kind);
    const id = aRolloutId();
    deployer.answerStarts(
      repo,
      async ({ by, hosts }) =>
        hosts === undefined
          ? { type: "accepted", rollout: id }
          : { type: "refused", code: "UNKNOWN_HOST", detail: `${by} asked for ${hosts.join(", ")}` },
      signal,
    );
    await heard(await as("deployer"));
    await expect
      .poll(async () => operator.askForRollout(repo, { by: "kai" }, signal))
      .toEqual({ type: "accepted", rollout: id });
    const hosts = created(id).type === "created" ? ["nowhere" as never] : [];
    expect(await ci.askForRollout(repo, { by: "ci", hosts }, signal)).toEqual({
      type: "refused",
      code: "UNKNOWN_HOST",
      detail: "ci asked for nowhere",
    });
  });

  test("the deployer hears of rollouts that others changed", async ({ parties }) => {
    const signal = testSignal();
    const { operator, deployer } = await parties(kind);
    const news: RolloutNews[] = [];
    deployer.watchRollouts((each) => news.push(each), signal);
    const id = aRolloutId();
    let after = 0;
    // Live messages are hints: the first one may come before the subscription.
    await expect
      .poll(async () => {
        after =
          (await operator.appendRolloutEvent(after === 0 ? created(id) : paused(id, "kai"), after, signal)) ??
          after;
        return news;
      })
      .toContainEqual({ type: "rollout", rollout: id });
  });
});

test("what is no event of the rollout is left out, and counts for who appends", async ({ as }) => {
  const signal = testSignal();
  const connection = await as("operator");
  const bus = createRolloutBus(connection);
  const [id, other] = [aRolloutId(), aRolloutId(1)];
  await bus.appendRolloutEvent(created(id), 0, signal);
  for (const data of ["not JSON", JSON.stringify({ v: 99 }), JSON.stringify({ v: 1, ...created(other) })]) {
    connection.nats.publish(rolloutSubject(id), data);
  }
  await connection.nats.flush();
  const log = await bus.readRollout(id, signal);
  expect(types(log.events)).toEqual(["created"]);
  expect(await bus.appendRolloutEvent(paused(id, "kai"), log.sequence, signal)).toBe(log.sequence + 1);
  expect(types((await bus.readRollout(id, signal)).events)).toEqual(["created", "paused"]);
});

test("a request that cannot be read is refused without the deployer, and one without a subject for the answer is left out", async ({
  as,
}) => {
  const signal = testSignal();
  const asking = await as("operator");
  const deployer = createDeployerBus(await as("deployer", { role: "daemon" }), testSeal);
  let asked = 0;
  deployer.answerStarts(
    repo,
    async () => {
      asked++;
      throw new Error("it broke");
    },
    signal,
  );
  const ask = async (data: string, reply: string): Promise<unknown> => {
    const answer = await asking.nats.request(startSubject(repo), data, {
      timeout: 20_000,
      noMux: true,
      reply,
    });
    return answer.json();
  };
  const retryPolicy = { timeout: 30_000 };
  await expect
    .poll(async () => ask("nothing", "deploy-replies.operator.one").catch(() => undefined), retryPolicy)
    .toMatchObject({ type: "refused", code: "BAD_JSON" });
  expect(await ask('{"by":"kai","hosts":[]}', "deploy-replies.operator.two")).toMatchObject({
    type: "refused",
    code: "BAD_MESSAGE",
  });
  expect(asked).toBe(0);
  // It must not speak where whoever asks would like it to.
  asking.nats.publish(startSubject(repo), '{"by":"kai"}', { reply: "deploy-orders.servers.db1" });
  asking.nats.publish(startSubject(repo), '{"by":"kai"}');
  expect(await ask('{"by":"kai"}', "deploy-replies.operator.three")).toMatchObject({
    type: "refused",
    code: "INTERNAL",
    detail: "it broke",
  });
  expect(asked).toBe(1);
});

test("two deployers of one repo begin one rollout", async ({ as }) => {
  const signal = testSignal();
  const operator = createRolloutBus(await as("operator"));
  let begun = 0;
  for (let deployers = 0; deployers < 2; deployers++) {
    const connection = await as("deployer", { role: "daemon" });
    createDeployerBus(connection, testSeal).answerStarts(
      repo,
      async () => {
        begun++;
        return { type: "accepted", rollout: aRolloutId() };
      },
      signal,
    );
    await heard(connection);
  }
  expect(await operator.askForRollout(repo, { by: "kai" }, signal)).toMatchObject({ type: "accepted" });
  expect(begun).toBe(1);
});

test.for<[string, number, () => string, string]>([
  ["of five thousand hosts comes packed", 5000, () => "it was last seen at noon", "5000 hosts"],
  // Random text does not become smaller.
  [
    "that no answer can carry is refused, and says so",
    1000,
    () => randomBytes(1400).toString("base64"),
    "TOO_LARGE",
  ],
])("a plan %s", async ([, count, detail, expected], { as }) => {
  const signal = testSignal();
  const operator = createRolloutBus(await as("operator"));
  const connection = await as("deployer", { role: "daemon" });
  createDeployerBus(connection, testSeal).answerStarts(
    repo,
    async () => ({
      type: "plan",
      commit: "9c41e7f".padEnd(40, "0") as never,
      waves: [],
      hosts: Array.from({ length: count }, (_, index) => ({
        host: `host${index}` as never,
        wave: 0,
        isNeeded: false,
        failedUnits: [],
        detail: detail(),
      })),
      policy: {} as never,
    }),
    signal,
  );
  await heard(connection);
  const answer = await operator.askForRollout(repo, { by: "kai", planOnly: true }, signal);
  const said =
    answer?.type === "plan" ? `${answer.hosts.length} hosts` : answer?.type === "refused" && answer.code;
  expect(said).toBe(expected);
});

test("the deployer takes from a log what it said itself, and what people may ask", async ({ as }) => {
  const signal = testSignal();
  const deployer = createDeployerBus(await as("deployer", { role: "daemon" }), testSeal);
  const operator = createRolloutBus(await as("operator"));
  const id = aRolloutId(2);
  const orders = [{ host: "web01", order: aRolloutId(3), kind: "reboot", path: somePath("new") }];
  const ordered = aRolloutEvent(id, { type: "ordered", orders });
  const began = (await deployer.appendRolloutEvent(created(id), 0, signal)) ?? -1;
  const told = (await deployer.appendRolloutEvent(ordered, began, signal)) ?? -1;
  const asked = (await operator.appendRolloutEvent(paused(id, "kai"), told, signal)) ?? -1;
  const forged = (await operator.appendRolloutEvent(ordered, asked, signal)) ?? -1;
  const manual = aRolloutEvent(id, { type: "paused", by: "the policy", wave: 0 });
  const alsoForged = (await operator.appendRolloutEvent(manual, forged, signal)) ?? -1;
  // What the deployer once said, at another place: with its seal, as it stands in the log.
  const connection = await as("operator");
  const first = await createStreamReader(connection, streams.rollouts).next(rolloutSubject(id), told);
  if (first === undefined) throw new Error("it is gone");
  await publishOnce(connection, {
    subject: rolloutSubject(id),
    data: first.data,
    headers: first.headers,
    lastSubjectSequence: alsoForged,
  });
  expect(types((await operator.readRollout(id, signal)).events)).toHaveLength(6);
  expect(types((await deployer.readRollout(id, signal)).events)).toEqual(["created", "ordered", "paused"]);
  // A rollout that somebody else began is none, and it is said what it looks like.
  const other = aRolloutId(4);
  await operator.appendRolloutEvent(created(other), 0, signal);
  const read = await deployer.readRollout(other, signal);
  expect([types(read.events), types(read.foreign ?? [])]).toEqual([[], ["created"]]);
});

test("a key that may not ask is told so", async ({ as }) => {
  const dashboard = createRolloutBus(await as("dashboard"));
  await expect(dashboard.askForRollout(repo, { by: "kai" }, testSignal())).rejects.toMatchObject({
    kind: "refused",
    code: "NATS_PERMISSION",
  });
});

test("a follower is given what was appended while the server was restarted", async () => {
  const signal = testSignal();
  await using server = await startRolesServer();
  await using reading = await server.connect("dashboard", { role: "daemon" });
  await using writing = await server.connect("operator", { role: "daemon" });
  const operator = createRolloutBus(writing);
  const id = aRolloutId();
  const first = await operator.appendRolloutEvent(created(id), 0, signal);
  const seen = collect(createRolloutReader(reading), id, signal);
  await expect.poll(() => seen, { timeout: 30_000 }).toEqual([["created"]]);
  await server.kill();
  const appending = operator.appendRolloutEvent(paused(id, "kai"), first ?? -1, signal);
  await server.start();
  expect(await appending).toBeGreaterThan(0);
  await expect.poll(() => seen.at(-1), { timeout: 30_000 }).toEqual(["created", "paused"]);
});

test("a server without the stream has no rollouts, and one that cannot be asked is not such a server", async () => {
  await using server = await startNatsServer();
  await using connection = await connectTo(server);
  const reader = createRolloutReader(connection);
  expect(await reader.rolloutIds(testSignal())).toEqual([]);
  expect(await reader.readRollout(aRolloutId(), testSignal())).toEqual({ events: [], sequence: 0 });
  await server.configure(`listen: "127.0.0.1:${server.port}"\n`);
  await server.kill();
  await server.start();
  await using again = await connectTo(server);
  await expect(createRolloutReader(again).rolloutIds(testSignal())).rejects.toMatchObject({
    kind: "unavailable",
  });
});
