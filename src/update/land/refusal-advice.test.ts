import { expect, test } from "vitest";
import { parseBranchName } from "../../protocol/names.ts";
import { adviceFor, type Refusal } from "./refusal-advice.ts";

const branch = parseBranchName("master");
const facts = { isProtected: true, requiredStatuses: [], requiredApprovals: 0 };
const refusal = (words: string, more: Partial<Refusal> = {}): Refusal => {
  return { way: "push", branch, user: "update-bot", words, facts, ...more };
};

test.each<[string, Partial<Refusal>, string]>([
  ["Not allowed to push to protected branch master", {}, "allow update-bot to push in the protection rule"],
  ["Not allowed to push to protected branch master", {}, 'or set "landing": "pull-request"'],
  [
    "PushRejected with remote message: Not allowed to push to protected branch master",
    { way: "pull-request" },
    "allow update-bot to merge",
  ],
  ["Not allowed to push to protected branch master", { user: undefined }, "allow the update's user to push"],
  ["branch master is protected from unverified commit 1234", {}, "turn off signed commits"],
  ["wont sign: nokey", { way: "pull-request" }, "turn off signed commits"],
  ["Internal Server Error (no message for end users)", {}, "the forge's log"],
  ["branch master is protected from changing file flake.lock", {}, "remove flake.lock from"],
  ["Changed protected files", { way: "pull-request" }, "remove flake.lock from"],
  ["User not allowed to merge PR", { way: "pull-request" }, "allow update-bot to merge"],
  [
    "Does not have enough approvals",
    { way: "pull-request", facts: { ...facts, requiredApprovals: 2 } },
    "requires 2 approvals",
  ],
  [
    "Does not have enough approvals",
    { way: "pull-request", facts: { ...facts, requiredApprovals: 1 } },
    "requires 1 approval by people",
  ],
  [
    "Does not have enough approvals",
    { way: "pull-request", facts: undefined },
    "requires approvals by people",
  ],
  [
    "Not all required status checks successful",
    { way: "pull-request", facts: { ...facts, requiredStatuses: ["ci/build", "homelab-deploy/update"] } },
    "requires the commit statuses ci/build, and an update sets only homelab-deploy/update",
  ],
  [
    "Not all required status checks successful",
    { way: "pull-request", facts: undefined },
    "other commit statuses",
  ],
  ["There are requested changes", { way: "pull-request" }, "reviewers requested changes"],
  [
    "fast-forward-only is not allowed an allowed merge style for this repository",
    { way: "pull-request" },
    "allow fast-forward-only merges",
  ],
])("%s: what to do is said", (words, more, expected) => {
  expect(adviceFor(refusal(words, more))).toContain(expected);
});

test("words of an own hook speak for themselves", () => {
  expect(adviceFor(refusal("no deployments on a Friday"))).toBeUndefined();
});
