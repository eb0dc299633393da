import { expect, test } from "vitest";
import { gitCause, gitCauses, saysRefused } from "./git-cause.ts";

test("progress is not a cause", () => {
  // As git 2.55 prints it for Nix 2.34.
  const lines = `remote: Enumerating objects: 3, done.
remote: Counting objects:  33% (1/3)remote: Counting objects: 100% (3/3), done.
remote: Compressing objects:  50% (1/2)remote: Compressing objects: 100% (2/2), done.
remote: Total 3 (delta 0), reused 0 (delta 0), pack-reused 0 (from 0)
From file:///srv/nolock
 * [new branch]      main       -> main`.split("\n");
  expect(gitCauses(lines)).toEqual([]);
  expect(gitCause([...lines, "remote: Repository not found."])).toBe("remote: Repository not found.");
});

test.each([
  [
    "a path that is no repository",
    `fatal: '/srv/x' does not appear to be a git repository
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.`,
    "fatal: '/srv/x' does not appear to be a git repository",
  ],
  [
    "a key that ssh may not use",
    `git@git.lan: Permission denied (publickey).
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.`,
    "git@git.lan: Permission denied (publickey).",
  ],
  [
    "a submodule behind a login",
    `Cloning into '/tmp/nix-1-0/secrets'...
fatal: could not read Username for 'https://git.lan': terminal prompts disabled
fatal: clone of 'https://git.lan/secrets' into submodule path '/tmp/nix-1-0/secrets' failed
Failed to clone 'secrets'. Retry scheduled
fatal: could not read Username for 'https://git.lan': terminal prompts disabled
fatal: clone of 'https://git.lan/secrets' into submodule path '/tmp/nix-1-0/secrets' failed
Failed to clone 'secrets' a second time, aborting`,
    "fatal: could not read Username for 'https://git.lan': terminal prompts disabled",
  ],
  [
    "a branch that Nix does not know either",
    `fatal: could not read Username for 'https://git.lan': terminal prompts disabled
fatal: Refusing to point HEAD outside of refs/`,
    "fatal: could not read Username for 'https://git.lan': terminal prompts disabled",
  ],
  [
    "a question that git answers with an error before",
    `fatal: Not a valid object name 0123456789
fatal: unable to access 'https://git.lan/x/': Could not resolve host: git.lan`,
    "fatal: unable to access 'https://git.lan/x/': Could not resolve host: git.lan",
  ],
  [
    "nothing but advice",
    "fatal: Could not read from remote repository.",
    "fatal: Could not read from remote repository.",
  ],
])("of %s it finds the cause", (_what, said, cause) => {
  expect(gitCause(said.split("\n"))).toBe(cause);
});

test("where git says nothing of an error, there is no cause", () => {
  expect(gitCauses(["Cloning into 'x'...", ""])).toEqual([]);
});

test.each([
  "fatal: Authentication failed for 'https://git.lan/x/'",
  "fatal: could not read Username for 'https://git.lan': terminal prompts disabled",
  "git@git.lan: Permission denied (publickey).",
  "fatal: unable to access 'https://git.lan/x/': The requested URL returned error: 403",
  "unable to download 'https://git.lan/x.tar.gz': HTTP error 401",
])("%s: the remote refuses our credentials", (words) => {
  expect(saysRefused(words)).toBe(true);
});

test.each([
  "fatal: repository 'https://git.lan/x/' not found",
  "fatal: unable to access 'https://git.lan/x/': Could not resolve host: git.lan",
  "fatal: unable to access 'https://git.lan/x/': The requested URL returned error: 503",
  "ssh: connect to host git.lan port 22: Connection refused",
])("%s: nothing is said of who we are", (words) => {
  expect(saysRefused(words)).toBe(false);
});
