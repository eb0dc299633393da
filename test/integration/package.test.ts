// What is in a package: built from the files that the flake's package gets, and packed by npm, which is also how nixpkgs'
// buildNpmPackage decides what to install (npm-install-hook: `npm pack --json --dry-run`).
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import * as v from "valibot";
import { freePort } from "../support/free-port.ts";
import { startNatsServer } from "../support/nats-server.ts";
import { sharedFiles } from "../../src/cli/commands/setup/package.ts";

const root = join(import.meta.dirname, "../..");
const packageNix = readFileSync(join(root, "nix/package.nix"), "utf8");
const run = promisify(execFile);
const commit = "0123456789abcdef0123456789abcdef01234567";

const Packed = v.tuple([v.object({ files: v.array(v.object({ path: v.string() })) })]);

/** The modules of Node that a command loads, which fails and then says so. */
async function loadedBy(
  program: string,
  args: readonly string[],
  directory: string,
  env: Readonly<Record<string, string>>,
  said: string,
): Promise<readonly string[]> {
  const [list, preload] = [join(directory, "loaded"), join(directory, "preload.cjs")];
  const write = `require("node:fs").writeFileSync(${JSON.stringify(list)}, process.moduleLoadList.join("\\n"))`;
  await writeFile(preload, `process.on("exit", () => ${write});`);
  const failed = await run(process.execPath, ["--require", preload, program, ...args], { env }).then(
    () => "",
    ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
  );
  expect(failed).toContain(said);
  return readFileSync(list, "utf8")
    .split("\n")
    .map((name) => name.replace(/^NativeModule /, ""));
}

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
    await rm(join(directory, "node_modules"));
    const packed = v.parse(
      Packed,
      JSON.parse((await npm("pack", "--dry-run", "--json", "--ignore-scripts")).stdout),
    );
    const files = packed[0].files.map(({ path }) => path);

    const programs = ["dist/cli/main.js", "dist/dashboard/log/search-worker.js"];
    const assets = globSync("src/dashboard/assets/*.{js,css}", { cwd: root }).map((file) =>
      file.replace(/^src/, "dist"),
    );
    const made = [...Object.values(sharedFiles), "commit", "licenses.txt", "package.json"].map(
      (file) => `dist/${file}`,
    );
    const expected = new Set([...programs, ...assets, ...made, "LICENSE", "README.md", "package.json"]);
    const chunks = files.filter((file) => /^dist\/cli\/[\w-]+-[\w-]{8}\.js$/.test(file));
    expect(chunks.length).toBeGreaterThan(50);
    expect(new Set(files.filter((file) => !chunks.includes(file)))).toEqual(expected);

    // The libraries are in the program, with their licenses: nothing is looked for elsewhere.
    const loads = [...programs, ...chunks].flatMap((file) =>
      [
        ...readFileSync(join(directory, file), "utf8").matchAll(/\b(?:require|import)\("(?<name>[^"]+)"\)/g),
      ].map(({ groups }) => groups?.["name"] ?? ""),
    );
    expect(loads.filter((name) => !isBuiltin(name) && !/^\.{1,2}\//.test(name))).toEqual([]);
    expect(loads.length).toBeGreaterThan(500);
    const licenses = readFileSync(join(directory, "dist/licenses.txt"), "utf8");
    const { dependencies } = v.parse(
      v.object({ dependencies: v.record(v.string(), v.string()) }),
      JSON.parse(readFileSync(join(root, "package.json"), "utf8")),
    );
    for (const [name, version] of Object.entries(dependencies)) {
      expect(licenses).toContain(`${name} ${version}\n\n`);
    }
    expect(licenses).not.toContain("undefined");

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
    await using server = await startNatsServer();
    const url = `http://127.0.0.1:${await freePort()}`;
    const cache = ["--cache", url, "--public-key", `lab-1:${Buffer.alloc(32, 1).toString("base64")}`];
    const path = `/nix/store/${"0".repeat(32)}-system`;
    const inTheClear = [
      { args: ["status"], said: "homelab-deploy nats setup" },
      { args: ["cache", "verify", path, "--without-store", ...cache], said: url },
      // With metrics from its start.
      { args: ["deployer"], said: "deployer" },
    ];
    const environment = { ...env, NATS_URL: server.url, NIX_SSL_CERT_FILE: join(root, "package.json") };
    for (const { args, said } of inTheClear) {
      const loaded = await loadedBy(built, args, directory, environment, said);
      expect(loaded).toContain("net");
      expect(loaded, args.join(" ")).not.toContain("tls");
    }
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
