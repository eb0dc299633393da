import { expect, test } from "vitest";
import { parseConfig } from "../config/load.ts";
import { serverOf, signInEnvironment } from "../git/sign-in-programs.ts";
import { inputServers } from "./input-servers.ts";

const serversOf = (credentials: object): readonly string[] => {
  const { config } = parseConfig(JSON.stringify({ inputs: { credentials } }), "test");
  return inputServers(config.inputs, {}).map(({ server }) => server);
};
const token = { tokenFile: "/run/token" };

test.each([
  ["git.lan", ["https://git.lan", "https://git.lan:443"]],
  ["git.lan:443", ["https://git.lan:443", "https://git.lan"]],
  ["git.lan:8443", ["https://git.lan:8443"]],
  ["localhost:80", ["https://localhost:80", "http://localhost:80", "http://localhost"]],
  ["127.0.0.1:3000", ["https://127.0.0.1:3000", "http://127.0.0.1:3000"]],
  ["[::1]:3000", ["https://[::1]:3000", "http://[::1]:3000"]],
])("a token of %s is for %j and nothing else", (host, servers) => {
  expect(serversOf({ [host]: token })).toEqual(servers);
});

test("plain http is for this machine alone", () => {
  const hosts = ["git.lan", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1:80"];
  for (const host of hosts) {
    expect(serversOf({ [host]: token }).filter((server) => server.startsWith("http:"))).toEqual([]);
  }
});

test("a key is for ssh at any port of the host", () => {
  expect(serversOf({ "git.lan:2222": { sshKeyFile: "/run/key" } })).toEqual(["ssh://git.lan"]);
  expect(serverOf("ssh://git@git.lan:2222/x.git")).toBe("ssh://git.lan");
});

test("the variables name files, and never hold a secret", () => {
  const { config } = parseConfig(
    JSON.stringify({
      inputs: { credentials: { "git.lan": { username: "me@lan", ...token, sshKeyFile: "/run/key" } } },
    }),
    "test",
  );
  expect(signInEnvironment("/state/sign-in", inputServers(config.inputs, {}))).toEqual({
    GIT_ASKPASS: "/state/sign-in/askpass",
    GIT_SSH: "/state/sign-in/ssh",
    GIT_SSH_VARIANT: "ssh",
    GIT_TERMINAL_PROMPT: "0",
    HOMELAB_DEPLOY_GIT_ANSWERS: [
      "Username for 'https://git.lan': \tname\tme@lan",
      "Password for 'https://me@lan@git.lan': \tfile\t/run/token",
      "Password for 'https://me%40lan@git.lan': \tfile\t/run/token",
      "Username for 'https://git.lan:443': \tname\tme@lan",
      "Password for 'https://me@lan@git.lan:443': \tfile\t/run/token",
      "Password for 'https://me%40lan@git.lan:443': \tfile\t/run/token",
    ].join("\n"),
    HOMELAB_DEPLOY_SSH_HOSTS: "git.lan\t/run/key\t-",
  });
});
