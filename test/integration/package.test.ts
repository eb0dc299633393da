// What is in a package: built from the files that the flake's package gets, and packed by npm, which is also how nixpkgs'
// buildNpmPackage decides what to install (npm-install-hook: `npm pack --json --dry-run`).
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import * as v from "valibot";
import { sharedFiles } from "../../src/cli/commands/setup/package.ts";

const root = join(import.meta.dirname, "../..");
const packageNix = readFileSync(join(root, "nix/package.nix"), "utf8");
const run = promisify(execFile);
const commit = "0123456789abcdef0123456789abcdef01234567";

const Packed = v.tuple([v.object({ files: v.array(v.object({ path: v.string() })) })]);

/** The fileset of nix/package.nix. */
const nixSources = (/fileset\.unions \[(?<list>[^\]]*)\]/.exec(packageNix)?.groups?.["list"] ?? "")
  .split("\n")
  .map((line) => line.trim().replace(/^\.\.\//, ""))
  .filter((line) => line !== "");

test("npm pack and the flake's package have the same files, with completions and manual pages, and tell the commit", async () => {
  expect(nixSources).toContain("src");
  const directory = await mkdtemp(join(tmpdir(), "homelab-package-"));
  try {
    for (const source of nixSources) {
      await mkdir(dirname(join(directory, source)), { recursive: true });
      await cp(join(root, source), join(directory, source), { recursive: true });
    }
    await symlink(join(root, "node_modules"), join(directory, "node_modules"));
    const env = { PATH: process.env["PATH"] ?? "", HOME: directory, HOMELAB_DEPLOY_COMMIT: commit };
    const npm = async (...args: readonly string[]) => run("npm", args, { cwd: directory, env });
    await npm("run", "build");
    const packed = v.parse(
      Packed,
      JSON.parse((await npm("pack", "--dry-run", "--json", "--ignore-scripts")).stdout),
    );
    const files = packed[0].files.map(({ path }) => path);

    // What the sources of the checkout say that there has to be.
    const modules = globSync("src/**/*.ts", {
      cwd: root,
      exclude: ["src/**/*.test.ts", "src/**/*.d.ts"],
    }).map((file) => file.replace(/^src\//, "dist/").replace(/\.ts$/, ".js"));
    const assets = globSync("src/dashboard/assets/*.{js,css}", { cwd: root }).map((file) =>
      file.replace(/^src/, "dist"),
    );
    const made = [...Object.values(sharedFiles), "commit"].map((file) => `dist/${file}`);
    const expected = new Set([...modules, ...assets, ...made, "LICENSE", "README.md", "package.json"]);
    expect(new Set(files.filter((file) => !file.endsWith(".js.map")))).toEqual(expected);

    // The flake's package puts exactly these where shells and man(1) look.
    for (const file of Object.values(sharedFiles)) {
      expect(packageNix).toContain(`$${file}`);
      expect(readFileSync(join(directory, "dist", file), "utf8").length).toBeGreaterThan(50);
    }
    const manifest = v.parse(
      v.object({ version: v.string(), man: v.array(v.string()) }),
      JSON.parse(readFileSync(join(root, "package.json"), "utf8")),
    );
    expect(manifest.man).toEqual(
      [sharedFiles.commands, sharedFiles.configuration].map((file) => `./dist/${file}`),
    );

    const versionOf = async (program: string): Promise<string> =>
      (await run(process.execPath, [program, "--version"], { cwd: "/", env })).stdout.trim();
    const built = join(directory, "dist/cli/main.js");
    expect(await versionOf(built)).toBe(`${manifest.version} (${commit.slice(0, 12)})`);
    // Installed within the repository of somebody else, it does not take their commit for its own.
    await writeFile(join(directory, "dist/commit"), "unknown\n");
    expect(await versionOf(built)).toBe(manifest.version);
    // A checkout asks git.
    const { stdout: head } = await run("git", ["-C", root, "rev-parse", "HEAD"]);
    expect(await versionOf(join(root, "src/cli/main.ts"))).toContain(head.slice(0, 12));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 900_000);
