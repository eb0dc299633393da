import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { silentLog } from "../../base/log.ts";
import type { Delivery } from "../../bus/bus.ts";
import { createMemoryBus } from "../../bus/memory-bus.ts";
import type { EventBody } from "../../protocol/events.ts";
import { parseBuilderName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { createBacklogAccess } from "./backlog-access.ts";
import { runRequestIntake } from "./request-intake.ts";
import type { Resolution } from "./resolve-request.ts";

/** An intake that has taken one request, which is resolved when the test says so. */
async function takeOneRequest() {
  const clock = createFakeClock();
  const memoryBus = createMemoryBus(clock);
  const heard: string[] = [];
  const begun: EventBody[] = [];
  const resolution = Promise.withResolvers<Resolution>();
  const stopped = new AbortController();
  const running = runRequestIntake(
    {
      bus: {
        ...memoryBus,
        async nextRequest(signal): Promise<Delivery | undefined> {
          const delivery = await memoryBus.nextRequest(signal);
          return (
            delivery && {
              ...delivery,
              working: () => void heard.push("working"),
              ack: async () => void heard.push("ack"),
              handBack: () => void heard.push("hand back"),
            }
          );
        },
      },
      holdings: {
        holds: () => false,
        size: () => 0,
        starts: () => [],
        settled: async () => undefined,
        async begin(_id, body) {
          begun.push(body);
          return true;
        },
        resume: async () => undefined,
        end: async () => undefined,
        endUnread: async () => undefined,
      },
      resolver: {
        resolve: (_target, _request, _onNote, signal) =>
          Promise.race([
            resolution.promise,
            new Promise<never>((_resolve, reject) => {
              signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
            }),
          ]),
        sourcesOf: async () => new Map(),
      },
      builder: parseBuilderName("cache"),
      otherBuilders: { online: async () => undefined },
      clock,
      log: silentLog,
      backlog: createBacklogAccess({ openBacklog: async () => undefined }, { clock, log: silentLog }),
      openHosts: () => 0,
      requestExpiryMs: 3_600_000,
    },
    stopped.signal,
  ).catch(() => undefined);
  await memoryBus.submit({ repo: "any", host: "all" }, { id: newBuildId(clock.now()) }, stopped.signal);
  await clock.advance(0);
  return {
    clock,
    heard,
    begun,
    resolve: resolution.resolve,
    async stop() {
      stopped.abort(new Error("stopped by the test"));
      await running;
    },
  };
}

test("while a request is resolved, the server hears every 20 s that it is in work", async () => {
  const { clock, heard, begun, resolve, stop } = await takeOneRequest();
  await clock.advance(19_999);
  expect(heard).toEqual([]);
  await clock.advance(1);
  expect(heard).toEqual(["working"]);
  await clock.advance(40_000);
  expect(heard).toEqual(["working", "working", "working"]);

  resolve({ type: "reject", code: "UNKNOWN_HOST", message: "there is no such host" });
  await clock.advance(0);
  expect(begun).toMatchObject([{ type: "rejected", code: "UNKNOWN_HOST" }]);
  await clock.advance(120_000);
  expect(heard).toEqual(["working", "working", "working", "ack"]);
  await stop();
});

test("a request that is not resolved when the builder stops goes back to the queue", async () => {
  const { clock, heard, begun, stop } = await takeOneRequest();
  await stop();
  await clock.advance(120_000);
  expect(heard).toEqual(["hand back"]);
  expect(begun).toEqual([]);
});

test("what somebody waits for is taken past a backlog, of which a few are taken at a time", async () => {
  const clock = createFakeClock();
  const bus = createMemoryBus(clock);
  const resolving: string[] = [];
  const stopped = new AbortController();
  const never = new Promise<never>((_resolve, reject) => {
    stopped.signal.addEventListener("abort", () => reject(stopped.signal.reason as Error), { once: true });
  });
  never.catch(() => undefined);
  const backlog = createBacklogAccess(bus, { clock, log: silentLog });
  await backlog.look(stopped.signal);
  const ask = async (priority: "batch" | "interactive") =>
    bus.submit({ repo: "any", host: "all" }, { id: newBuildId(clock.now()), priority }, stopped.signal);
  for (let count = 0; count < 300; count++) await ask("batch");
  await ask("interactive");
  const running = runRequestIntake(
    {
      bus,
      backlog,
      holdings: {
        holds: () => false,
        size: () => 0,
        starts: () => [],
        settled: async () => undefined,
        begin: async () => true,
        resume: async () => undefined,
        end: async () => undefined,
        endUnread: async () => undefined,
      },
      resolver: {
        resolve(_target, request) {
          resolving.push(request.priority ?? "interactive");
          return never;
        },
        sourcesOf: async () => new Map(),
      },
      builder: parseBuilderName("cache"),
      otherBuilders: { online: async () => undefined },
      clock,
      log: silentLog,
      openHosts: () => 0,
      requestExpiryMs: 3_600_000,
    },
    stopped.signal,
  ).catch(() => undefined);
  await clock.advance(10);
  expect(resolving.toSorted()).toEqual(["batch", "batch", "batch", "batch", "interactive"]);
  expect(await bus.queueLength(stopped.signal)).toBe(296);
  stopped.abort(new Error("stopped by the test"));
  await running;
});
