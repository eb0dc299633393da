import { JetStreamApiError } from "@nats-io/jetstream";
import { NoRespondersError, TimeoutError } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { silentLog } from "../base/log.ts";
import { call } from "./call.ts";
import type { Connection } from "./connect/connection.ts";
import { apiCodes } from "./connect/nats-errors.ts";

const never = new AbortController().signal;
const missing = () =>
  new JetStreamApiError({ code: 404, err_code: apiCodes.streamNotFound, description: "stream not found" });

/** A call that fails so often, on a connection that stays up; time passes until it has an outcome. */
async function callThatFails(
  role: Connection["role"],
  failure: Error,
  {
    times = Number.POSITIVE_INFINITY,
    maxAttempts,
    cluster,
    domain,
  }: { times?: number; maxAttempts?: number; cluster?: string; domain?: string } = {},
) {
  const clock = createFakeClock();
  const used: Partial<Connection> = {
    nats: (cluster === undefined ? {} : { info: { jetstream: true } }) as Connection["nats"],
    cluster,
    jetstreamDomain: domain,
    clock,
    log: silentLog,
    role,
    whenConnected: async () => undefined,
    whileConnected: async (work) => work,
    leaveServer: () => left.push(clock.monotonic() / 1000),
  };
  const left: number[] = [];
  let attempts = 0;
  const over = new AbortController();
  const outcome = call(
    used as Connection,
    "store it",
    never,
    async (number) => {
      attempts = number;
      if (number <= times) throw failure;
      return "stored";
    },
    maxAttempts,
  )
    .catch((error: unknown) => error)
    .finally(() => over.abort());
  while (!over.signal.aborted && clock.monotonic() < 120_000) await clock.advance(1000);
  return { outcome: await outcome, attempts, seconds: clock.monotonic() / 1000, left };
}

test("a daemon outlasts a server that is away for a minute", async () => {
  const { outcome, seconds } = await callThatFails("daemon", new TimeoutError(), { times: 20 });
  expect(outcome).toBe("stored");
  expect(seconds).toBeGreaterThan(60);
});

test("a command gives up after some seconds", async () => {
  const { outcome, seconds } = await callThatFails("command", new TimeoutError());
  expect(outcome).toMatchObject({ kind: "unavailable", code: "NATS_TIMEOUT" });
  expect(seconds).toBeGreaterThanOrEqual(15);
  expect(seconds).toBeLessThan(30);
});

test("a daemon waits for a stream that is not there yet, and a command says that it is missing", async () => {
  expect(await callThatFails("daemon", missing(), { times: 3 })).toMatchObject({ outcome: "stored" });
  expect(await callThatFails("command", missing())).toMatchObject({
    attempts: 1,
    outcome: { code: "JETSTREAM_MISSING" },
  });
});

test("a command waits while a cluster elects a leader, and at a server that is alone it does not", async () => {
  const leaderless = new NoRespondersError("build.any.all");
  const cluster = "homelab";
  expect(await callThatFails("command", leaderless, { times: 5, cluster })).toMatchObject({
    outcome: "stored",
  });
  const { outcome, seconds } = await callThatFails("command", leaderless, { cluster });
  expect(outcome).toMatchObject({ kind: "unavailable", code: "NATS_NO_LEADER" });
  expect(seconds).toBeGreaterThanOrEqual(30);
  expect(seconds).toBeLessThan(33);
  expect(await callThatFails("command", leaderless)).toMatchObject({ attempts: 1 });
  const behindLeafNode = await callThatFails("command", leaderless, { times: 5, domain: "hub" });
  expect(behindLeafNode.outcome).toBe("stored");
  expect(await callThatFails("command", missing(), { cluster })).toMatchObject({ attempts: 1 });
});

test("a server that finds no leader for longer than an election takes is left for another one of its cluster", async () => {
  const leaderless = new NoRespondersError("build.any.all");
  const cluster = "homelab";
  for (const failure of [leaderless, new TimeoutError()]) {
    const { left } = await callThatFails("command", failure, { cluster });
    expect(left[0]).toBeGreaterThanOrEqual(10);
    expect(left[0]).toBeLessThan(15);
  }
  expect((await callThatFails("command", leaderless, { cluster, times: 5 })).left).toEqual([]);
  expect((await callThatFails("daemon", new TimeoutError(), { times: 20 })).left).toEqual([]);
  expect((await callThatFails("command", leaderless, { domain: "hub" })).left).toEqual([]);
});

test("what will not pass is not tried again, and what may is tried no more often than it is allowed", async () => {
  const bug = new TypeError("cannot read properties of undefined");
  expect(await callThatFails("daemon", bug)).toMatchObject({ attempts: 1, outcome: { kind: "bug" } });
  const limited = await callThatFails("daemon", new TimeoutError(), { maxAttempts: 4 });
  expect(limited).toMatchObject({ attempts: 4, outcome: { code: "NATS_TIMEOUT" } });
});
