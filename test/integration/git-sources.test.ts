// Repositories and inputs as people have them, and what an operator is told of those that cannot be used; and what Nix
// waits for or leaves out, which nobody would know otherwise.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { createSourceLab, flakeOf, type SourceLab } from "../support/source-lab.ts";

const test = base.extend<{ lab: SourceLab }>({
  lab: async ({}, use) => {
    await using lab = await createSourceLab();
    await use(lab);
  },
});

const build = ["build", "--all", "--local", "--output", "plain"] as const;
const plainFlake = flakeOf('"text"');
const configureRepo = async (lab: SourceLab, path: string, more: object = {}): Promise<void> =>
  lab.configure({ repos: { fleet: { url: `file://${path}`, branch: "main", ...more } } });

const isRoot = process.getuid?.() === 0;

const accepts = async (lab: SourceLab, path: string): Promise<boolean> =>
  lab.git("ls-remote", `file://${path}`).then(
    () => true,
    () => false,
  );

interface Unusable {
  readonly make: (lab: SourceLab) => Promise<string>;
  /** Only for root, and for a git that minds. */
  readonly isOfOther?: boolean;
  readonly exitCode: number;
  readonly says: RegExp;
  readonly advice: RegExp;
}

const unusable: Readonly<Record<string, Unusable>> = {
  "a shallow clone": {
    make: async (lab) => {
      for (const text of ["1", "2", "3"]) await lab.repository("fleet", { "flake.nix": plainFlake, text });
      const shallow = join(lab.directory, "shallow");
      await lab.git("clone", "--quiet", "--depth=1", `file://${join(lab.directory, "fleet")}`, shallow);
      return shallow;
    },
    exitCode: 2,
    says: /is a shallow clone/,
    advice: /hint: .*fetch --unshallow/,
  },
  "SHA-256 object names": {
    make: async (lab) => {
      const path = join(lab.directory, "long");
      await lab.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", path);
      return lab.repository("long", { "flake.nix": plainFlake });
    },
    exitCode: 2,
    says: /SHA-256 object names, which are not supported/,
    advice: /hint: .*SHA-1/,
  },
  "another user's checkout": {
    make: async (lab) => {
      const path = await lab.repository("fleet", { "flake.nix": plainFlake });
      await lab.store.run("chown", "-R", "1000:1000", path);
      return path;
    },
    isOfOther: true,
    exitCode: 2,
    says: /dubious ownership/,
    advice: /hint: .*allowOtherOwner/,
  },
  "a path that is no repository": {
    make: async (lab) => join(lab.directory, "home"),
    exitCode: 3,
    says: /does not appear to be a git repository/,
    advice: /try again later/,
  },
};

test.for(Object.entries(unusable))("%s is named, with what to do", async ([, each], { skip }) => {
  skip(each.isOfOther === true && !isRoot, "only root can give a repository to somebody else");
  await using lab = await createSourceLab();
  const path = await each.make(lab);
  const isAccepted = each.isOfOther === true && (await accepts(lab, path));
  skip(isAccepted, "this git fetches from a repository of another user (2.55 does)");
  await configureRepo(lab, path);
  const { exitCode, output } = await lab.run(...build);
  expect(output).toMatch(each.says);
  expect(output).not.toContain("Please make sure");
  expect(exitCode).toBe(each.exitCode);
  expect(output).toMatch(each.advice);
});

test("a shallow clone is built once it is whole, with the same state", async ({ lab }) => {
  const shallow = await unusable["a shallow clone"]?.make(lab);
  await configureRepo(lab, shallow ?? "");
  for (let i = 0; i < 2; i++) expect((await lab.run(...build)).exitCode).toBe(2);
  await lab.git("-C", shallow ?? "", "fetch", "--quiet", "--unshallow");
  const { exitCode, output } = await lab.run(...build);
  expect(output).toContain("1 host succeeded");
  expect(exitCode).toBe(0);
});

test("another user's checkout is built where the configuration says so", async ({ lab, skip }) => {
  skip(!isRoot, "only root can give a repository to somebody else");
  const path = await lab.repository("fleet", { "flake.nix": plainFlake });
  await lab.store.run("chown", "-R", "1000:1000", path);
  await configureRepo(lab, path, { allowOtherOwner: true });
  const { exitCode, output } = await lab.run(...build);
  expect(output).toContain("1 host succeeded");
  expect(exitCode).toBe(0);
});

test.for(["relative", "absolute"])(
  "submodules at a %s URL are in the flake where the repo's settings say so",
  async (kind, { expect: see }) => {
    await using lab = await createSourceLab();
    const secrets = await lab.repository("secrets", { motd: "hello" });
    const fleet = await lab.repository("fleet", {
      "flake.nix": flakeOf("builtins.readFile ./secrets/motd"),
    });
    const url = kind === "a relative" ? "../secrets" : `file://${secrets}`;
    await lab.git("-C", fleet, "submodule", "--quiet", "add", `file://${secrets}`, "secrets");
    await lab.git("-C", fleet, "config", "--file", ".gitmodules", "submodule.secrets.url", url);
    await lab.git("-C", fleet, "commit", "--quiet", "--all", "--message", "Add a submodule");
    await configureRepo(lab, fleet);
    see((await lab.run(...build)).exitCode).toBe(1);
    await configureRepo(lab, fleet, { submodules: true });
    const { exitCode, output } = await lab.run(...build);
    see(output).toContain("1 host succeeded");
    see(exitCode).toBe(0);
  },
);

test("what waits for the lock of another Nix process says so", async ({ lab }) => {
  const started = join(lab.directory, "started");
  const go = join(lab.directory, "go");
  const slow = plainFlake.replace(
    "echo ",
    `touch ${started}; while ! [ -e ${go} ]; do sleep 0.1; done; echo `,
  );
  const fleet = await lab.repository("fleet", { "flake.nix": slow });
  await configureRepo(lab, fleet);
  const flake = `git+file://${fleet}#nixosConfigurations.web01.config.system.build.toplevel`;
  const theirs = lab.store.run("nix", "build", "--no-link", flake);
  await expect.poll(async () => lab.store.run("ls", lab.directory), { timeout: 60_000 }).toContain("started");
  const ours = lab.start(...build);
  await ours.seen("waiting for the lock");
  await lab.store.run("touch", go);
  const { exitCode, output } = await ours.ended;
  await theirs;
  expect(output).toContain("waiting for the lock on nixos-system-web01: another Nix process builds it");
  expect(exitCode).toBe(0);
});

test("nixConfig of a flake, which is ignored, is warned of once a commit, with its settings", async ({
  lab,
}) => {
  const nixConfig = `nixConfig = { extra-substituters = [ "https://example.invalid" ]; extra-trusted-public-keys = [ "k:x" ]; };`;
  const fleet = await lab.repository("fleet", { "flake.nix": flakeOf('"text"', "", nixConfig) });
  await configureRepo(lab, fleet);
  const warning = "nixConfig of flake.nix is ignored (extra-substituters, extra-trusted-public-keys)";
  const first = await lab.run(...build);
  expect(first.output.split(warning).length - 1).toBe(1);
  expect(first.exitCode).toBe(0);
  expect((await lab.run(...build)).output).not.toContain(warning);
});

test("of an input that cannot be downloaded one line is shown, and not the server's page", async ({
  lab,
}) => {
  const server = createServer((_, response) => {
    response
      .writeHead(404, { "content-type": "text/html" })
      .end("<!DOCTYPE HTML>\n<html>\n<p>Gone\n</html>\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const url = `http://127.0.0.1:${port}/lib.tar.gz`;
    const hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const fleet = await lab.repository("fleet", {
      "flake.nix": flakeOf(
        'builtins.readFile "${inputs.lib}/motd"',
        `inputs.lib = { url = "${url}"; flake = false; };`,
      ),
      "flake.lock": JSON.stringify({
        version: 7,
        root: "root",
        nodes: {
          root: { inputs: { lib: "lib" } },
          lib: {
            flake: false,
            locked: { type: "tarball", url, narHash: hash },
            original: { type: "tarball", url },
          },
        },
      }),
    });
    await configureRepo(lab, fleet);
    const { exitCode, output } = await lab.run(...build);
    expect(output).toContain("HTTP error 404");
    expect(output).not.toMatch(/<html|DOCTYPE|response body/);
    expect(exitCode).toBe(3);
  } finally {
    server.close();
  }
});
