import { mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Exec } from "../../process/exec.ts";
import { StorePath } from "../../protocol/names.ts";
import { instantiateAggregate, saysAllBuilt } from "./aggregate.ts";

const storePath = (name: string): StorePath => v.parse(StorePath, `/nix/store/${"a".repeat(32)}-${name}.drv`);
const aggregate = storePath("homelab-deploy-aggregate");
const never = new AbortController().signal;

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "homelab-aggregate-"));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

/** What Nix is given, and the derivation that it makes. */
async function instantiate(outputs: Readonly<Record<string, readonly string[]>>, exitCode = 0) {
  let [expression, args]: [string, readonly string[]] = ["", []];
  const exec: Exec = async (file, given) => {
    args = [file, ...given];
    expression = await readFile(given.at(-1) ?? "", "utf8");
    const root = given[given.indexOf("--add-root") + 1];
    if (exitCode === 0 && root !== undefined) await symlink(aggregate, root);
    return { exitCode, killedBy: undefined, timedOut: false, stdout: "", stderrTail: "error: not valid\n" };
  };
  const drvPaths = Object.keys(outputs).map(storePath);
  const settings = {
    exec,
    environment: {},
    readDerivation: async (drvPath: StorePath) => {
      const names = Object.entries(outputs).find(([name]) => storePath(name) === drvPath)?.[1] ?? [];
      return { outputs: new Map(names.map((name) => [name, drvPath])), inputDrvs: new Map(), system: "" };
    },
  };
  const made = await instantiateAggregate(settings, drvPaths, directory, never);
  return { made, expression, args };
}

test("an aggregate needs all outputs of what it is for, and its derivation has a root", async () => {
  const { made, expression, args } = await instantiate({ web: ["out"], db: ["out", "doc"], unknown: [] });
  expect(made).toBe(aggregate);
  expect(args[0]).toBe("nix-instantiate");
  expect(args).toContain("--add-root");
  expect(expression).toContain(`"${storePath("web")}".outputs = [ "out" ];`);
  expect(expression).toContain(`"${storePath("db")}".outputs = [ "out" "doc" ];`);
  expect(expression).toContain(`"${storePath("unknown")}".outputs = [ "out" ];`);
});

test("an output's name cannot be an expression", async () => {
  const { expression } = await instantiate({
    web: ["out", '" ]; x = builtins.readFile "/etc/shadow', "${x}"],
  });
  expect(expression).toContain(`"${storePath("web")}".outputs = [ "out" ];`);
});

test("what Nix cannot aggregate is unavailable, with its reason", async () => {
  await expect(instantiate({ web: ["out"] }, 1)).rejects.toMatchObject({
    kind: "unavailable",
    message: "Nix cannot aggregate derivations: error: not valid",
  });
});

test.each([
  [
    "2.8",
    `error: a 'builtin' with features {homelab-deploy-never} is required to build '${aggregate}', but I am a 'x86_64-linux' with features {kvm}`,
    true,
  ],
  [
    "2.34",
    `error: Cannot build '${aggregate}'.\nReason: missing system features\nRequired features: {homelab-deploy-never}`,
    true,
  ],
  ["a failure", `error: 2 dependencies of derivation '${aggregate}' failed to build`, false],
  [
    "another derivation",
    `error: a 'x' with features {homelab-deploy-never} is required to build 'y.drv'`,
    false,
  ],
])("whether all was built that an aggregate needs: %s", (_, text, expected) => {
  expect(saysAllBuilt(text, aggregate)).toBe(expected);
});
