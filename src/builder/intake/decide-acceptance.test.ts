import { expect, test } from "vitest";
import { parseCommit, parseRepoName, type HostName } from "../../protocol/names.ts";
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
