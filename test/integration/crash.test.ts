// Builders and nats-server are killed, or told to stop, while builds run. Afterwards the event logs must say what they
// would have said without.
import { join } from "node:path";
import { expect, vi } from "vitest";
import type { BuildReader } from "../../src/bus/bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents, isOver } from "../../src/protocol/build-state.ts";
import type { BuildEvent } from "../../src/protocol/events.ts";
import type { BuildId } from "../../src/protocol/names.ts";
import { parseBuilderName, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { readProcessTable } from "../../src/process/process-table.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { runCampaign } from "../campaign/campaign.ts";
import { test } from "../support/homelab.ts";
import { processesWith } from "../support/processes.ts";

const never = new AbortController().signal;
const seed = Number(process.env["FAULT_SEED"] ?? Date.now() % 1_000_000);
const repo = parseRepoName("fleet");

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

test(
  `a small campaign: two builders and nats-server are killed while builds and updates run (FAULT_SEED=${seed})`,
  { timeout: 600_000 },
  async () => {
    const options = { seed, kills: 8, builds: 24, updates: 2, settleMs: 180_000 };
    const { faults, builds } = await runCampaign({ ...options, say: () => undefined });
    expect(faults).toEqual([]);
    expect(builds.asked).toBe(24);
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

test.for([
  ["a killed builder", false],
  ["a killed builder, whose Nix was killed after it,", true],
] as const)(
  "what %s left running is ended by its next start alone",
  { timeout: 240_000 },
  async ([who, killsNix], { homelab }) => {
    await homelab.stopAll();
    await homelab.fleet.commit({ hosts: 1, salt: `${who}-${seed}`, buildFail: { host01: "children" } });
    const state = join(homelab.directory, "b1");
    const programs = async () => processesWith("HOMELAB_DEPLOY_OWNER", state);
    const builds = async () => processesWith("sleep\u00004711", state);
    const killed = await homelab.startBuilder();
    await using connection = await homelab.server.connect("operator");
    const reader = createReader(connection);
    const id = await ask(reader, "all");
    await vi.waitFor(async () => expect(await builds()).toHaveLength(1), { timeout: 30_000 });
    // A builder of another name, on the same machine and the same store.
    const other = await homelab.startBuilder("builder2");
    killed.signal("SIGKILL");
    await killed.ended;
    await vi.waitFor(async () => expect(await programs()).toHaveLength(1), { timeout: 30_000 });
    if (killsNix) for (const pid of await programs()) process.kill(pid, "SIGKILL");
    await vi.waitFor(async () => expect(await programs()).toHaveLength(killsNix ? 0 : 1), {
      timeout: 10_000,
    });
    const left = [...(await programs()), ...(await builds())];
    other.signal("SIGTERM");
    await other.ended;
    await homelab.startBuilder("builder2");
    expect([...(await programs()), ...(await builds())]).toEqual(left);

    const next = await homelab.startBuilder();
    const running = new Set(readProcessTable().map(({ pid }) => pid));
    expect(left.filter((pid) => running.has(pid))).toEqual([]);
    expect(await next.log()).toContain("ending programs that a killed run left behind");
    await reader.control(id, { action: "cancel" }, never);
    await vi.waitFor(async () => expect((await reader.lastEvent(id, never))?.type).toBe("finished"), {
      timeout: 120_000,
    });
    await vi.waitFor(async () => expect([...(await programs()), ...(await builds())]).toEqual([]), {
      timeout: 60_000,
    });
  },
);

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
