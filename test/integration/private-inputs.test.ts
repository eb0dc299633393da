// Inputs and submodules that not everybody may read, over https and ssh. There is no sshd here: a program in the place of
// ssh runs what it is asked for on this machine, and writes down how it was called.
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createSourceLab, flakeOf, username, type SourceLab } from "../support/source-lab.ts";

const test = base.extend<{ lab: SourceLab }>({
  lab: async ({}, use) => {
    await using lab = await createSourceLab();
    await use(lab);
  },
});

const build = ["build", "--all", "--local", "--output", "plain"] as const;
const hostOf = (url: string): string => new URL(url).host;

/** Makes a repository to be served, and gives its working copy. */
async function serveRepository(lab: SourceLab, name: string, files: Readonly<Record<string, string>>) {
  const path = await lab.repository(name, files);
  await lab.git("clone", "--quiet", "--bare", path, join(lab.served, `${name}.git`));
  return path;
}

/** The repo fleet with an input, locked while the input could be read from the disk. */
async function fleetWithInput(lab: SourceLab, url: string, credentials: object): Promise<void> {
  const fleet = await lab.repository("fleet", {
    "flake.nix": flakeOf(
      'builtins.readFile "${inputs.lib}/motd"',
      `inputs.lib = { url = "git+${url}?ref=main"; flake = false; };`,
    ),
    "flake.lock": await lockOf(lab, url),
  });
  await lab.configure({
    repos: { fleet: { url: `file://${fleet}`, branch: "main" } },
    inputs: { credentials },
    update: { stateDirectory: join(lab.directory, "updates") },
  });
}

async function lockOf(lab: SourceLab, url: string): Promise<string> {
  const lib = join(lab.served, "lib.git");
  const rev = await lab.git("-C", lib, "rev-parse", "main");
  const source = { type: "git", url, ref: "main" };
  const locked = { ...source, rev, revCount: 1, lastModified: 1_700_000_000, narHash: undefined };
  const path = await lab.store.run(
    "nix",
    "eval",
    "--raw",
    "--expr",
    `(builtins.fetchGit { url = "file://${lib}"; ref = "main"; rev = "${rev}"; }).narHash`,
  );
  const time = Number(await lab.git("-C", lib, "log", "-1", "--format=%ct", rev));
  return JSON.stringify({
    version: 7,
    root: "root",
    nodes: {
      root: { inputs: { lib: "lib" } },
      lib: { flake: false, locked: { ...locked, lastModified: time, narHash: path }, original: source },
    },
  });
}

/** As on a machine that has not fetched it yet. */
async function forgetInputs(lab: SourceLab): Promise<void> {
  await rm(join(lab.directory, "cache"), { recursive: true, force: true });
  await lab.store.run("chmod", "-R", "u+w", lab.store.storeDirectory);
  await rm(lab.store.storeDirectory, { recursive: true, force: true });
  await rm(lab.store.stateDirectory, { recursive: true, force: true });
}

test("over https: refused without credentials, with the setting; built, checked and updated with them", async ({
  lab,
}) => {
  const server = await lab.serve();
  const lib = await serveRepository(lab, "lib", { motd: "hello" });
  const url = `${server.url}/lib.git`;
  await fleetWithInput(lab, url, {});
  await forgetInputs(lab);
  const refused = await lab.run(...build);
  expect(refused.output).toContain("could not read Username");
  expect(refused.output).toContain("inputs.credentials");
  expect(refused.output).not.toContain("attempt 2");
  expect(refused.exitCode).toBe(4);
  const lost = await lab.run("inputs", "--check");
  expect(lost.output).toContain("inputs.credentials");
  expect(lost.exitCode).toBe(4);
  expect((await lab.run("doctor")).output).toMatch(/✗ input lib of fleet: .*could not read Username/);

  const tokenFile = await lab.secret("token", "tok\n");
  await fleetWithInput(lab, url, { [hostOf(server.url)]: { username, tokenFile } });
  const built = await lab.run(...build);
  expect(built.output).toContain("1 host succeeded");
  expect(built.exitCode).toBe(0);
  expect((await lab.run("doctor")).output).toMatch(/✓ input lib of fleet/);

  await writeFile(join(lib, "motd"), "hello again");
  await lab.git("-C", lib, "commit", "--quiet", "--all", "--message", "Again");
  await lab.git("-C", lib, "push", "--quiet", join(lab.served, "lib.git"), "main");
  const behind = await lab.run("inputs", "--check");
  expect(behind.output).toContain("behind");
  expect(behind.exitCode).toBe(0);
  const updated = await lab.run("update", "--builds", "local", "--dry-run");
  expect(updated.output).not.toContain("could not");
  expect(updated.exitCode).toBe(0);
});

test("a wrong token is refused, and stands nowhere", async ({ lab }) => {
  const server = await lab.serve();
  await serveRepository(lab, "lib", { motd: "hello" });
  const tokenFile = await lab.secret("token", "not-the-right-one\n");
  await fleetWithInput(lab, `${server.url}/lib.git`, { [hostOf(server.url)]: { username, tokenFile } });
  await forgetInputs(lab);
  for (const [args, code] of [
    [build, 4],
    [["inputs", "--check"], 4],
    [["update", "--builds", "local"], 4],
    // Something is wrong, NATS for one.
    [["doctor"], 1],
  ] as const) {
    const { output, exitCode } = await lab.run(...args);
    expect(output).toMatch(/403|Authentication failed/);
    expect(output).not.toContain("not-the-right-one");
    expect(exitCode).toBe(code);
  }
});

test("the case of a host and the space around a token say nothing; a file that is missing is named", async ({
  lab,
}) => {
  const server = await lab.serve();
  await serveRepository(lab, "lib", { motd: "hello" });
  const url = `${server.url.replace("localhost", "LocalHost")}/lib.git`;
  const tokenFile = await lab.secret("token", "\n tok \n");
  await fleetWithInput(lab, url, { [hostOf(server.url)]: { username, tokenFile } });
  await forgetInputs(lab);
  expect((await lab.run(...build)).exitCode).toBe(0);
  expect((await lab.run("doctor")).output).toMatch(/✓ input lib of fleet/);

  for (const file of [join(lab.directory, "no-such-file"), await lab.secret("empty", "")]) {
    await fleetWithInput(lab, url, { [hostOf(server.url)]: { username, tokenFile: file } });
    await forgetInputs(lab);
    await rm(join(lab.directory, "xdg-state"), { recursive: true });
    const { exitCode, output } = await lab.run(...build);
    expect(output).toContain(`the file ${file} cannot be read, or is empty`);
    expect(exitCode).toBe(4);
  }
});

test("no program gets the token as an argument", async ({ lab }) => {
  const server = await lab.serve({ token: "needle-in-a-haystack" });
  await serveRepository(lab, "lib", { motd: "hello" });
  const log = join(lab.directory, "arguments.log");
  for (const name of ["git", "nix", "nix-store", "flock"]) {
    const real = (await lab.store.run("sh", "-c", `command -v ${name}`)).trim();
    await lab.program(name, `printf '%s\\n' "${name} $*" >> ${log}\nexec ${real} "$@"\n`);
  }
  const tokenFile = await lab.secret("token", "needle-in-a-haystack\n");
  await fleetWithInput(lab, `${server.url}/lib.git`, { [hostOf(server.url)]: { username, tokenFile } });
  await forgetInputs(lab);
  expect((await lab.run(...build, "--debug")).exitCode).toBe(0);
  const called = await readFile(log, "utf8");
  expect(called).toContain("lib.git");
  expect(called).not.toContain("needle");
});

test.each([
  ["at once", false],
  ["once we are signed in", true],
])(
  "a server that sends us to another one %s does not get us to sign in there",
  async (_, redirectsSignedIn) => {
    await using lab = await createSourceLab();
    const other = await lab.serve();
    const server = await lab.serve({ redirectTo: other.url, redirectsSignedIn });
    await serveRepository(lab, "lib", { motd: "hello" });
    const tokenFile = await lab.secret("token", "tok\n");
    await fleetWithInput(lab, `${server.url}/lib.git`, { [hostOf(server.url)]: { username, tokenFile } });
    await forgetInputs(lab);
    const { exitCode, output } = await lab.run(...build);
    expect(output).toMatch(/could not read Username|Authentication failed/);
    expect(exitCode).toBe(4);
    expect(other.authorizations.length).toBeGreaterThan(0);
    expect(other.authorizations.every((authorization) => authorization === undefined)).toBe(true);
  },
);

/** Runs here what it should run there, and writes its arguments down. */
const sshStandIn = (log: string): string => `
printf '%s\\n' "$*" >> ${log}
for word in "$@"; do last=$word; done
eval "exec $last"
`;

test("over ssh: the key is for its host, and for no other", async ({ lab }) => {
  const log = join(lab.directory, "ssh.log");
  await lab.program("ssh", sshStandIn(log));
  await serveRepository(lab, "lib", { motd: "hello" });
  const sshKeyFile = await lab.secret("key", "a key\n");
  const knownHostsFile = await lab.secret("known_hosts", "");
  const url = `ssh://git@git.lan:2222${lab.served}/lib.git`;
  const called = async (): Promise<readonly string[]> => {
    const lines = (await readFile(log, "utf8")).split("\n").filter((line) => line.includes("git@git.lan"));
    await rm(log);
    return lines;
  };
  await fleetWithInput(lab, url, { "git.lan": { sshKeyFile, knownHostsFile } });
  await forgetInputs(lab);
  expect((await lab.run(...build)).exitCode).toBe(0);
  const signedIn = await called();
  expect(signedIn.length).toBeGreaterThan(0);
  for (const line of signedIn) {
    expect(line).toContain(`-i ${sshKeyFile}`);
    expect(line).toContain(`UserKnownHostsFile=${knownHostsFile}`);
    expect(line).toContain("StrictHostKeyChecking=yes");
    expect(line).toContain("-p 2222");
  }
  await fleetWithInput(lab, url, { lan: { sshKeyFile }, "git.lan.example": { sshKeyFile } });
  await forgetInputs(lab);
  await rm(join(lab.directory, "xdg-state"), { recursive: true });
  expect((await lab.run(...build)).exitCode).toBe(0);
  const lines = await called();
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).not.toContain(sshKeyFile);
});

test("a key that the server does not take is refused", async ({ lab }) => {
  await lab.program("ssh", `echo "git@git.lan: Permission denied (publickey)." >&2\nexit 255\n`);
  await serveRepository(lab, "lib", { motd: "hello" });
  const sshKeyFile = await lab.secret("key", "a key\n");
  await fleetWithInput(lab, `ssh://git@git.lan${lab.served}/lib.git`, { "git.lan": { sshKeyFile } });
  await forgetInputs(lab);
  const { exitCode, output } = await lab.run(...build);
  expect(output).toContain("Permission denied (publickey)");
  expect(output).not.toContain("Please make sure");
  expect(exitCode).toBe(4);
});

test("hosts whose list needs a private input cannot be listed, and the build is rejected with the setting", async ({
  lab,
}) => {
  const server = await lab.serve();
  await serveRepository(lab, "lib", { "flake.nix": "{ outputs = _: { names = { web01 = 1; }; }; }" });
  const url = `${server.url}/lib.git`;
  const lib = join(lab.served, "lib.git");
  const lock = JSON.parse(await lockOf(lab, url)) as { nodes: { lib: { flake?: boolean } } };
  delete lock.nodes.lib.flake;
  const fleet = await lab.repository("fleet", {
    "flake.nix": `{
      inputs.lib.url = "git+${url}?ref=main";
      outputs = { lib, ... }: { nixosConfigurations = builtins.mapAttrs (name: _: throw name) lib.names; };
    }`,
    "flake.lock": JSON.stringify(lock),
  });
  expect(lib).toContain("lib.git");
  await forgetInputs(lab);
  await lab.configure({ repos: { fleet: { url: `file://${fleet}`, branch: "main" } } });
  const { exitCode, output } = await lab.run(...build);
  expect(output).toContain("cannot be listed");
  expect(output).toMatch(/hint: .*inputs\.credentials/);
  expect(exitCode).toBe(4);
});

test("submodules: beside the repo with its credentials, elsewhere with those of their host", async ({
  lab,
}) => {
  const [server, other] = [await lab.serve(), await lab.serve({ token: "other" })];
  await serveRepository(lab, "secrets", { motd: "beside" });
  await serveRepository(lab, "far", { motd: "far away" });
  const fleet = await lab.repository("fleet", {
    "flake.nix": flakeOf("builtins.readFile ./secrets/motd} ${builtins.readFile ./far/motd"),
  });
  const addSubmodule = async (name: string, url: string): Promise<void> => {
    await lab.git("-C", fleet, "submodule", "--quiet", "add", `file://${lab.served}/${name}.git`, name);
    await lab.git("-C", fleet, "config", "--file", ".gitmodules", `submodule.${name}.url`, url);
  };
  await addSubmodule("secrets", "../secrets.git");
  await addSubmodule("far", `${other.url}/far.git`);
  await lab.git("-C", fleet, "commit", "--quiet", "--all", "--message", "Add submodules");
  await lab.git("clone", "--quiet", "--bare", fleet, join(lab.served, "fleet.git"));

  const tokenFile = await lab.secret("token", "tok\n");
  const otherFile = await lab.secret("other-token", "other\n");
  const repo = { url: `${server.url}/fleet.git`, branch: "main", credentials: { username, tokenFile } };
  const credentials = { [hostOf(other.url)]: { username, tokenFile: otherFile } };
  await lab.configure({ repos: { fleet: { ...repo, submodules: true } } });
  const refused = await lab.run(...build);
  expect(refused.output).toContain(`could not read Username for '${other.url}'`);
  expect(refused.exitCode).toBe(4);
  await lab.configure({ repos: { fleet: { ...repo, submodules: true } }, inputs: { credentials } });
  const built = await lab.run(...build);
  expect(built.output).toContain("1 host succeeded");
  expect(built.exitCode).toBe(0);

  const [sent, expected] = [
    other.authorizations,
    `Basic ${Buffer.from(`${username}:other`).toString("base64")}`,
  ];
  expect(sent.filter((authorization) => authorization !== undefined && authorization !== expected)).toEqual(
    [],
  );
});
