// When verdicts come: each as soon as it is known, whatever else is being built. What must not end yet waits for a
// file, so that only the order counts and not how fast this machine is.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { BuildReader } from "../../src/bus/bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { parseHostName, parseRepoName, type BuildId } from "../../src/protocol/names.ts";
import type { Priority } from "../../src/protocol/request.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { test } from "../support/homelab.ts";
import type { Homelab } from "../support/start-homelab.ts";

const never = new AbortController().signal;
const patience = { timeout: 90_000, interval: 100 };

async function request(reader: BuildReader, host: string, priority: Priority): Promise<BuildId> {
  const id = newBuildId(new Date());
  const target = { repo: parseRepoName("fleet"), host: host === "all" ? host : parseHostName(host) } as const;
  await reader.submit(target, { id, priority }, never);
  return id;
}

/** Host: verdict of those that have one, otherwise how far they are. */
async function hostsOf(reader: BuildReader, id: BuildId): Promise<Record<string, string>> {
  const { hosts } = foldEvents(id, await reader.readEvents(id, 0, never));
  return Object.fromEntries(
    [...hosts.values()].map(({ host, phase, finished }) => [host, finished?.verdict ?? phase]),
  );
}

const gateOf = (homelab: Homelab, name: string): string => join(homelab.directory, `gate-${name}`);

test("hosts get their verdicts, good and bad, while another one of their process is being built", async ({
  homelab,
}) => {
  const names = Array.from({ length: 12 }, (_, index) => `host${String(index + 1).padStart(2, "0")}`);
  const gate = gateOf(homelab, "verdicts");
  await homelab.fleet.commit({
    hosts: names.length,
    salt: "verdicts",
    gate,
    buildFail: { host03: "exit1", host07: "gate" },
    privateFail: { host09: "exit2silent" },
  });
  await homelab.startBuilder();
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  const id = await request(reader, "all", "batch");

  const expected = {
    ...Object.fromEntries(names.map((name) => [name, "built"])),
    host03: "build-failed",
    host09: "build-failed",
  };
  await expect.poll(() => hostsOf(reader, id), patience).toEqual({ ...expected, host07: "building" });
  const { failures } = foldEvents(id, await reader.readEvents(id, 0, never));
  expect(failures.map(({ name, exitCode, log }) => [name, exitCode, log !== undefined])).toEqual(
    expect.arrayContaining([
      ["nixos-system-host03-24.11.synthetic", 1, true],
      ["host09-pkg-1", 2, true],
    ]),
  );

  await writeFile(gate, "");
  await expect.poll(() => hostsOf(reader, id), patience).toEqual(expected);
});

test("what somebody waits for is not behind the queue of two batch builds that want it too", async ({
  homelab,
}) => {
  const gate = gateOf(homelab, "overtake");
  const others = ["host01", "host02", "host03", "host04"];
  const toggles = { hosts: 5, gate, buildFail: Object.fromEntries(others.map((host) => [host, "gate"])) };
  await homelab.stopAll();
  await homelab.startBuilder("builder1", { build: { maxJobs: 1 } });
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  const batches: BuildId[] = [];
  for (const salt of ["overtake-1", "overtake-2"]) {
    await homelab.fleet.commit({ ...toggles, salt });
    const id = await request(reader, "all", "batch");
    batches.push(id);
    // With one job at a time, and toplevels by name, its process is at the first host.
    await expect
      .poll(() => hostsOf(reader, id), patience)
      .toEqual({ host05: "building", ...Object.fromEntries(others.map((host) => [host, "building"])) });
  }

  const urgent = await request(reader, "host05", "interactive");
  await expect.poll(() => hostsOf(reader, urgent), patience).toEqual({ host05: "built" });
  const [, second] = batches;
  if (second === undefined) throw new Error("the second batch build was not asked for");
  // It is the same work, and the rest of the batch still waits.
  expect(await hostsOf(reader, second)).toEqual({
    host05: "built",
    ...Object.fromEntries(others.map((host) => [host, "building"])),
  });

  await writeFile(gate, "");
  for (const id of batches) {
    await expect
      .poll(async () => Object.values(await hostsOf(reader, id)), patience)
      .toEqual(Array.from({ length: 5 }, () => "built"));
  }
});
