import { expect, test } from "vitest";
import type { Exec } from "../process/exec.ts";
import { createGitCommand, gitEnvironment, inheritedVariables } from "./git-command.ts";

const environmentOf = (url: string, more: Partial<Parameters<typeof gitEnvironment>[0]> = {}) =>
  gitEnvironment({
    url,
    home: "/state/nixos.git.home",
    credentials: {},
    environment: { PATH: "/bin" },
    ...more,
  });

test.each([
  ["https://example.org/x.git", "https"],
  ["ssh://git@example.org/x.git", "ssh"],
  ["file:///srv/x.git", "file"],
])("allows %s only its own transport", (url, scheme) => {
  expect(environmentOf(url)["GIT_ALLOW_PROTOCOL"]).toBe(scheme);
});

test.each([
  "http://example.org/x.git",
  "git://example.org/x",
  "ext::sh",
  "/srv/x.git",
  "HTTPS://example.org",
  "",
])("refuses %j", (url) => {
  expect(() => environmentOf(url)).toThrow("must begin with https://, ssh:// or file://");
});

test("takes nothing over from outside but what is listed", () => {
  const hostile = { PATH: "/bin", GIT_DIR: "/x", GIT_SSH_COMMAND: "sh", LD_PRELOAD: "/x.so", HOME: "/root" };
  const names = Object.keys(environmentOf("ssh://git@example.org/x.git", { environment: hostile }));
  const ours = names.filter((name) => !(inheritedVariables as readonly string[]).includes(name));
  expect(ours.toSorted((a, b) => a.localeCompare(b))).toEqual([
    "GIT_ALLOW_PROTOCOL",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_SSH",
    "GIT_SSH_VARIANT",
    "GIT_TERMINAL_PROMPT",
    "HOME",
    "HOMELAB_DEPLOY_SSH_HOSTS",
    "LC_ALL",
  ]);
  const proxied = { HTTPS_PROXY: "http://proxy:3128" };
  expect(environmentOf("https://example.org/x.git", { environment: proxied })).toMatchObject({
    https_proxy: "http://proxy:3128",
  });
  expect(environmentOf("ssh://git@example.org/x.git", { environment: hostile })["HOME"]).toBe(
    "/state/nixos.git.home",
  );
});

test.each(["/keys/a b", "/keys/%d", "/keys/${HOME}", '/keys/"', "keys/relative", "/keys/~x"])(
  "refuses the ssh key path %j, which ssh would read as something else",
  (sshKeyFile) => {
    const credentials = { sshKeyFile };
    expect(() => environmentOf("ssh://git@example.org/x.git", { credentials })).toThrow(
      "ssh cannot use the path",
    );
  },
);

test("a call has one time limit, in which it also waits for others that write", async () => {
  const calls: { readonly args: readonly string[]; readonly timeoutMs: number | undefined }[] = [];
  const exec: Exec = async (_, args, { timeoutMs }) => {
    calls.push({ args, timeoutMs });
    return { exitCode: 0, killedBy: undefined, timedOut: false, stdout: "", stderrTail: "" };
  };
  const git = createGitCommand({
    exec,
    url: "https://example.org/x.git",
    directory: "/state/x.git",
    credentials: {},
    environment: {},
  });
  await git.write(["fetch"], { signal: new AbortController().signal, timeoutMs: 60_000 });
  const [call] = calls;
  expect(call?.timeoutMs).toBe(60_000);
  const waits = Number(call?.args[(call.args.indexOf("--timeout") ?? 0) + 1]);
  expect(waits).toBeLessThan(60);
});
