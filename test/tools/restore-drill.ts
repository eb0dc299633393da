// The restore drill of docs/guides/backup.md: an installation that `init` wrote is backed up, lost with its machine, and restored,
// with a real nats-server, builder and Nix. Prints each step with its time; ends with 0 when all went as it should.
//   node test/tools/restore-drill.ts
import { execFileSync } from "node:child_process";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createFleet } from "../support/fleet.ts";
import { freePort } from "../support/free-port.ts";
import { type Installation, openInstallation, runInit } from "../support/installation.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { createScratch } from "../support/scratch.ts";
import type { CommandResult } from "../support/start-homelab.ts";

await using scratch = await createScratch("homelab-restore-drill-");
const directory = join(scratch.directory, "homelab");
const archive = join(scratch.directory, "backup.tar");
await using store = await createThrowAwayStore();
const fleet = await createFleet(scratch.directory);
const began = performance.now();

/** One line for each step, with how long it took. */
async function step<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const start = performance.now();
  const result = await work();
  console.log(`${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${what}`);
  return result;
}

function demand(isSo: boolean, what: string, { stdout, stderr }: Partial<CommandResult> = {}): void {
  if (!isSo) throw new Error(`${what}\n${stdout ?? ""}${stderr ?? ""}`);
}

interface Running {
  readonly installation: Installation;
  stop(): Promise<void>;
  crash(): Promise<void>;
}

/** The server and the builder, by the lines of README.md. */
async function startAll(): Promise<Running> {
  const installation = await openInstallation(directory, store.wholeEnvironment);
  const server = await installation.start(installation.command(/^nats-server -c /), /Server is ready/);
  const set = await installation.run(installation.command(/ nats setup$/));
  demand(set.exitCode === 0, "the streams are not as they should be", set);
  const builder = await installation.start(installation.command(/ builder$/), /the builder is ready/);
  return {
    installation,
    async stop() {
      await builder.stop();
      await server.stop();
    },
    async crash() {
      await builder.kill();
      await server.kill();
    },
  };
}

const buildIds = async (installation: Installation): Promise<readonly string[]> => {
  const listed = await installation.run(`${operator(installation)} builds list --json`);
  demand(listed.exitCode === 0, "builds cannot be listed", listed);
  return [...listed.stdout.matchAll(/"(?:id|build)": ?"(?<id>[0-9A-Z]{26})"/g)].map(
    ({ groups }) => groups?.["id"] ?? "",
  );
};
const operator = (installation: Installation): string =>
  installation.command(/ build --all$/).replace(/ build --all$/, "");

async function build(installation: Installation, expected: string): Promise<void> {
  const built = await installation.run(installation.command(/ build --all$/));
  demand(built.exitCode === 0 && built.stdout.includes(expected), `not ${expected}`, built);
}

const commit = async (salt: string): Promise<unknown> => fleet.commit({ hosts: 3, salt });

console.log("# Before");
await commit("first");
const nats = `nats://127.0.0.1:${await freePort()}`;
const made = await runInit(
  store.wholeEnvironment,
  "--demo",
  "--repo",
  `fleet=${fleet.url}`,
  "--nats",
  nats,
  directory,
);
demand(made.exitCode === 0, "init failed", made);
const before = await step("start nats-server and the builder, create the streams", startAll);
await step("build 3 hosts", () => build(before.installation, "3 hosts succeeded"));
// The builder has seen the commit too, and builds it by itself.
const kept = await buildIds(before.installation);
demand(kept.length > 0, "no build is listed");

console.log("# Backup");
await step("stop the builder, then nats-server", () => before.stop());
await step("tar: keys, configurations, streams, state of the builder", async () => {
  execFileSync("tar", ["--create", "--file", archive, "--directory", directory, "."]);
});
console.log(`          ${((await stat(archive)).size / 1024 ** 2).toFixed(1)} MiB`);
const after = await step("start both again", startAll);

console.log("# The loss");
await commit("after the backup");
await step("build 3 hosts of a newer commit, which no backup has", () =>
  build(after.installation, "3 hosts succeeded"),
);
const lost = (await buildIds(after.installation)).filter((id) => !kept.includes(id));
demand(lost.length > 0, "the newer build is not listed");
await step("kill both, delete the directory", async () => {
  await after.crash();
  await rm(directory, { recursive: true });
});

console.log("# Restore");
await step("unpack the backup", async () => {
  await mkdir(directory, { mode: 0o700 });
  execFileSync("tar", ["--extract", "--preserve-permissions", "--file", archive, "--directory", directory]);
});
const restored = await step("start nats-server, check the streams, start the builder", startAll);
await step("builds list: all builds of before the backup, and none of after it", async () => {
  const ids = await buildIds(restored.installation);
  const isRestored = kept.every((id) => ids.includes(id)) && !lost.some((id) => ids.includes(id));
  demand(isRestored, `the builds are ${ids.join(", ")}`);
});
await step("build the newer commit again: unchanged, because the store has it", () =>
  build(restored.installation, "3 unchanged"),
);
await step("logs of a build of before the backup", async () => {
  // Of two builds of one commit, one has the logs.
  const logs = await Promise.all(
    kept.map(async (id) => restored.installation.run(`${operator(restored.installation)} logs ${id}`)),
  );
  demand(
    logs.some(({ exitCode, stdout }) => exitCode === 0 && !stdout.includes("No log is stored")),
    "the logs are gone",
    logs[0],
  );
});
await step("doctor of an operator", async () => {
  const doctor = await restored.installation.run(restored.installation.command(/operator-\S* doctor$/));
  demand(doctor.exitCode === 0, "doctor is not green", doctor);
});
await commit("after the restore");
await step("build 3 hosts of a new commit", () => build(restored.installation, "3 hosts succeeded"));

console.log("# Without the streams: only keys and configurations were backed up");
await step("stop both, delete state", async () => {
  await restored.stop();
  await rm(join(directory, "state"), { recursive: true });
});
const bare = await step("start nats-server, create the streams, start the builder", startAll);
await step("build 3 hosts: unchanged", () => build(bare.installation, "3 unchanged"));
await bare.stop();
console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  all of it`);
