// Which failures of an evaluation are the host's for that commit, and which are the machine's: real Nix, and `build --local`
// as a person runs it.
import { existsSync } from "node:fs";
import { chmod, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { expect } from "vitest";
import { flakeOf, test, type LocalLab } from "../support/local-lab.ts";

const caDerivations = "extra-experimental-features = ca-derivations impure-derivations";

/** Of the newest commit, what the memory says of each host. */
async function remembered(lab: LocalLab): Promise<readonly string[]> {
  const directory = join(lab.stateDirectory, "evaluations/fleet");
  const files = await readdir(directory).catch(() => []);
  const texts = await Promise.all(files.map(async (file) => readFile(join(directory, file), "utf8")));
  return texts.flatMap((text) =>
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; host?: string; result?: { cause?: string } })
      .flatMap(({ type, host, result }) =>
        type === "result" && host !== undefined ? [`${host}: ${result?.cause ?? "evaluated"}`] : [],
      ),
  );
}

const contentAddressed = `{ __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; }`;

test.for([
  ["throw", `throw "no"`, true],
  ["a failed assertion", `assert 1 == 2; host "x" { }`, true],
  ["abort", `abort "no"`, true],
  ["a missing attribute", `self.no.such`, true],
  ["a wrong type", `host "x" 1`, true],
  ["an undefined variable in another file", `import ./undefined.nix`, true],
  ["a syntax error in another file", `import ./syntax.nix`, true],
  ["infinite recursion", `let x = x; in x`, true],
  ["a feature that nix.conf lacks", `host "x" ${contentAddressed}`, false],
  [
    "what is fetched from a server that is away",
    `import (builtins.fetchTarball { url = "http://127.0.0.1:1/x.tar.gz"; sha256 = "0000000000000000000000000000000000000000000000000000"; })`,
    false,
  ],
] as const)("remembered or not: %s", async ([, expression, isRemembered], { lab }) => {
  await lab.commit({
    "flake.nix": flakeOf(`{ bad = ${expression}; web = host "web" { }; }`),
    "undefined.nix": "noSuchVariable",
    "syntax.nix": "{ a = ; }",
  });
  const { verdicts } = await lab.build();
  expect(verdicts).toEqual({ bad: expect.stringMatching(/^(?:eval|infra)-failed$/) as string, web: "built" });
  const known = await remembered(lab);
  expect(known).toContain("web: evaluated");
  expect(known.includes("bad: error")).toBe(isRemembered);
});

test("a feature that nix.conf has by now", async ({ lab }) => {
  await lab.commit({
    "flake.nix": flakeOf(`let
      dep = derive "dep" ${contentAddressed};
    in {
      plain = host "plain" { };
      top = host "top" ${contentAddressed};
      needs = host "needs" { inherit dep; };
      impure = host "impure" { __impure = true; };
      fixed = host "fixed" { dep = derive "fixed" {
        inherit dep; args = [ "-c" "printf fixed > $out" ];
        outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "fixed";
      }; };
      broken = host "broken" { dep = derive "fixed-broken" {
        dep = derive "dep-broken" (${contentAddressed} // { args = [ "-c" "exit 3" ]; });
        args = [ "-c" "printf other > $out" ];
        outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "other";
      }; };
    }`),
  });
  const before = await lab.build();
  expect(before.verdicts).toEqual({
    plain: "built",
    top: "eval-failed",
    needs: "eval-failed",
    impure: "eval-failed",
    fixed: "eval-failed",
    broken: "eval-failed",
  });
  expect(before.reasons["top"]).toContain("experimental Nix feature 'ca-derivations' is disabled");

  await lab.configureNix(caDerivations);
  const after = await lab.build();
  expect(after.verdicts).toEqual({
    plain: "unchanged",
    top: "eval-failed",
    needs: "eval-failed",
    impure: "eval-failed",
    fixed: "built",
    broken: "build-failed",
  });
  for (const host of ["top", "needs", "impure"]) {
    expect(after.reasons[host]).toMatch(/^content-addressed derivations are not supported: /);
  }
  expect(after.reasons["broken"]).toContain("exit code 3");
  // It concerns these hosts alone: the others spend no attempt.
  expect(after.events.filter(({ type }) => type === "retrying")).toEqual([]);
});

test("a download that failed during import from derivation, once its server is back", async ({ lab }) => {
  let isBack = false;
  const server = createServer((_, response) => {
    response.statusCode = isBack ? 200 : 503;
    response.end(isBack ? '"fetched"' : "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  try {
    const config = join(lab.directory, "config.json");
    const settings = JSON.parse(await readFile(config, "utf8")) as { repos: { fleet: object } };
    Object.assign(settings.repos.fleet, { allowImportFromDerivation: true });
    await writeFile(config, JSON.stringify(settings));
    await lab.commit({
      "flake.nix": flakeOf(`{
        web = host "web" { text = import (derivation {
          name = "fetched.nix"; system = "builtin"; builder = "builtin:fetchurl";
          url = "http://127.0.0.1:${port}/x.nix"; unpack = false; executable = false;
          outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "\\"fetched\\"";
          preferLocalBuild = true;
        }); };
      }`),
    });
    const before = await lab.build();
    expect(before.verdicts).toEqual({ web: "infra-failed" });
    expect(await remembered(lab)).toEqual([]);
    isBack = true;
    expect((await lab.build()).verdicts).toEqual({ web: "built" });
  } finally {
    server.close();
  }
});

test("--fresh evaluates again, also what is remembered as the host's own error", async ({ lab }) => {
  await lab.commit({ "flake.nix": flakeOf(`{ web = host "web" { }; bad = throw "no"; }`) });
  await lab.build();
  const usual = await lab.build();
  expect(usual.state.hosts.get("fleet/web")?.evaluated?.remembered).toBe(true);
  const fresh = await lab.build("--fresh");
  expect(fresh.state.fresh).toBe(true);
  expect(fresh.state.hosts.get("fleet/web")?.evaluated?.remembered).toBe(false);
  expect(fresh.verdicts).toEqual({ web: "unchanged", bad: "eval-failed" });
  expect(fresh.stderr).not.toContain("does not know --fresh");
});

/** What a power cut leaves of files that were just written. */
async function emptyObjects(directory: string): Promise<number> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const objects = files.filter((file) => file.isFile() && file.parentPath.includes("/objects"));
  for (const { parentPath, name } of objects) {
    await chmod(join(parentPath, name), 0o644);
    await truncate(join(parentPath, name));
  }
  return objects.length;
}

test("empty git objects in Nix's own cache are mended once", async ({ lab }) => {
  const flake = flakeOf(`{ web = host "web" { text = builtins.readFile ./n; }; db = host "db" { }; }`);
  await lab.commit({ "flake.nix": flake, n: "1" });
  expect((await lab.build()).exitCode).toBe(0);
  const cache = join(lab.stateDirectory, "nix/cache/nix");
  const theirs = join(lab.directory, "cache");
  const before = existsSync(theirs) ? (await stat(theirs)).mtimeMs : 0;
  expect(await emptyObjects(join(cache, "gitv3"))).toBeGreaterThan(0);
  await lab.commit({ n: "2" });
  expect((await lab.build()).verdicts).toEqual({ web: "built", db: "unchanged" });
  // The user's own is not touched.
  expect(existsSync(theirs) ? (await stat(theirs)).mtimeMs : 0).toBe(before);
});

test("hosts that cannot be listed: the error as Nix printed it, and no host is counted", async ({ lab }) => {
  await lab.commit({
    "flake.nix": flakeOf("import ./hosts.nix"),
    "hosts.nix": "{\n  web = 1\n  db = 2;\n}\n",
  });
  const { stdout, exitCode } = await lab.run(["build", "--local", "--all", "--output", "plain"]);
  expect(stdout).toContain("The hosts could not be listed");
  expect(stdout).toMatch(/hosts\.nix:3:\d+: syntax error, unexpected '='/);
  expect(stdout).toContain("3|   db = 2;");
  expect(stdout).not.toContain("0 of 0");
  expect(exitCode).toBe(1);
  const { state } = await lab.build();
  expect(state.details).toContain("syntax error");
});
