import fc from "fast-check";
import { expect, test } from "vitest";
import type { FlakeLock, FlakeReference } from "./flake-lock.ts";
import { historyOf, lockWithRevision } from "./input-revision.ts";

const [old, other] = ["a".repeat(40), "b".repeat(40)];

test.each<[string, FlakeReference, string, string]>([
  [
    "GitHub",
    { type: "github", owner: "NixOS", repo: "nixpkgs", rev: old },
    "https://github.com/NixOS/nixpkgs.git",
    `github:NixOS/nixpkgs/${other}`,
  ],
  [
    "GitHub of one's own, a directory of the repository",
    { type: "github", host: "git.corp", owner: "o", repo: "r", dir: "sub/flake", rev: old },
    "https://git.corp/o/r.git",
    `github:o/r/${other}?host=git.corp&dir=sub%2Fflake`,
  ],
  [
    "GitLab with groups",
    { type: "gitlab", owner: "group%2Fsub", repo: "r", rev: old },
    "https://gitlab.com/group/sub/r.git",
    `gitlab:group%2Fsub/r/${other}`,
  ],
  [
    "SourceHut",
    { type: "sourcehut", owner: "~kai", repo: "r", rev: old },
    "https://git.sr.ht/~kai/r",
    `sourcehut:~kai/r/${other}`,
  ],
  [
    "git",
    { type: "git", url: "ssh://git@git.lan/kai/lib.git", ref: "refs/heads/main", submodules: true, rev: old },
    "ssh://git@git.lan/kai/lib.git",
    `git+ssh://git@git.lan/kai/lib.git?ref=refs%2Fheads%2Fmain&rev=${other}&submodules=1`,
  ],
  [
    "an archive of Gitea",
    { type: "tarball", url: `https://git.lan:3000/kai/lib/archive/${old}.tar.gz?rev=${old}`, rev: old },
    "https://git.lan:3000/kai/lib.git",
    `https://git.lan:3000/kai/lib/archive/${other}.tar.gz`,
  ],
])("the history of an input: %s", (_name, locked, gitUrl, reference) => {
  const history = historyOf(locked);
  expect([history?.gitUrl, history?.at(other)]).toEqual([gitUrl, reference]);
});

test.each<[string, FlakeReference]>([
  ["a path", { type: "path", path: "/etc/nixos", rev: old }],
  [
    "an archive that is not of a revision",
    { type: "tarball", url: "https://git.lan/a/b/archive/main.tar.gz" },
  ],
  [
    "an archive of another revision",
    { type: "tarball", url: `https://x.lan/a/b/archive/${other}.tar.gz`, rev: old },
  ],
  ["no revision", { type: "github", owner: "o", repo: "r" }],
  ["a password in the address", { type: "git", url: "https://kai:secret@git.lan/a.git", rev: old }],
  ["a token in the address", { type: "git", url: "https://token@git.lan/a.git", rev: old }],
  ["a protocol without protection", { type: "git", url: "http://git.lan/a.git", rev: old }],
  ["a program", { type: "git", url: "ext::sh -c id", rev: old }],
  ["an option for an owner", { type: "github", owner: "--upload-pack=x", repo: "r", rev: old }],
])("no history is read of: %s", (_name, locked) => {
  expect(historyOf(locked)).toBeUndefined();
});

test("whatever a lock says: git gets one of three protocols, and Nix a reference and not an option", () => {
  const text = fc.option(
    fc.oneof(fc.string(), fc.constantFrom("https://a.b/c", "ssh://-oProxyCommand=x/y")),
    {
      nil: undefined,
    },
  );
  const type = fc.constantFrom("github", "gitlab", "sourcehut", "git", "tarball", "path", "file");
  const keys = { owner: text, repo: text, url: text, host: text, dir: text, ref: text, path: text };
  fc.assert(
    fc.property(fc.record({ type, ...keys }), (parts) => {
      const history = historyOf({ ...parts, rev: old });
      const at = history?.at(other) ?? "github:";
      expect(history?.gitUrl ?? "https://").toMatch(/^(?:https|ssh|file):\/\//);
      expect(at).toMatch(/^(?:github:|gitlab:|sourcehut:|git\+|https:\/\/)/);
      // Nothing breaks out of the query or the line.
      expect(at).not.toMatch(/[\s#]/);
    }),
  );
});

const lockOf = (locked: FlakeReference, more: object = {}): FlakeLock => ({
  version: 7,
  root: "root",
  nodes: {
    root: { inputs: { lib: "lib_2" } },
    lib_2: { locked, original: { type: "github", owner: "o", repo: "r" }, ...more },
  },
});
const at = (rev: string, more: object = {}): FlakeReference => ({
  type: "github",
  owner: "o",
  repo: "r",
  rev,
  ...more,
});

test("the revision is taken over, and what the flake declares stays", () => {
  const made = lockOf(at(other, { narHash: "sha256-x" }), { original: { type: "github", rev: other } });
  expect(lockWithRevision(lockOf(at(old)), made, "lib", other)).toEqual(
    lockOf(at(other, { narHash: "sha256-x" })),
  );
});

test("of what is no flake only the state is taken over", () => {
  const made = lockOf(at(other), { original: { type: "github", rev: other } });
  const isNoFlake = { flake: false };
  expect(lockWithRevision(lockOf(at(old), isNoFlake), made, "lib", other)).toEqual(
    lockOf(at(other), isNoFlake),
  );
});

test.each([
  ["another revision", at(old)],
  ["another place", at(other, { owner: "else" })],
])("a lock of %s is refused", (_name, locked) => {
  expect(() => lockWithRevision(lockOf(at(old)), lockOf(locked), "lib", other)).toThrow(
    expect.objectContaining({ code: "FLAKE_LOCK_UNFIT" }),
  );
});
