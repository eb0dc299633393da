import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { configureRepos, parseRepoArgument } from "./repo-arguments.ts";

test.each([
  ["https://git.lan/ops/nixos-servers.git", "nixos-servers", "https://git.lan/ops/nixos-servers.git"],
  ["ssh://git@git.lan/ops/NixOS_Config", "nixos-config", "ssh://git@git.lan/ops/NixOS_Config"],
  ["servers=https://git.lan/a/b", "servers", "https://git.lan/a/b"],
  ["file:///srv/git/nixos.git", "nixos", "file:///srv/git/nixos.git"],
  ["/home/kai/nixos", "nixos", "file:///home/kai/nixos"],
  ["desktops=/home/kai/nixos", "desktops", "file:///home/kai/nixos"],
])("%s", (text, name, url) => {
  expect(parseRepoArgument(text, () => true)).toEqual({ name, url });
});

test.each([
  "nonsense",
  "http://plain.lan/x",
  "https://user:secret@git.lan/x",
  "ext::sh -c evil",
  "git://x/y",
  "file://host/x",
])("%s is refused", (text) => {
  expect(() => parseRepoArgument(text, () => false)).toThrow(HomelabError);
});

test("a path that is no repository is a mistake of who typed it, and nothing to try again", async () => {
  const defaults = {
    branch: undefined,
    pollSeconds: 0,
    environment: process.env,
    accessHint: "see that it can be read",
  };
  const asked = configureRepos([import.meta.dirname], defaults, AbortSignal.timeout(30_000));
  await expect(asked).rejects.toMatchObject({
    kind: "usage",
    message: `there is no git repository at file://${import.meta.dirname}`,
  });
});
