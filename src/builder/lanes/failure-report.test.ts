import { expect, test } from "vitest";
import { storePath } from "../../../test/support/build-events.ts";
import { createFakeNix, fakeDrv, fakeOut } from "../../../test/support/fake-nix.ts";
import type { DerivationFailure, EventBody } from "../../protocol/events.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { workKey, type ReadyWork, type RunningBuild } from "../work.ts";
import { reportKnownFailures } from "./failure-report.ts";

const repo = parseRepoName("homelab");
const commit = parseCommit("a".repeat(40));
const host = parseHostName("web");
const broken = storePath("openssl-3.0.drv");

/** A build that knows about failures of `openssl` of these kinds. */
function buildWith(...kinds: readonly DerivationFailure["kind"][]) {
  const said: EventBody[] = [];
  const failures = kinds.map((kind, number) => {
    const drvPath = number === 0 ? broken : storePath(`other-${number}.drv`);
    return { drvPath, name: "openssl-3.0", kind, reason: "why", tail: [], hosts: [] };
  });
  const build = {
    failures: new Map(failures.map((failure) => [failure.drvPath, failure])),
    record: { emit: (body: EventBody) => void said.push(body) },
  } as object as RunningBuild;
  return { build, said };
}

/** What is decided about a host that needs it, in these builds. */
async function decide(...builds: readonly RunningBuild[]) {
  const work: ReadyWork = {
    key: workKey(repo, { commit }, host),
    repo,
    commit,
    host,
    order: 0,
    watchers: new Set(builds),
    stage: "building",
    evaluation: { drvPath: fakeDrv(host), outPath: fakeOut(host), system: "x86_64-linux", warnings: [] },
    remembered: false,
    goesFirst: false,
    outcome: undefined,
    attempt: 1,
    interruptions: 0,
    reevaluated: false,
  };
  const nix = { ...createFakeNix(new Map()), unbuilt: async () => new Set([fakeDrv(host), broken]) };
  return (await reportKnownFailures(nix, [work])).get(work);
}

test.each([
  ["failed", "build-failed"],
  ["timed-out", "timed-out"],
] as const)("a host that needs what %s before is %s, and named in its failure", async (kind, verdict) => {
  const { build, said } = buildWith(kind);
  expect(await decide(build)).toEqual({ type: "verdict", verdict, reason: "openssl-3.0: why" });
  expect(said).toMatchObject([{ type: "derivation-failed", drvPath: broken, hosts: [{ repo, host }] }]);
});

test("what only the infrastructure failed is built again", async () => {
  const { build, said } = buildWith("infra");
  expect(await decide(build)).toBeUndefined();
  expect(said).toEqual([]);
});

test("a host is built for a build that does not know of the failure", async () => {
  const [one, other] = [buildWith("failed"), buildWith("infra", "failed")];
  expect(await decide(one.build, other.build)).toBeUndefined();
  expect([...one.said, ...other.said]).toEqual([]);
});
