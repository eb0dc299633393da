// What the builder keeps, and the commands beside it: real builds, real roots, the real garbage collector.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createDeployBus } from "../../src/bus/deploy/create-deploy-bus.ts";
import { createGcRoots } from "../../src/nix/roots/create-gc-roots.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../src/protocol/names.ts";
import { someOrder, someSigner } from "../support/deploy-orders.ts";
import { signOrder } from "../../src/signing/sign-envelope.ts";
import { test as base } from "../support/homelab.ts";

const signal = new AbortController().signal;
const repo = parseRepoName("fleet");

const test = base.extend("builder", { scope: "file" }, async ({ homelab }) => {
  await homelab.startBuilder("builder1", { keepCommits: 2 });
  const directory = join(homelab.directory, "b1/gcroots");
  const cache = async (...args: string[]) =>
    homelab.run(["--config", join(homelab.directory, "builder1.json"), "cache", ...args]);
  return {
    cache,
    roots: createGcRoots({
      directory,
      nixStateDirectory: homelab.store.stateDirectory,
      exec: createExec(),
      environment: { PATH: homelab.store.environment["PATH"] ?? "" },
      clock: systemClock,
    }),
    commits: async (): Promise<readonly string[]> => readdir(join(directory, repo)).catch(() => []),
    async build(salt: string): Promise<string> {
      const commit = await homelab.fleet.commit({ hosts: 2, shared: 1, salt });
      expect(await homelab.run(["build", "--all", "--quiet"])).toMatchObject({ exitCode: 0 });
      return commit;
    },
    async plan() {
      const { stdout } = await cache("retain", "--plan", "--json");
      return JSON.parse(stdout) as { beforeBytes: number; afterBytes: number };
    },
  };
});

test("the newest commits stay with what is pinned, and what nobody needs is collected", async ({
  homelab,
  builder,
}) => {
  const first = await builder.build("one");
  expect(await builder.cache("pin", first.slice(0, 8), "--reason", "runs on the router")).toMatchObject({
    exitCode: 0,
  });
  const second = await builder.build("two");
  const third = await builder.build("three");
  const fourth = await builder.build("four");
  await expect.poll(async () => new Set(await builder.commits())).toEqual(new Set([first, third, fourth]));
  const listed = await builder.cache("retain", "--plan");
  expect(listed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(listed.stdout).toMatch(new RegExp(`${first.slice(0, 7)} .*2 hosts .*pinned: runs on the router`));
  expect(listed.stdout).toContain("nothing was changed");
  const refused = await builder.cache("pin", second.slice(0, 8), "--reason", "too late");
  expect(refused).toMatchObject({ exitCode: 2 });
  expect(refused.stderr).toContain("is rooted here");

  await homelab.store.run("nix-store", "--gc");
  const outputs = (await builder.roots.list()).flatMap(({ hosts }) => [...hosts.values()]);
  expect(outputs).toHaveLength(6);
  await homelab.store.run("nix-store", "--check-validity", ...outputs);
});

test("a build of another process keeps what it uses; when it is over it goes", async ({ builder }) => {
  const [old] = (await builder.roots.list())
    .filter(({ pin }) => pin === undefined)
    .toSorted((one, other) => one.usedAt.getTime() - other.usedAt.getTime());
  const commit = parseCommit(old?.commit ?? "");
  const before = await builder.commits();
  {
    await using _ = await builder.roots.use([{ repo, commit, isHead: true }], signal);
    // It was asked for just now: so the other one is the older now.
    const dropped = await builder.cache("retain", "--keep", "1");
    expect(dropped).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await builder.commits()).toContain(commit);
    expect((await builder.commits()).length).toBe(before.length - 1);
  }
  const next = await builder.build("five");
  {
    await using _ = await builder.roots.use([{ repo, commit: parseCommit(next), isHead: true }], signal);
    // Newer than it: without its use, the other one would be the one to go.
    await using __ = await builder.roots.use([{ repo, commit, isHead: true }], signal);
    const kept = await builder.cache("retain", "--keep", "1");
    expect(kept.stdout).toContain(`fleet@${next.slice(0, 7)}: kept for now`);
    expect(await builder.commits()).toContain(next);
  }
});

test("says how big everything is, as Nix says it, and whether the disk is enough", async ({
  homelab,
  builder,
}) => {
  await builder.build("six");
  await builder.build("seven");
  const { exitCode, stdout } = await builder.cache("report", "--json");
  expect(exitCode).toBe(0);
  const systems = (await builder.roots.list()).flatMap(({ hosts }) => [...hosts.values()]);
  const paths = (await homelab.store.run("nix-store", "--query", "--requisites", ...systems))
    .trim()
    .split("\n");
  const sizes = (await homelab.store.run("nix-store", "--query", "--size", ...new Set(paths)))
    .trim()
    .split("\n");
  const union = sizes.map(Number).reduce((sum, size) => sum + size, 0);
  expect(JSON.parse(stdout)).toMatchObject({ verdict: "enough", unionBytes: union, keepCommits: 2 });
  expect((await builder.plan()).beforeBytes).toBe(union);
  const people = await builder.cache("report");
  expect(people.stdout).toMatch(/fleet\/host01 +\S+ \S+ +\S+ \S+\n/);
  expect(people.stdout).toContain("the disk is enough: 2 commits of every host come to");
});

test("what a host is ordered to run stays, and while nobody can say what hosts run, so does every tip", async ({
  homelab,
  builder,
}) => {
  const oldest = (await builder.roots.list())
    .filter(({ pin }) => pin === undefined)
    .toSorted((one, other) => one.usedAt.getTime() - other.usedAt.getTime())[0];
  const host = parseHostName("host01");
  const path = oldest?.hosts.get(host) ?? null;
  expect(path).not.toBeNull();
  await using operator = await homelab.server.connect("operator");
  const order = signOrder(someOrder({ kind: "reboot", repo, host, path }), someSigner("kai"));
  expect(await createDeployBus(operator).putOrder({ repo, host }, order, 0, signal)).toBe(true);
  await builder.build("eight");
  await builder.build("nine");
  await builder.build("ten");
  const kept = async () =>
    (await builder.roots.list())
      .find(({ commit }) => commit === oldest?.commit)
      ?.hosts.keys()
      .toArray();
  await expect.poll(kept).toEqual(["host01"]);
  const listed = await builder.cache("retain", "--plan");
  expect(listed.stdout).toMatch(new RegExp(`${oldest?.commit.slice(0, 7)} .*1 host .*deployed`));

  const away = ["--server", "nats://127.0.0.1:9", "--keep", "1"];
  const unknown = await builder.cache("retain", "--plan", ...away);
  expect(unknown).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining("what hosts run is unknown"),
  });
  expect(unknown.stdout).toContain("hosts may run it");
});
