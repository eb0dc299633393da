// `homelab-deploy init`, and what it wrote: the server, the streams, a builder and a build, each started by the line that
// its README.md has for it, with the keys and permissions that it made.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { freePort } from "../support/free-port.ts";
import { createFleet } from "../support/fleet.ts";
import { openInstallation, runInit } from "../support/installation.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { serveStore } from "../support/store-cache.ts";

const test = base.extend("scratch", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-init-"));
  onCleanup(() => rm(directory, { recursive: true, force: true }));
  return directory;
});

test("from init to a build of one's own flake, with keys, permissions and a cache, as README.md says", async ({
  scratch,
}) => {
  await using resources = new AsyncDisposableStack();
  const store = resources.use(
    await createThrowAwayStore({ "allowed-users": "root", "trusted-users": "root" }),
  );
  const cache = resources.use(await serveStore(store));
  await store.configure(`trusted-public-keys = ${cache.publicKey}\n`);
  const fleet = await createFleet(scratch);
  await fleet.commit({ hosts: 2, salt: "init" });
  const directory = join(scratch, "homelab");
  const nats = `nats://127.0.0.1:${await freePort()}`;
  const roles = "--host fleet/host0 --builder cache01 --operator kai".split(" ");
  const served = ["--cache", cache.url, "--cache-key", cache.publicKey];
  const repo = ["--repo", `fleet=${fleet.url}`];
  const written = await runInit(
    store.wholeEnvironment,
    "--demo",
    "--nats",
    nats,
    ...repo,
    ...served,
    ...roles,
    directory,
  );
  expect(written.stderr).toBe("");
  expect(written.exitCode).toBe(0);

  const installation = resources.use(await openInstallation(directory, store.wholeEnvironment));
  const line = (pattern: RegExp): string => installation.command(pattern);
  await installation.start(line(/^nats-server -c /), /Server is ready/);
  const streams = await installation.run(line(/ nats setup$/));
  expect(streams.stdout, streams.stderr).toContain("BUILD_EVENTS: created");
  await installation.start(line(/ builder$/), /the builder is ready/);

  const built = await installation.run(line(/ build --all$/));
  expect(built.stdout, built.stderr).toContain("2 hosts succeeded");
  expect(built.exitCode).toBe(0);

  const operator = await installation.run(line(/operator-kai\S* doctor$/));
  expect(operator.exitCode, operator.stdout).toBe(0);
  const builder = await installation.run(line(/builder-cache01\S* doctor$/));
  // The machine of the tests has no sandbox.
  expect(builder.stdout.match(/^✗ .*/gm)?.filter((each) => !each.includes("sandbox")) ?? []).toEqual([]);
  expect((await installation.run(line(/ci-pipeline\S* builds list$/))).stdout).toContain("succeeded");

  // Others may do less: the dashboard's key may read, and not ask for builds.
  const asDashboard = line(/ dashboard$/).replace(/ dashboard$/, " build --all --timeout 1m");
  const refused = await installation.run(asDashboard);
  expect(refused.exitCode, refused.stderr).toBe(4);

  const pages = `${line(/ dashboard$/)} --listen 127.0.0.1:${await freePort()}`;
  await installation.start(pages, /the dashboard listens/);
}, 500_000);

test("a demo without a repo has a flake of its own, which builds", async ({ scratch }) => {
  await using resources = new AsyncDisposableStack();
  const store = resources.use(await createThrowAwayStore());
  const directory = join(scratch, "homelab");
  const nats = `nats://127.0.0.1:${await freePort()}`;
  const written = await runInit(store.wholeEnvironment, "--demo", "--nats", nats, "--json", directory);
  expect(JSON.parse(written.stdout)).toMatchObject({ directory, form: "in-place", warnings: [] });

  // The store of the tests has no sandbox. In one, such as Debian's, there is no shell and no other program.
  const flake = await readFile(join(directory, "sample/flake.nix"), "utf8");
  expect(flake.match(/builder = ".*"/g)).toEqual(['builder = "builtin:buildenv"']);

  const installation = resources.use(await openInstallation(directory, store.wholeEnvironment));
  await installation.start(installation.command(/^nats-server -c /), /Server is ready/);
  expect((await installation.run(installation.command(/ nats setup$/))).exitCode).toBe(0);
  await installation.start(installation.command(/ builder$/), /the builder is ready/);
  const built = await installation.run(installation.command(/ build --all$/));
  expect(built.stdout, built.stderr).toContain("2 hosts succeeded");
}, 500_000);

test("what is there is never overwritten, and what fails half way leaves nothing", async ({ scratch }) => {
  const store = { PATH: process.env["PATH"] ?? "", HOME: scratch };
  const directory = join(scratch, "homelab");
  expect((await runInit(store, "--demo", directory)).exitCode).toBe(0);
  const key = join(directory, "admin/nats.nk");
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  const before = await readFile(key, "utf8");
  const again = await runInit(store, "--demo", directory);
  expect(again.exitCode).toBe(2);
  expect(again.stderr).toContain("is there already");
  expect(await readFile(key, "utf8")).toBe(before);

  // No git for the sample flake: found when the directory was begun.
  const without = await runInit(
    { PATH: join(scratch, "nothing"), HOME: scratch },
    "--demo",
    join(scratch, "half"),
  );
  expect(without.exitCode).toBe(3);
  const nobody = await runInit(store, "--yes", join(scratch, "half"));
  expect(nobody.stderr).toContain("--repo");
  const file = join(scratch, "file");
  await writeFile(file, "");
  expect((await runInit(store, "--demo", file)).exitCode).toBe(2);
  expect((await readdir(scratch)).toSorted()).toEqual(["file", "homelab"]);
});
