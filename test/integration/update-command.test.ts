// `homelab-deploy update` as an operator runs it: its own process, real Nix and git, and a forge.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test as base } from "vitest";
import { branchOfDay } from "../../src/update/branch/decide-branch.ts";
import { createDownstreamOf } from "../support/downstream-of-lab.ts";
import { startForgeServer } from "../support/forge-server/forge-server.ts";
import { createUpdateLab, type UpdateLab } from "../support/update-lab.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");
const day = branchOfDay(new Date());

const test = base
  .extend("forge", async ({}, { onCleanup }) => {
    const directory = await mkdtemp(join(tmpdir(), "homelab-forge-"));
    const server = await startForgeServer({ kind: "gitea", directory });
    onCleanup(async () => {
      await server[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    });
    return server;
  })
  .extend("lab", async ({ forge }, { onCleanup }) => {
    const lab = await createUpdateLab(["host01", "host02", "host03"], forge.remote.path);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend(
    "update",
    async ({ forge, lab }) =>
      async (settings: object = {}, args: readonly string[] = [], others: object = {}) => {
        await mkdir(join(lab.directory, "secrets"), { recursive: true });
        const tokenFile = join(lab.directory, "secrets/token");
        await writeFile(tokenFile, `${forge.bot.token}\n`, { mode: 0o600 });
        const { owner, name } = forge.state;
        const config = join(lab.directory, "config.json");
        await writeFile(
          config,
          JSON.stringify({
            repos: {
              ...others,
              fleet: {
                url: lab.url,
                update: {
                  forge: { kind: "gitea", url: forge.url, owner, repository: name, tokenFile },
                  identity: { email: "bot@homelab.invalid" },
                  ...settings,
                },
              },
            },
            builder: { retry: { attempts: 2, firstDelaySeconds: 0 } },
            update: { stateDirectory: join(lab.directory, "state") },
          }),
        );
        return run(lab, ["update", "--builds", "local", "--config", config, ...args]);
      },
  );

async function run(lab: UpdateLab, args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...lab.store.environment, HOME: join(lab.store.directory, "home") },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const [exitCode]: (number | null)[] = await once(child, "close");
  return { exitCode, stdout, stderr };
}

test("red: one pull request that says what, where and why, with the log; and the same again changes nothing", async ({
  forge,
  lab,
  update,
}) => {
  await lab.bump("alpha", { value: "2" });
  await lab.bump("beta", { value: "2", breaks: ["host02", "host03"] });
  const first = await update();
  expect(first.stderr + first.stdout).toContain("did not land");
  expect(first.exitCode).toBe(1);
  const [pullRequest] = forge.state.pulls;
  expect(forge.state.pulls).toHaveLength(1);
  expect(pullRequest?.title).toMatch(/^flake.lock: update alpha, beta: 2 hosts fail$/);
  expect(pullRequest?.body).toContain("E: it does not compile");
  expect(pullRequest?.body).toContain("host02");
  expect(pullRequest?.body).toContain("beta");
  expect(first.stdout).toContain("Without beta they build");
  const { comments } = forge.state;
  expect(comments.length).toBeGreaterThanOrEqual(2);
  const attachment = comments.flatMap((comment) => comment.files)[0];
  expect(gunzipSync(attachment?.bytes ?? Buffer.alloc(0)).toString()).toContain("E: it does not compile");
  expect(await readFile(join(lab.directory, "state/updates/fleet/report.md"), "utf8")).toContain("host03");

  const before = JSON.stringify(forge.state.pulls.map(({ title, body, state }) => ({ title, body, state })));
  const counts = [forge.state.comments.length, forge.state.labels.length];
  const again = await update();
  expect(again.exitCode).toBe(1);
  expect(forge.state.pulls).toHaveLength(1);
  expect([forge.state.comments.length, forge.state.labels.length]).toEqual(counts);
  expect(before).toContain("open");
});

test("a required repo downstream that breaks is in the pull request, with its log; an advisory one only in the output", async ({
  forge,
  lab,
  update,
}) => {
  const nixos = await createDownstreamOf(lab, { hosts: ["gunter"] });
  const repos = { nixos: { url: nixos.url } };
  const downstream = (required: boolean) => ({ downstream: [{ repo: "nixos", input: "servers", required }] });
  await lab.bump("beta", { value: "2", breaks: ["gunter"] });
  const required = await update(downstream(true), ["--repo", "fleet"], repos);
  expect(required.exitCode).toBe(1);
  expect(required.stdout).toContain("it breaks 1 of 4 hosts (nixos/gunter)");
  expect(required.stdout).toContain("Required: nixos/gunter no longer builds.");
  const [pullRequest] = forge.state.pulls;
  expect(pullRequest?.title).toBe("flake.lock: update beta: 1 host fails");
  expect(pullRequest?.body).toContain("| `nixos/gunter` | no longer builds (required) |");
  expect(pullRequest?.body).toContain("E: not with this");
  const attachment = forge.state.comments.flatMap((comment) => comment.files)[0];
  expect(gunzipSync(attachment?.bytes ?? Buffer.alloc(0)).toString()).toContain("E: not with this");

  const advisory = await update(downstream(false), ["--repo", "fleet", "--json"], repos);
  expect(advisory.exitCode).toBe(0);
  expect(JSON.parse(advisory.stdout)).toMatchObject({
    updates: [
      {
        outcome: "landed",
        downstream: [{ repo: "nixos", input: "servers", required: false, hosts: { gunter: "regression" } }],
      },
    ],
  });
});

test("then green: it lands, and the pull request of before is closed with a link", async ({
  forge,
  lab,
  update,
}) => {
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  expect((await update()).exitCode).toBe(1);
  await lab.bump("beta", { value: "3" });
  const landed = await update({}, ["--json"]);
  expect(landed.exitCode).toBe(0);
  expect(JSON.parse(landed.stdout)).toMatchObject({
    updates: [
      {
        repo: "fleet",
        outcome: "landed",
        hosts: { host01: "ok" },
        effect: {
          hosts: [{ host: "host01", reboot: [], sizeDelta: 0, packageCount: 0 }, {}, {}],
          changed: 3,
          unknown: [],
        },
      },
    ],
  });
  const reportFile = join(lab.directory, "state/updates/fleet/report.json");
  expect(JSON.parse(await readFile(reportFile, "utf8"))).toMatchObject({
    landed: (await lab.branches())["master"],
    hosts: [{ host: "host01", class: "ok" }, {}, {}],
  });
  await lab.bump("alpha", { value: "2" });
  expect((await update()).stdout).toMatch(
    /alpha landed as [0-9a-f]{7}; it builds on all 3 hosts\.\n {2}host01: no package changes its version; closure .* \(same size\)\n/,
  );
  expect(forge.state.pulls.map(({ state }) => state)).toEqual(["closed"]);
  expect(Object.keys(await lab.branches())).not.toContain(day);
});

test("a forge that is down: nothing lands, no verdict is lost, and the next run opens the pull request", async ({
  forge,
  lab,
  update,
}) => {
  const master = (await lab.branches())["master"];
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  forge.isDown = true;
  const down = await update();
  expect(down.exitCode).toBe(3);
  forge.isDown = false;
  expect(forge.state.pulls).toHaveLength(0);
  expect((await update()).exitCode).toBe(1);
  expect(forge.state.pulls).toHaveLength(1);
  expect((await lab.branches())["master"]).toBe(master);
});

test("a person who closes the proposal is heard until there is something new", async ({
  forge,
  lab,
  update,
}) => {
  await lab.bump("beta", { value: "2", breaks: ["host02"] });
  await update();
  for (const pullRequest of forge.state.pulls) pullRequest.state = "closed";
  const declined = await update();
  expect(declined.exitCode).toBe(1);
  expect(declined.stdout).toContain("closed by a person");
  expect(forge.state.pulls).toHaveLength(1);
  await lab.bump("beta", { value: "3", breaks: ["host02"] });
  await update();
  expect(forge.state.pulls).toHaveLength(2);
});

test("an input that cannot be reached: the rest lands, and the third time a person is needed", async ({
  lab,
  update,
}) => {
  await rename(join(lab.directory, "beta"), join(lab.directory, "away"));
  for (const [state, exitCode] of [
    ["2", 0],
    ["3", 0],
    ["4", 1],
  ] as const) {
    await lab.bump("alpha", { value: state });
    const updated = await update({}, ["--json", "--proposal-succeeds"]);
    expect(updated.exitCode).toBe(exitCode);
    expect(JSON.parse(updated.stdout)).toMatchObject({
      updates: [
        {
          outcome: "landed",
          unavailable: [{ input: "beta", runs: Number(state) - 1, needsPerson: exitCode === 1 }],
        },
      ],
    });
  }
  const told = await update();
  expect(told).toMatchObject({ exitCode: 1 });
  expect(told.stdout).toContain(
    "beta stays as it is until somebody fixes it, unreachable for 4 updates in a row",
  );
  await rename(join(lab.directory, "away"), join(lab.directory, "beta"));
  expect(await update()).toMatchObject({ exitCode: 0 });
});

test("nothing to update, a dry run, and words that mean nothing", async ({ forge, lab, update }) => {
  expect((await update()).stdout).toContain("nothing to update");
  await lab.bump("alpha", { value: "2" });
  const [branches, requests] = [await lab.branches(), forge.requests.length];
  const dry = await update({}, ["--dry-run"]);
  expect(dry.stdout).toContain("would land");
  expect(dry.exitCode).toBe(0);
  expect(await lab.branches()).toEqual(branches);
  expect(forge.requests).toHaveLength(requests);
  const unknown = await update({}, ["--input", "nixpgks"]);
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain("nixpgks");
  expect((await update({}, ["--repo", "flet"])).stderr).toContain("did you mean fleet?");
});
