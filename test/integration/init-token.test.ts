// `init --token-file`: from a private repo behind https to a build of it, with the token where it belongs and nowhere else.
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { globSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { expect, test as base } from "vitest";
import { createFleet } from "../support/fleet.ts";
import { freePort } from "../support/free-port.ts";
import { startGitHttpsServer } from "../support/git-https-server.ts";
import { openInstallation, runInit } from "../support/installation.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";

const token = "gto_5b1c7e0a9d4f";

const test = base.extend("scratch", async ({}, { onCleanup }) => {
  const directory = await mkdtemp(join(tmpdir(), "homelab-init-"));
  onCleanup(() => rm(directory, { recursive: true, force: true }));
  return directory;
});

test("a private repo is built with the token of --token-file", async ({ scratch }) => {
  await using resources = new AsyncDisposableStack();
  const store = resources.use(await createThrowAwayStore());
  const fleet = await createFleet(scratch);
  await fleet.commit({ hosts: 2, salt: "token" });
  const server = resources.use(
    await startGitHttpsServer({
      root: dirname(fleet.bare),
      directory: scratch,
      username: "builder",
      token,
    }),
  );
  const environment = { ...store.wholeEnvironment, GIT_SSL_CAINFO: server.caFile };
  const url = `${server.url}/${basename(fleet.bare)}`;
  const directory = join(scratch, "homelab");
  const nats = ["--nats", `nats://127.0.0.1:${await freePort()}`];
  const init = async (tokenText: string) => {
    const file = join(scratch, "token");
    await writeFile(file, `${tokenText}\n`, { mode: 0o600 });
    const access = ["--token-file", file, "--token-user", "builder"];
    return runInit(environment, "--demo", ...nats, "--repo", `fleet=${url}`, ...access, directory);
  };

  const wrong = await init("another");
  expect(wrong.exitCode).toBe(3);
  expect(wrong.stderr).toContain("the default branch of");
  expect(wrong.stderr).not.toContain("another");
  const written = await init(token);
  expect(written.stderr).toBe("");
  expect(written.exitCode).toBe(0);

  const holders = globSync("*/git-token", { cwd: directory }).map((file) => dirname(file));
  expect(holders.toSorted()).toEqual([
    expect.stringMatching(/^builder-/) as string,
    expect.stringMatching(/^updater-/) as string,
  ]);
  const files = globSync("*/*", { cwd: directory }).filter((file) => basename(file) !== "git-token");
  for (const file of files) expect(await readFile(join(directory, file), "utf8"), file).not.toContain(token);
  for (const holder of holders) {
    expect((await stat(join(directory, holder, "git-token"))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(directory, holder, "config.json"), "utf8"))).toMatchObject({
      repos: {
        fleet: {
          url,
          branch: "main",
          credentials: { username: "builder", tokenFile: "$CREDENTIALS_DIRECTORY/git-token" },
        },
      },
    });
  }

  const installation = resources.use(await openInstallation(directory, environment));
  await installation.start(installation.command(/^nats-server -c /), /Server is ready/);
  expect((await installation.run(installation.command(/ nats setup$/))).exitCode).toBe(0);
  await installation.start(installation.command(/ builder$/), /the builder is ready/);
  const built = await installation.run(installation.command(/ build --all$/));
  expect(built.stdout, built.stderr).toContain("2 hosts succeeded");
}, 500_000);

test("a token that nothing can use, or that cannot be read, is refused before anything is written", async ({
  scratch,
}) => {
  const environment = { PATH: process.env["PATH"] ?? "", HOME: scratch };
  const missing = join(scratch, "missing");
  const directory = join(scratch, "homelab");
  const refusal = async (...args: readonly string[]) =>
    runInit(environment, "--yes", "--branch", "main", ...args, directory);
  const ssh = await refusal("--repo", "n=ssh://git@git.lan/n.git", "--token-file", missing);
  expect(ssh).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("for https repos") as string });
  const https = ["--repo", "n=https://git.lan/n.git"];
  const unread = await refusal(...https, "--token-file", missing);
  expect(unread).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("no such file") as string });
  const alone = await refusal(...https, "--token-user", "kai");
  expect(alone).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--token-file") as string });
  expect(globSync("*", { cwd: scratch })).toEqual([]);
});
