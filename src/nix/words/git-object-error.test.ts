import { expect, test } from "vitest";
import { saysDamagedGitObjects } from "./git-object-error.ts";
import { looksLikeInfrastructure } from "./infrastructure-error.ts";

// As Nix 2.8, 2.26 and 2.34 say it of a clone whose objects are empty files.
const damaged: readonly (readonly [error: string, lines: readonly string[]])[] = [
  [
    "getting parent of Git commit 'f4fa5a0f23a204a6ee1c7072ecb0e70d28a94a3e': failed to parse loose object: invalid header",
    [],
  ],
  [
    "getting Git object '0c5855c6060c7a70b4243e6e30d37e83e0fbad18': failed to parse loose object: invalid header (libgit2 error code = 11)",
    [],
  ],
  ["Failed to fetch git repository 'file:///mirrors/fleet.git'", ["fatal: unpack-objects failed"]],
  [
    "program 'git' failed with exit code 128",
    [
      "error: object file /cache/nix/gitv3/x/objects/1d/84baba is empty",
      "fatal: loose object 1d84baba (stored in /cache/x) is corrupt",
    ],
  ],
  [
    "Failed to open archive (Source threw exception: error: program 'git' failed with exit code 128)",
    ["fatal: not a tree object: 1d84baba0edb25c88dc5fe894ab65fc73c5451a6"],
  ],
];
test.each(damaged)("damage, and the infrastructure's: %s", (error, lines) => {
  expect(saysDamagedGitObjects(error, lines)).toBe(true);
  expect(looksLikeInfrastructure(error)).toBe(true);
});

test.each([
  [
    "program 'git' failed with exit code 128",
    ["fatal: unable to access 'https://git.lan/x': Could not resolve host: git.lan"],
  ],
  [
    "Failed to fetch git repository 'https://git.lan/x'",
    ["fatal: Authentication failed for 'https://git.lan/x'"],
  ],
  ["unable to download 'https://x/y': invalid header", []],
  ["attribute 'x' missing", []],
] as const)("no damage: %s", (error, lines) => expect(saysDamagedGitObjects(error, lines)).toBe(false));
