import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test as base } from "vitest";
import { parseConfig } from "../config/load.ts";
import { withInputAccess } from "../nix/input-access.ts";
import { createInputAccess } from "./input-access.ts";

const test = base.extend<{ place: string }>({
  place: async ({}, use) => {
    const place = await mkdtemp(join(tmpdir(), "homelab-input-access-"));
    await use(place);
    await rm(place, { recursive: true });
  },
});

const openWith = async (place: string, config: object, mirrors: readonly string[] = []) =>
  createInputAccess({
    config: parseConfig(JSON.stringify(config), "test").config,
    stateDirectory: place,
    environment: {},
  }).open(mirrors);

test("without credentials Nix gets nothing, and git is left as it is", async ({ place }) => {
  expect((await openWith(place, {})).variables).toEqual({});
});

test("tokens of GitHub and GitLab are Nix's access tokens too, each in its form", async ({ place }) => {
  const tokenFile = join(place, "token");
  await writeFile(tokenFile, "tok1234567\nsecond line\n");
  const { variables } = await openWith(place, {
    inputs: {
      credentials: {
        "github.com": { tokenFile },
        "gitlab.com": { tokenFile },
        "git.lan": { tokenFile },
        "gitlab.lan": { tokenFile, accessTokens: "gitlab" },
        "ghe.lan": { tokenFile: join(place, "missing"), accessTokens: "github" },
      },
    },
  });
  const file = variables["NIX_USER_CONF_FILES"] ?? "";
  expect(await readFile(file, "utf8")).toBe(
    "extra-access-tokens = github.com=tok1234567 gitlab.com=PAT:tok1234567 gitlab.lan=PAT:tok1234567\n",
  );
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await openWith(place, {});
  await expect(stat(file)).rejects.toThrow("ENOENT");
});

test("no token is in the environment, of which builds during an evaluation may see every variable", async ({
  place,
}) => {
  const tokenFile = join(place, "token");
  await writeFile(tokenFile, "tok1234567\n");
  const { variables } = await openWith(place, { inputs: { credentials: { "github.com": { tokenFile } } } });
  expect(JSON.stringify(variables)).not.toContain("tok1234567");
});

test("a secret that a program repeats is taken out of what it said", async ({ place }) => {
  const tokenFile = join(place, "token");
  await writeFile(tokenFile, "tok1234567\n");
  const { clean } = await openWith(place, { inputs: { credentials: { "git.lan": { tokenFile } } } });
  const encoded = Buffer.from("git:tok1234567").toString("base64");
  expect(clean(`remote: no access with Basic ${encoded} tok1234567`)).not.toMatch(/tok1234567|Z2l0/);
});

test("of a repo with submodules its own credentials come first, and no other repo's are given", async ({
  place,
}) => {
  const repo = (name: string, more: object) => ({
    url: `https://git.lan/${name}.git`,
    credentials: { username: name, tokenFile: `/run/${name}` },
    ...more,
  });
  const config = {
    repos: { one: repo("one", { submodules: true }), two: repo("two", {}) },
    inputs: { credentials: { "git.lan": { username: "all", tokenFile: "/run/all" } } },
  };
  const mirrorOf = (name: string): string => join(place, "mirrors", `${name}.git`);
  const answersOf = async (name: string): Promise<readonly string[]> => {
    const { variables } = await openWith(place, config, [mirrorOf(name)]);
    return (variables["HOMELAB_DEPLOY_GIT_ANSWERS"] ?? "")
      .split("\n")
      .filter((line) => line.startsWith("Username for 'https://git.lan': "))
      .map((line) => line.split("\t").at(-1) ?? "");
  };
  expect(await answersOf("one")).toEqual(["one", "all"]);
  expect(await answersOf("two")).toEqual(["all"]);
  expect((await openWith(place, config, [mirrorOf("two")])).variables["GIT_CONFIG_GLOBAL"]).toBeUndefined();
});

test("a GIT_SSH_COMMAND of ours is for hosts without credentials", async ({ place }) => {
  const environment = { PATH: "/bin", GIT_SSH_COMMAND: "ssh -F /etc/ours" };
  const opened = await openWith(place, {
    inputs: { credentials: { "git.lan": { sshKeyFile: "/run/key" } } },
  });
  expect(withInputAccess(environment, opened)).toEqual({
    PATH: "/bin",
    ...opened.variables,
    HOMELAB_DEPLOY_SSH_COMMAND: "ssh -F /etc/ours",
  });
  expect(withInputAccess(environment, await openWith(place, {}))).toEqual(environment);
});
