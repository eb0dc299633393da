import { expect, test } from "vitest";
import { parsePushOutput } from "./push-result.ts";

const to = "To file:///srv/git/nixos.git";
const refs = "9c41e7f:refs/heads/master";

test.each([
  ["pushed", `${to}\n \t${refs}\t9c41e7f..aaaaaaa\nDone\n`, "", 0, { type: "pushed" }],
  ["up to date", `${to}\n=\t${refs}\t[up to date]\nDone\n`, "", 0, { type: "pushed" }],
  ["a new branch", `${to}\n*\t${refs}\t[new branch]\nDone\n`, "", 0, { type: "pushed" }],
  [
    "fetch first",
    `${to}\n!\t${refs}\t[rejected] (fetch first)\nDone\n`,
    "error: failed to push",
    1,
    { type: "moved" },
  ],
  ["the lease is lost", `${to}\n!\t${refs}\t[rejected] (stale info)\nDone\n`, "", 1, { type: "moved" }],
  [
    "two pushes at once",
    `${to}\n!\t${refs}\t[remote rejected] (failed to update ref)\nDone\n`,
    "",
    1,
    { type: "moved" },
  ],
  [
    "both in the same moment",
    `${to}\n!\t${refs}\t[remote rejected] (cannot lock ref 'refs/heads/master': is at a but expected b)\n`,
    "",
    1,
    { type: "moved" },
  ],
  [
    "a hook",
    `${to}\n!\t${refs}\t[remote rejected] (pre-receive hook declined)\nDone\n`,
    "remote: error:        \nremote: error: Not allowed to push to protected branch master        \nremote: error:        \nTo x",
    1,
    { type: "refused", reason: "Not allowed to push to protected branch master" },
  ],
  [
    "a hook that says nothing",
    `${to}\n!\t${refs}\t[remote rejected] (pre-receive hook declined)\n`,
    "",
    1,
    { type: "refused", reason: "(pre-receive hook declined)" },
  ],
  ["no answer", "", "fatal: unable to access", 128, { type: "unknown" }],
  ["killed", "", "", undefined, { type: "unknown" }],
  ["exit code 0 and no line", "", "", 0, { type: "unknown" }],
] as const)("%s", (_, stdout, stderr, exitCode, expected) => {
  expect(parsePushOutput(stdout, stderr, exitCode)).toEqual(expected);
});
