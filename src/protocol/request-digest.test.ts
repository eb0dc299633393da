import { expect, test } from "vitest";
import { parseBranchName, parseCommit, parseHostName, parseRepoName } from "./names.ts";
import { requestDigest } from "./request-digest.ts";
import type { BuildRequest } from "./request.ts";

const target = { repo: parseRepoName("nixos"), host: "all" } as const;
const [web, db] = [parseHostName("web"), parseHostName("db")];
const plain = requestDigest(target, {});

test("who asks, why and how urgently is not what a request is about", () => {
  const request: BuildRequest = { priority: "batch", trigger: "ci", requestedBy: "kai", expiresAfter: 60 };
  expect(requestDigest(target, request)).toBe(plain);
});

test("the order in which hosts are named does not matter", () => {
  expect(requestDigest(target, { hosts: [web, db] })).toBe(requestDigest(target, { hosts: [db, web] }));
});

test.each<[string, Parameters<typeof requestDigest>]>([
  ["another repo", [{ repo: parseRepoName("nixos-servers"), host: "all" }, {}]],
  ["any repo", [{ repo: "any", host: "all" }, {}]],
  ["one host", [{ repo: target.repo, host: web }, {}]],
  ["some hosts", [target, { hosts: [web] }]],
  ["a branch", [target, { branch: parseBranchName("next") }]],
  ["a commit", [target, { rev: parseCommit("a".repeat(40)) }]],
])("%s is another request", (_, request) => {
  expect(requestDigest(...request)).not.toBe(plain);
});
