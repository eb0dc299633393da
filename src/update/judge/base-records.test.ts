import { expect, test } from "vitest";
import { createFakeBuilds } from "../../../test/support/fake-builds.ts";
import { HomelabError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { recordedHosts } from "./base-records.ts";

const signal = AbortSignal.timeout(60_000);
const repo = parseRepoName("fleet");
const [base, other] = [parseCommit("a".repeat(40)), parseCommit("b".repeat(40))];
/** Of the second nothing is recorded, so all builds are looked at. */
const [web, unknown] = [parseHostName("web"), parseHostName("unknown")];

/** What is recorded of `web` at the base after these builds, the oldest first. */
async function recordedAfter(...builds: readonly (readonly [typeof base, HostVerdict])[]) {
  let verdict: HostVerdict = "built";
  const fake = createFakeBuilds(["web"], () => verdict);
  for (const [index, [commit, said]] of builds.entries()) {
    verdict = said;
    await fake.submit({ repo, host: "all" }, { id: newBuildId(new Date(index)), rev: commit }, signal);
  }
  const options = { builds: fake, log: silentLog };
  const found = await recordedHosts(options, { repo, commit: base }, [web, unknown], signal);
  return found.get("web")?.finished?.verdict;
}

test("the newest verdict counts, at exactly this commit", async () => {
  expect(await recordedAfter([base, "build-failed"], [base, "built"])).toBe("built");
  expect(await recordedAfter([base, "built"], [base, "build-failed"])).toBe("build-failed");
  expect(await recordedAfter([base, "built"], [other, "build-failed"])).toBe("built");
  expect(await recordedAfter([other, "built"])).toBeUndefined();
});

test("what the infrastructure failed says nothing", async () => {
  expect(await recordedAfter([base, "built"], [base, "infra-failed"])).toBe("built");
  expect(await recordedAfter([base, "infra-failed"])).toBeUndefined();
});

test("a build that has lost events hides no older one", async () => {
  const fake = createFakeBuilds(["web"], () => "built");
  const [older, newer] = [newBuildId(new Date(1)), newBuildId(new Date(2))];
  for (const id of [older, newer]) await fake.submit({ repo, host: "all" }, { id, rev: base }, signal);
  const builds = {
    ...fake,
    async readEvents(...[id, from, until]: Parameters<typeof fake.readEvents>) {
      if (id === newer)
        throw new HomelabError("unavailable", "events are gone", { code: "EVENTS_INCOMPLETE" });
      return fake.readEvents(id, from, until);
    },
  };
  const found = await recordedHosts({ builds, log: silentLog }, { repo, commit: base }, [web], signal);
  expect(found.get("web")?.finished?.verdict).toBe("built");
});
