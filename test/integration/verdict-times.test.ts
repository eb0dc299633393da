// When verdicts come: each as soon as it is known, whatever else is being built. What must not end yet waits for a
// file, so that only the order counts and not how fast this machine is.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import type { BuildReader } from "../../src/bus/bus.ts";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { parseHostName, parseRepoName, type BuildId, type Commit } from "../../src/protocol/names.ts";
import type { BuildRequest } from "../../src/protocol/request.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { test } from "../support/homelab.ts";
import type { Homelab } from "../support/start-homelab.ts";

const never = new AbortController().signal;
const patience = { timeout: 90_000, interval: 100 };

interface Specification extends Pick<BuildRequest, "priority" | "rev"> {
  readonly host: string;
}

async function request(reader: BuildReader, { host, ...specification }: Specification): Promise<BuildId> {
  const id = newBuildId(new Date());
  const target = { repo: parseRepoName("fleet"), host: host === "all" ? host : parseHostName(host) } as const;
  await reader.submit(target, { id, ...specification }, never);
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
  // Evaluated together, so that they are built together.
  await homelab.startBuilder("builder1", { evaluation: { workers: 1, batchSize: names.length } });
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  const id = await request(reader, { host: "all", priority: "batch" });

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
  // With one evaluator hosts come in the order of their names: another one would begin at the end, with host05.
  await homelab.startBuilder("builder1", { build: { maxJobs: 1 }, evaluation: { workers: 1 } });
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  const batches = new Map<BuildId, Commit>();
  for (const salt of ["overtake-1", "overtake-2"]) {
    const commit = await homelab.fleet.commit({ ...toggles, salt });
    const id = await request(reader, { host: "all", priority: "batch", rev: commit });
    batches.set(id, commit);
    const evaluated = async (): Promise<number> =>
      Object.values(await hostsOf(reader, id)).filter((phase) => phase !== "waiting").length;
    await expect.poll(evaluated, patience).toBe(5);
  }
  const [first] = batches.keys();
  if (first === undefined) throw new Error("no batch build was asked for");
  await expect
    .poll(async () => new Set(Object.values(await hostsOf(reader, first))), patience)
    .toEqual(new Set(["building"]));

  // In a process with one job at a time, and behind it; toplevels are built in the order of their names.
  for (const [id, rev] of batches) {
    const urgent = await request(reader, { host: "host05", priority: "interactive", rev });
    await expect.poll(() => hostsOf(reader, urgent), patience).toEqual({ host05: "built" });
    // It is the same work, and the rest of the batch still waits.
    await expect.poll(() => hostsOf(reader, id), patience).toMatchObject({ host05: "built" });
    for (const host of others) expect(await hostsOf(reader, id)).not.toMatchObject({ [host]: "built" });
  }

  await writeFile(gate, "");
  for (const id of batches.keys()) {
    await expect
      .poll(async () => Object.values(await hostsOf(reader, id)), patience)
      .toEqual(Array.from({ length: 5 }, () => "built"));
  }
});
