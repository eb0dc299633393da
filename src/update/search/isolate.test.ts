import { expect, test } from "vitest";
import { createFakeBuilds } from "../../../test/support/fake-builds.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseHostName, parseRepoName, type Commit } from "../../protocol/names.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { isolateInputs } from "./isolate.ts";

const signal = AbortSignal.timeout(60_000);
const web = parseHostName("web");
const inputs = ["alpha", "beta"];

/** What is found when `web` comes to these verdicts with each part; it is not there where there is none. */
async function isolate(verdicts: Readonly<Record<string, HostVerdict>>, milliseconds = 60_000) {
  const clock = createFakeClock();
  const parts = new Map<Commit, string>();
  const builds = createFakeBuilds([web], (commit) => verdicts[parts.get(commit) ?? ""] ?? "built");
  const found = await isolateInputs(
    {
      builds,
      clock,
      log: silentLog,
      repo: parseRepoName("fleet"),
      revisionOf: (commit) => ({ commit }),
      inventory: async (commit) => (verdicts[parts.get(commit) ?? ""] === undefined ? [] : [web]),
      async offer(part) {
        const commit = parseCommit((parts.size + 1).toString(16).padStart(40, "0"));
        parts.set(commit, part.join("+"));
        return commit;
      },
      budget: { parts: 20, deadline: clock.monotonic() + milliseconds },
    },
    inputs,
    [web],
    signal,
  );
  return { ...found, asked: builds.requests.length };
}

test("the input without which the hosts build is guilty", async () => {
  expect(await isolate({ alpha: "built", beta: "build-failed" })).toMatchObject({
    landable: ["alpha"],
    guilty: ["beta"],
    incomplete: false,
  });
});

test("an input that takes the host away is guilty", async () => {
  expect(await isolate({ alpha: "built" })).toMatchObject({ guilty: ["beta"], incomplete: false });
});

test("a part that the infrastructure failed accuses nobody", async () => {
  expect(await isolate({ alpha: "infra-failed", beta: "infra-failed" })).toMatchObject({
    landable: [],
    guilty: [],
    incomplete: true,
  });
});

test("when the time is over nothing is built any more", async () => {
  expect(await isolate({ alpha: "built", beta: "built" }, -1)).toMatchObject({
    asked: 0,
    guilty: [],
    incomplete: true,
  });
});
