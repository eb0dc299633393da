import * as v from "valibot";
import { expect, test } from "vitest";
import { parseCommit, parseRepoName, type HostName } from "../../protocol/names.ts";
import { HostSelectors } from "../../protocol/host-selectors.ts";
import { decideAcceptance, type Inventory } from "./decide-acceptance.ts";

const repo = parseRepoName("servers");
const inventories: Inventory[] = [
  { source: { repo, commit: parseCommit("a".repeat(40)) }, names: ["web", "old-test"] },
];
const excluded = (_: string, host: string): string | undefined =>
  host === "old-test" ? "excluded" : undefined;
const web = "web" as HostName;

test("who asks for all hosts gets all of them, and the build says that these are all", () => {
  expect(decideAcceptance({ repo, host: "all" }, {}, inventories, excluded)).toMatchObject({
    type: "accept",
    hosts: [{ repo, host: web }],
    skipped: [{ host: "old-test" }],
    complete: true,
  });
});

test.each([
  ["in the subject", { repo, host: web }, {}],
  ["in the request", { repo, host: "all" as const }, { hosts: [web] }],
])("who names hosts %s gets no build of all, even when there are no others", (_, target, request) => {
  const one = inventories.map((inventory) => ({ ...inventory, names: ["web"] }));
  const acceptance = decideAcceptance(target, request, one, excluded);
  expect(acceptance).toMatchObject({ type: "accept", hosts: [{ repo, host: web }] });
  expect(acceptance).not.toHaveProperty("complete");
});

test("repos that cannot be read keep no host of the others from being built, and are not forgotten", () => {
  const unresolved = [{ repo: parseRepoName("laptops"), reason: "no answer" }];
  const decide = (host: HostName | "all") =>
    decideAcceptance({ repo: "any", host }, {}, inventories, excluded, unresolved);
  for (const host of ["all", web] as const) {
    expect(decide(host)).toMatchObject({ type: "accept", hosts: [{ repo, host: web }], unresolved });
    expect(decide(host)).not.toHaveProperty("complete");
  }
  // It may be one of theirs.
  expect(decide("laptop1" as HostName)).toEqual({ type: "unknown" });
  expect(decideAcceptance({ repo: "any", host: "all" }, {}, [], excluded, unresolved)).toEqual({
    type: "unknown",
  });
});

const fleet: Inventory[] = [
  {
    source: { repo, commit: parseCommit("a".repeat(40)) },
    names: ["web01", "web02", "web03", "old-test", "bad name"],
  },
  { source: { repo: parseRepoName("laptops"), commit: parseCommit("b".repeat(40)) }, names: ["web01", "x1"] },
];
const selector = (...hosts: string[]) =>
  decideAcceptance({ repo: "any", host: "all" }, { hosts: v.parse(HostSelectors, hosts) }, fleet, excluded);

test("a glob is about every repo, and what is left out is not built", () => {
  expect(selector("web*", "!web03")).toEqual({
    type: "accept",
    sources: fleet.map(({ source }) => source),
    hosts: [
      { repo: "servers", host: "web01" },
      { repo: "servers", host: "web02" },
      { repo: "laptops", host: "web01" },
    ],
    skipped: [],
  });
});

test("only exclusions are about all others, and what the configuration leaves out is said", () => {
  expect(selector("!web*")).toMatchObject({
    type: "accept",
    hosts: [{ repo: "laptops", host: "x1" }],
    skipped: [{ host: "old-test", reason: "excluded" }, { host: "bad name" }],
  });
});

test.each([
  [["mail*"], "UNKNOWN_HOST", /no host matches mail\*/],
  [["web*", "!web9"], "UNKNOWN_HOST", /no host web9/],
  [["x1", "!x*"], "NO_HOSTS", /leaves every host out/],
  [["web01", "x*"], "AMBIGUOUS_HOST", /both have a host web01/],
])("%j is refused: %s", (hosts, code, message) => {
  expect(selector(...hosts)).toMatchObject({
    type: "reject",
    code,
    message: expect.stringMatching(message) as string,
  });
});
