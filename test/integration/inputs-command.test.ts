// `homelab-deploy inputs` as an operator runs it: its own process, real Nix and git, and no NATS anywhere.
import { execFile } from "node:child_process";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createUpdateLab } from "../support/update-lab.ts";

const program = join(import.meta.dirname, "../../src/cli/main.ts");

const test = base
  .extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
    const lab = await createUpdateLab(["host01"]);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("inputs", { scope: "file" }, async ({ lab }) => {
    const config = join(lab.directory, "config.json");
    const gone = `file://${join(lab.directory, "gone.git")}`;
    await writeFile(config, JSON.stringify({ repos: { fleet: { url: lab.url }, gone: { url: gone } } }));
    return async (...args: string[]) =>
      new Promise<{ exitCode: unknown; stdout: string; stderr: string }>((resolve) => {
        const env = { ...lab.store.environment, HOME: join(lab.store.directory, "home") };
        execFile(
          process.execPath,
          [program, "inputs", "--config", config, ...args],
          { env },
          (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
        );
      });
  });

test("pinned inputs, and how far behind upstream they are", async ({ lab, inputs }) => {
  const alpha = await lab.bump("alpha", { value: "2" });
  const pinned = await inputs("--repo", "fleet");
  expect(pinned).toMatchObject({ exitCode: 0, stderr: "" });
  expect(pinned.stdout).toMatch(/^Input {2}Source .*Revision {2}Age\nalpha {2}git:file:\/\//);
  expect(pinned.stdout).not.toContain(alpha.slice(0, 7));
  const checked = await inputs("--repo", "fleet", "--check", "--json");
  expect(checked.exitCode).toBe(0);
  expect(JSON.parse(checked.stdout)).toMatchObject({
    inputs: [
      { repo: "fleet", input: "alpha", upstream: { state: "behind", rev: alpha } },
      { input: "beta", upstream: { state: "up-to-date" } },
      { input: "gamma", upstream: { state: "up-to-date" } },
    ],
    errors: [],
  });
});

test("a repo, or an upstream, that does not answer is said, hides nothing else, and exits with 3", async ({
  lab,
  inputs,
}) => {
  const all = await inputs();
  expect(all.exitCode).toBe(3);
  expect(all.stdout).toContain("gamma");
  expect(all.stderr).toContain("gone:");
  const beta = join(lab.directory, "beta");
  await rename(beta, `${beta}.away`);
  const checked = await inputs("--repo", "fleet", "--check");
  await rename(`${beta}.away`, beta);
  expect(checked.exitCode).toBe(3);
  expect(checked.stdout).toMatch(/beta .* no answer/);
  // The others have their own answers; alpha was moved by the test before.
  expect(checked.stdout).toMatch(/alpha .* behind/);
  expect(checked.stdout).toMatch(/gamma .* up to date/);
  expect(checked.stderr).toContain("beta");
});

test("what flake.nix declares and flake.lock does not have is listed as not locked", async ({
  lab,
  inputs,
}) => {
  const flake = await lab.show("master", "flake.nix");
  const url = `git+file://${join(lab.directory, "alpha")}`;
  await lab.commit("master", { "flake.nix": flake.replace("{", `{ inputs.fresh.url = "${url}";`) });
  const checked = await inputs("--repo", "fleet", "--check");
  expect(checked).toMatchObject({ exitCode: 0, stderr: "" });
  expect(checked.stdout).toMatch(/^fresh .* not locked$/m);
  expect(checked.stdout).toMatch(/^gamma .* up to date$/m);
});

test("a repo that is not configured is an error of usage, with the name that was meant", async ({
  inputs,
}) => {
  expect(await inputs("--repo", "flet")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("did you mean fleet?"),
  });
});
