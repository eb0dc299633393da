import { jetstreamManager } from "@nats-io/jetstream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { createBuilderBus } from "../../src/bus/create-builder-bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { setUpStreams } from "../../src/bus/server/setup.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { hostResultsOf, summaryOf } from "../../src/protocol/results.ts";
import type { aBuildId } from "../support/builds.ts";
import { scriptBuild } from "../support/build-events.ts";
import { test } from "../support/homelab.ts";
import { test as withRoles } from "../support/nats-roles.ts";

const signal = AbortSignal.timeout(300_000);

test("lists say the same by rows and by logs, after a crash, and while the bucket is gone", async ({
  homelab,
}) => {
  await homelab.fleet.commit({ hosts: 2, salt: "rows" });
  let builder = await homelab.startBuilder();
  await using admin = await homelab.server.connect("admin");
  const manager = await jetstreamManager(admin.nats, { checkAPI: false });
  const reader = createReader(admin);
  const build = async (): Promise<void> => {
    expect((await homelab.run(["build", "--all", "--priority", "batch"])).exitCode).toBe(0);
  };
  const lists = async (): Promise<readonly string[]> => {
    const [builds, hosts] = [
      await homelab.run(["builds", "list", "--absolute"]),
      await homelab.run(["hosts", "--absolute"]),
    ];
    expect([builds.exitCode, hosts.exitCode]).toEqual([0, 0]);
    return [builds.stdout, hosts.stdout];
  };
  const allHaveRows = async (): Promise<boolean> => {
    const [rows, ids] = [await reader.results.builds(signal), await reader.listBuilds(signal)];
    return ids.length > 0 && ids.every((id) => rows.has(id));
  };

  await build();
  const byLog = await lists();
  await expect.poll(allHaveRows, { timeout: 30_000 }).toBe(true);
  expect(await lists()).toEqual(byLog);
  for (const id of await reader.listBuilds(signal)) {
    const state = foldEvents(id, await reader.readEvents(id, 0, signal));
    expect(await reader.results.build(id, signal)).toEqual(
      JSON.parse(JSON.stringify(summaryOf(state))) as unknown,
    );
  }

  // Killed between the last event and the row.
  await build();
  const killed = builder.ended;
  builder.signal("SIGKILL");
  await killed;
  expect(await allHaveRows()).toBe(false);
  const without = await lists();
  builder = await homelab.startBuilder();
  await expect.poll(allHaveRows, { timeout: 30_000 }).toBe(true);
  expect(await lists()).toEqual(without);

  // Somebody deletes the bucket while builds run.
  const building = build();
  await manager.streams.delete("KV_results");
  await building;
  await build();
  const again = await lists();
  expect(again[0]?.trim().split("\n")).toHaveLength(5);
  await sleep(2500);
  await expect.poll(builder.log, { timeout: 30_000 }).toContain("rows of builds cannot be stored");
  await setUpStreams(admin);
  const stopped = builder.ended;
  builder.signal("SIGTERM");
  await stopped;
  await homelab.startBuilder();
  await expect.poll(allHaveRows, { timeout: 30_000 }).toBe(true);
  expect(await lists()).toEqual(again);
});

withRoles("the newer of what two builders say of a host stays, whoever is late", async ({ as }) => {
  const [one, two] = [createBuilderBus(await as("builder1")), createBuilderBus(await as("builder2"))];
  const rows = ["01JDB3K2M4N5P6Q7R8S9T0V1W2", "01JDB3K2M4N5P6Q7R8S9T0V1W3", "01JDB3K2M4N5P6Q7R8S9T0V1W4"].map(
    (id) => {
      const { state } = scriptBuild(id as ReturnType<typeof aBuildId>)
        .accepted(["web.lan"])
        .hostsFinished("built", ["web.lan"]);
      const [row] = hostResultsOf(state);
      if (row === undefined) throw new Error("a finished host has a row");
      return row;
    },
  );
  const [oldest, middle, newest] = rows;
  if (oldest === undefined || middle === undefined || newest === undefined) throw new Error("three rows");
  await one.results.putHost(oldest, signal);
  await two.results.putHost(newest, signal);
  await one.results.putHost(middle, signal);
  await two.results.putHost(oldest, signal);
  const dashboard = createReader(await as("dashboard"));
  expect((await dashboard.results.hosts(signal)).map(({ build }) => build)).toEqual([newest.build]);
});
