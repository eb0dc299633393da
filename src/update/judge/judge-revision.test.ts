import { expect, test } from "vitest";
import { createFakeBuilds } from "../../../test/support/fake-builds.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseRepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { judgeRevision, type Judgement } from "./judge-revision.ts";

const [base, candidate] = [parseCommit("a".repeat(40)), parseCommit("b".repeat(40))];
const signal = AbortSignal.timeout(60_000);

/** The candidate breaks `web` and `new`; on the base `web` is as it is said. */
async function judge(inventory: Judgement["inventory"], webBefore: "built" | "build-failed" = "built") {
  const clock = createFakeClock();
  const builds = createFakeBuilds(["web", "db", "new"], (commit, host) =>
    commit === base ? webBefore : host === "db" ? "built" : "build-failed",
  );
  const judged = await judgeRevision(
    { builds, clock, log: silentLog },
    {
      repo: parseRepoName("fleet"),
      before: { commit: base },
      after: { commit: candidate },
      id: newBuildId(clock.now()),
      requestedBy: "update",
      inventory,
    },
    signal,
  );
  return { builds, classes: Object.fromEntries(judged.classes) };
}

test("the base is asked only about hosts that fail and that it has", async () => {
  const { builds, classes } = await judge(["web", "db"], "build-failed");
  expect(builds.requests.map(({ rev, hosts }) => [rev, hosts])).toEqual([
    [candidate, undefined],
    [base, ["web"]],
  ]);
  expect(classes).toEqual({ web: "pre-existing", db: "ok", new: "regression" });
});

test("a base that does not list its hosts is not built: all that fails was broken before", async () => {
  const { builds, classes } = await judge({ failure: "its flake does not evaluate" });
  expect(builds.requests).toHaveLength(1);
  expect(classes).toEqual({ web: "pre-existing", db: "fixed", new: "pre-existing" });
});
