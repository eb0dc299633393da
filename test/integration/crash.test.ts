// Builder and nats-server are killed at random while builds run. Afterwards the event logs must say what they would
// have said without: every build one verdict, every host one verdict, no gap, and nothing that was said is unsaid.
import fc from "fast-check";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import type { BuildReader } from "../../src/bus/bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents, isOver } from "../../src/protocol/build-state.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { parseBuilderName, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { test, type Homelab } from "../support/homelab.ts";

const never = new AbortController().signal;
const seed = Number(process.env["FAULT_SEED"] ?? Date.now() % 1_000_000);
const repo = parseRepoName("fleet");

/** The published events so far, to compare with later. */
async function snapshot(
  reader: BuildReader,
  ids: readonly BuildId[],
): Promise<Map<BuildId, readonly BuildEvent[]>> {
  return new Map(
    await Promise.all(ids.map(async (id) => [id, await reader.readEvents(id, 0, never)] as const)),
  );
}

async function ask(reader: BuildReader, host: string, id = newBuildId(new Date())): Promise<BuildId> {
  const target = { repo, host: host === "all" ? host : parseHostName(host) } as const;
  await reader.submit(target, { id, priority: host === "all" ? "batch" : "interactive" }, never);
  return id;
}

function checkFinal(id: BuildId, events: readonly BuildEvent[], before: readonly BuildEvent[]): void {
  expect(events.map((event) => event.index)).toEqual(events.map((_, index) => index));
  expect(events.slice(0, before.length)).toEqual(before);
  expect(events.filter((event) => event.type === "finished" || event.type === "rejected")).toHaveLength(1);
  const verdicts = events.flatMap((event) =>
    event.type === "hosts-finished" ? event.hosts.map(({ host }) => host) : [],
  );
  expect(new Set(verdicts).size, "a host with two verdicts").toBe(verdicts.length);
  const state = foldEvents(id, events);
  expect(isOver(state)).toBe(true);
  expect([...state.hosts.values()].every((host) => host.finished !== undefined)).toBe(true);
}

async function runWithFaults(homelab: Homelab, faults: number, random: () => number): Promise<void> {
  await homelab.fleet.commit({
    hosts: 6,
    salt: `crash-${seed}-${faults}`,
    perHostSeconds: 1,
    sharedSeconds: 1,
    buildFail: { host02: "exit1" },
    evalFail: { host03: "throw" },
  });
  await homelab.startBuilder();
  await using connection = await homelab.server.connect("operator", { role: "daemon" });
  const reader = createReader(connection);
  const ids: BuildId[] = [];
  let published = new Map<BuildId, readonly BuildEvent[]>();
  for (let fault = 0; fault < faults; fault++) {
    ids.push(await ask(reader, ["all", "host01", "host02", "all"][fault % 4] ?? "all"));
    await sleep(random() * 900);
    published = await snapshot(reader, ids);
    if (random() < 0.6) {
      await homelab.stopAll();
      await homelab.startBuilder();
    } else {
      await homelab.server.kill();
      await sleep(random() * 300);
      await homelab.server.start();
    }
  }
  await vi.waitFor(
    async () => {
      for (const [, events] of await snapshot(reader, ids)) expect(events.at(-1)?.type).toBe("finished");
    },
    // A request whose delivery died comes again after 60 s, and an open build that nobody holds is looked for every
    // 30 s; then it is built, with retries. All of that can follow each other.
    { timeout: 150_000, interval: 500 },
  );
  for (const [id, events] of await snapshot(reader, ids)) {
    checkFinal(id, events, published.get(id) ?? []);
    const state = foldEvents(id, events);
    const expected = { host01: "built", host02: "build-failed", host03: "eval-failed" } as const;
    for (const { host, finished } of state.hosts.values()) {
      const verdict = finished?.verdict === "unchanged" ? "built" : finished?.verdict;
      expect([host, verdict]).toEqual([host, expected[host as keyof typeof expected] ?? "built"]);
    }
  }
}

test(
  `kill -9 of builder and nats-server at random moments (FAULT_SEED=${seed})`,
  { timeout: 240_000 },
  async ({ homelab }) => {
    const numbers = fc.sample(fc.double({ min: 0, max: 1, noNaN: true }), { numRuns: 200, seed });
    let at = 0;
    await runWithFaults(homelab, 12, () => numbers[at++ % numbers.length] ?? 0.5);
  },
);

test("SIGTERM stops the builder in order, and the next one goes on", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 2, salt: `term-${seed}`, perHostSeconds: 4 });
  const builder = await homelab.startBuilder();
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  const id = await ask(reader, "all");
  await vi.waitFor(async () => expect((await reader.lastEvent(id, never))?.type).toBe("building"), {
    timeout: 20_000,
  });
  builder.signal("SIGTERM");
  expect(await builder.ended).toBe(0);
  const before = await reader.readEvents(id, 0, never);
  expect(before.at(-1)?.type).not.toBe("finished");
  await homelab.startBuilder();
  await vi.waitFor(async () => expect((await reader.lastEvent(id, never))?.type).toBe("finished"), {
    timeout: 40_000,
  });
  const events = await reader.readEvents(id, 0, never);
  checkFinal(id, events, before);
  expect(foldEvents(id, events).status).toBe("succeeded");
});

test("a second builder with the name of one that runs does not start", async ({ homelab }) => {
  const first = await homelab.startBuilder();
  await using connection = await homelab.server.connect("builder1");
  expect((await createReader(connection).askBuilder(parseBuilderName("b1"), never))?.name).toBe("b1");
  const second = await homelab.run(["builder", "--config", join(homelab.directory, "builder1.json")]);
  expect(second.exitCode).toBe(4);
  expect(second.stderr).toContain("a builder with the name b1 runs already");
  first.signal("SIGKILL");
  await first.ended;
  await homelab.startBuilder();
});
