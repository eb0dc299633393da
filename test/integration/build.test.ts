import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { createReader } from "../../src/bus/create-reader.ts";
import { foldEvents } from "../../src/protocol/build-state.ts";
import { decodeEvent, type BuildEvent } from "../../src/protocol/events.ts";
import { parseBuildId } from "../../src/protocol/names.ts";
import { aBuildId } from "../support/builds.ts";
import { test } from "../support/homelab.ts";
import { processesWith } from "../support/processes.ts";

const never = new AbortController().signal;

function eventsIn(stdout: string): BuildEvent[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => decodeEvent(new TextEncoder().encode(line)));
}

test("build --all: built, then unchanged without an evaluation", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 3, salt: "green" });
  await homelab.startBuilder();
  const first = await homelab.run(["build", "--all"]);
  expect(first.exitCode).toBe(0);
  expect(first.stdout).toContain("3 hosts succeeded");

  const second = await homelab.run(["build", "--all", "--json"]);
  expect(second.exitCode).toBe(0);
  const events = eventsIn(second.stdout);
  expect(events.map((event) => event.type)).toEqual(["accepted", "evaluated", "hosts-finished", "finished"]);
  const state = foldEvents(events[0]?.build ?? parseBuildId(""), events);
  expect(
    [...state.hosts.values()].map((host) => [host.finished?.verdict, host.evaluated?.remembered]),
  ).toEqual(Array.from({ length: 3 }, () => ["unchanged", true]));
  // Each host's output is held by a root, and the root is registered with Nix.
  const commit = state.sources[0]?.commit ?? "";
  expect(await readdir(join(homelab.directory, "b1/gcroots/fleet", commit, "out"))).toEqual([
    "host01",
    "host02",
    "host03",
  ]);
  expect(await homelab.store.run("nix-store", "--gc", "--print-roots")).toContain(
    `gcroots/fleet/${commit}/out/host01`,
  );
});

test("a host whose output was deleted by hand is no success, and is built again once Nix knows", async ({
  homelab,
}) => {
  await homelab.fleet.commit({ hosts: 2, salt: "deleted" });
  await homelab.startBuilder();
  const first = await homelab.run(["build", "--all", "--json"]);
  expect(first.exitCode).toBe(0);
  const id = eventsIn(first.stdout)[0]?.build ?? parseBuildId("");
  const [host] = foldEvents(id, eventsIn(first.stdout)).hosts.values();
  const output = host?.evaluated?.outPath ?? "";
  await chmod(output, 0o700);
  await rm(output, { recursive: true });

  const second = await homelab.run(["build", "--all"]);
  expect(second.exitCode).toBe(3);
  expect(second.stdout).toContain(`${output} valid, but it is gone from the disk`);
  await homelab.store.run("nix-store", "--verify");
  const third = await homelab.run(["build", "--all"]);
  expect(third.exitCode).toBe(0);
  expect(third.stdout).toContain("1 built");
});

test("a host that fails: exit code 1, its failure with the log, and the log again later", async ({
  homelab,
}) => {
  await homelab.fleet.commit({
    hosts: 3,
    salt: "red",
    buildFail: { host02: "exit1" },
    evalFail: { host03: "throw" },
  });
  await homelab.startBuilder();
  const { exitCode, stdout } = await homelab.run(["build", "--all"]);
  expect(exitCode).toBe(1);
  expect(stdout).toContain("E: compile error in foo.c:12");
  expect(stdout).toContain("host host03: this option does not exist");
  expect(stdout).toContain("2 of 3 hosts failed");
  const logs = await homelab.run(["logs", "last", "host02"]);
  expect(logs.stdout).toContain("E: compile error in foo.c:12\n");
  const shown = await homelab.run(["builds", "show", "last", "--json"]);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    status: "failed",
    failures: [{ exitCode: 1, kind: "failed" }],
  });
  const hosts = await homelab.run(["hosts"]);
  expect(hosts.stdout).toMatch(/host02\s+✗ build failed/);
});

test("globs choose hosts, exclusions leave some out, and --failed builds again what failed", async ({
  homelab,
}) => {
  await homelab.fleet.commit({ hosts: 4, salt: "globs", buildFail: { host02: "exit1" } });
  await homelab.startBuilder();
  const hostsOf = (stdout: string): readonly string[] => {
    const events = eventsIn(stdout);
    const state = foldEvents(events[0]?.build ?? parseBuildId(""), events);
    return [...state.hosts.values()].map(({ host }) => host);
  };
  const some = await homelab.run(["build", "host0[123]", "--exclude", "host03", "--json"]);
  expect(some.exitCode).toBe(1);
  expect(hostsOf(some.stdout)).toEqual(["host01", "host02"]);
  const wrong = await homelab.run(["build", "--all", "--exclude", "mail*"]);
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stdout + wrong.stderr).toContain("no host matches mail*");

  await homelab.fleet.commit({ hosts: 4, salt: "mended" });
  const again = await homelab.run(["build", "--failed", "--json"]);
  expect(again.exitCode).toBe(0);
  expect(hostsOf(again.stdout)).toEqual(["host02"]);
  const nothing = await homelab.run(["build", "--failed"]);
  expect(nothing).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("Nothing failed") as string });
});

test("one shared failure breaks all hosts and is said once", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 6, salt: "shared", sharedFail: { "1": "exit1" } });
  await homelab.startBuilder();
  const { exitCode, stdout } = await homelab.run(["build", "--all", "--json"]);
  expect(exitCode).toBe(1);
  const events = eventsIn(stdout);
  const state = foldEvents(events[0]?.build ?? parseBuildId(""), events);
  expect(state.failures.map(({ name, hosts }) => [name, hosts.length])).toEqual([["shared-1", 6]]);
});

test("what cannot be asked for is answered with exit code 2 and what to do", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 2, salt: "usage" });
  await homelab.startBuilder();
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["build", "hsot01"], "did you mean host01?"],
    [["build", "--all", "--repo", "flet"], "did you mean fleet?"],
    [["build", "--all", "--branch", "nosuchbranch"], "nosuchbranch"],
    [["build", "--all", "--rev", "0".repeat(40)], "0000000"],
    [["build", "we b"], "not a valid host name"],
    [["build", "--all", "host01"], "exclude each other"],
    [["build"], "name hosts, or use --all"],
    [["build", "--al"], "--all"],
    [["buid"], "build"],
    [["builds", "show", "01JD0000000000000000000000"], "no build"],
    [["logs", "zzz"], "no build"],
  ];
  for (const [args, hint] of cases) {
    const { exitCode, stderr, stdout } = await homelab.run(args);
    expect(stdout + stderr, args.join(" ")).toContain(hint);
    expect(exitCode, args.join(" ")).toBe(2);
  }
});

test("a plain NATS client can ask, and follow without rights on streams", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 1, extraHosts: ["web.example.com"], salt: "plain" });
  await homelab.startBuilder();
  await using connection = await homelab.server.connect("ci");
  const events: BuildEvent[] = [];
  connection.nats.subscribe("build-replies.ci.test", {
    callback: (error, message) => {
      if (error === null) events.push(decodeEvent(message.data));
    },
  });
  await connection.nats.flush();
  connection.nats.publish("build.fleet.web%2Eexample%2Ecom", '{"replyTo":"build-replies.ci.test"}');
  await vi.waitFor(() => expect(events.at(-1)?.type).toBe("finished"), { timeout: 30_000 });
  expect(events.map((event) => event.index)).toEqual(events.map((_, index) => index));
  expect(events.at(-1)).toMatchObject({ type: "finished", verdict: "succeeded" });

  events.length = 0;
  connection.nats.publish("build.fleet.nosuchhost", '{"replyTo":"build-replies.ci.test"}');
  connection.nats.publish("build.fleet.web.example.com", '{"replyTo":"build-replies.ci.test"}');
  connection.nats.publish("build.fleet.host01", '{"replyTo":"build-replies.ci.test","v":7}');
  await vi.waitFor(() => expect(events).toHaveLength(3), { timeout: 30_000 });
  const codes = events.map((event) => (event.type === "rejected" ? event.code : event.type));
  expect(new Set(codes)).toEqual(new Set(["UNKNOWN_HOST", "BAD_SUBJECT", "BAD_VERSION"]));
});

test("an empty body and {} are requests, and the same id again is the same build", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 1, salt: "empty" });
  await homelab.startBuilder();
  await using connection = await homelab.server.connect("operator");
  const reader = createReader(connection);
  const before = new Set(await reader.listBuilds(never));
  const named = JSON.stringify({ id: aBuildId() });
  for (const body of ["", "{}", named, named]) {
    connection.nats.publish("build.fleet.host01", body);
  }
  await vi.waitFor(
    async () => {
      const fresh = (await reader.listBuilds(never)).filter((id) => !before.has(id));
      expect(fresh).toHaveLength(3);
      for (const id of fresh) expect((await reader.lastEvent(id, never))?.type).toBe("finished");
      // A build of a host that is built already may be over before its request is acknowledged.
      expect(await reader.queueLength(never)).toBe(0);
    },
    { timeout: 60_000, interval: 100 },
  );
});

test("without a builder the request waits, says so, and --timeout is exit code 3; a builder takes it later", async ({
  homelab,
}) => {
  await homelab.stopAll();
  await homelab.fleet.commit({ hosts: 1, salt: "waits" });
  const { exitCode, stderr } = await homelab.run(["build", "host01", "--timeout", "4s"]);
  expect(exitCode).toBe(3);
  expect(stderr).toMatch(/queued|not taken it yet/);
  const listed = await homelab.run(["builds", "list"]);
  expect(listed.stderr).toContain("waits for a builder");
  await homelab.startBuilder();
  await vi.waitFor(
    async () => expect((await homelab.run(["builds", "list"])).stderr).not.toContain("waits"),
    { timeout: 30_000 },
  );
});

test("Ctrl-C once detaches, and nothing of a cancelled build is left", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 1, salt: "detach", buildFail: { host01: "ignoreterm" } });
  await homelab.startBuilder();
  const building = async (): Promise<number[]> =>
    processesWith(homelab.store.storeDirectory, "echo ignoring");
  const untilBuilding = vi.waitFor(async () => expect(await building()).not.toEqual([]), { timeout: 30_000 });
  const detached = await homelab.run(["build", "host01"], {
    onStarted: (child) => void untilBuilding.then(() => child.kill("SIGINT")),
  });
  expect(detached.exitCode).toBe(130);
  expect(detached.stderr).toContain("Detached");
  expect(await building()).not.toEqual([]);
  const cancelled = await homelab.run(["builds", "cancel", "last"]);
  expect(cancelled.stdout).toContain("is cancelled");
  await vi.waitFor(async () => expect(await building()).toEqual([]), { timeout: 30_000 });
  expect((await homelab.run(["builds", "show", "last", "--json"])).stdout).toContain('"status": "cancelled"');
});

test("a second Ctrl-C cancels the build", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 1, salt: "cancel", buildFail: { host01: "children" } });
  await homelab.startBuilder();
  const building = async (): Promise<number[]> =>
    processesWith(homelab.store.storeDirectory, "sleep", "4711");
  const untilBuilding = vi.waitFor(async () => expect(await building()).not.toEqual([]), { timeout: 30_000 });
  const { exitCode, stdout, stderr } = await homelab.run(["build", "host01"], {
    onStarted(child) {
      void untilBuilding.then(() => child.kill("SIGINT"));
      child.stderr?.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("Detached")) child.kill("SIGINT");
      });
    },
  });
  expect(exitCode).toBe(130);
  expect(stdout + stderr).toContain("cancelled");
  await vi.waitFor(async () => expect(await building()).toEqual([]), { timeout: 30_000 });
});
