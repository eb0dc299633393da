import { expect, test } from "vitest";
import { hostRef, sampleCommit, scriptBuild, type BuildScript } from "../../../test/support/build-events.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMemoryBus } from "../../bus/memory-bus.ts";
import { branchNewsId, type BranchNews } from "../../protocol/branch-news.ts";
import { parseBuildId } from "../../protocol/names.ts";
import { hostResultsOf } from "../../protocol/results.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { createBranchNotices } from "./branch-notices.ts";
import { branchBuildsOf } from "./decide-news.ts";

const signal = AbortSignal.timeout(30_000);
const { repo } = hostRef("web01");

function ended(number: number, verdict: HostVerdict): BuildScript {
  return scriptBuild(parseBuildId(`01JDB3K2M4N5P6Q7R8S9T0${1000 + number}`))
    .wait(number * 1000)
    .accepted(["web01"], { sources: [{ repo, commit: sampleCommit, tip: true }], complete: true })
    .hostsFinished(verdict, ["web01"])
    .finished("failed");
}

/** Builders on one bus. */
function createLab() {
  const clock = createFakeClock();
  const { results } = createMemoryBus(clock);
  function createBuilder(dies: { before?: "put" } = {}) {
    const kept = new Map<string, BranchNews>();
    const outbox = {
      keep: async (news: BranchNews) => void kept.set(branchNewsId(news), news),
      drop: async (news: BranchNews) => void kept.delete(branchNewsId(news)),
      flush: async () => undefined,
    };
    const notices = createBranchNotices({
      results: {
        ...results,
        async putTold(told, place, until) {
          if (dies.before === "put") throw new Error("the machine went down");
          return results.putTold(told, place, until);
        },
      },
      outbox,
      clock,
      log: silentLog,
    });
    return {
      kept: () => [...kept.values()].map(({ failing, mended }) => [failing.count, mended.count]),
      async ends({ state }: BuildScript): Promise<void> {
        const rows = await Promise.all(hostResultsOf(state).map(async (row) => results.putHost(row, signal)));
        await notices.look(branchBuildsOf(state), rows, signal);
      },
    };
  }
  return { results, createBuilder };
}

test("of two builders that see the same change one tells it", async () => {
  const { createBuilder } = createLab();
  const [one, two] = [createBuilder(), createBuilder()];
  await one.ends(ended(1, "build-failed"));
  await two.ends(ended(2, "build-failed"));
  await two.ends(ended(3, "built"));
  await one.ends(ended(4, "unchanged"));
  expect([one.kept(), two.kept()]).toEqual([[[1, 0]], [[0, 1]]]);
});

test("two builders whose builds end at once tell it once", async () => {
  const { createBuilder } = createLab();
  const builders = Array.from({ length: 4 }, () => createBuilder());
  await builders[0]?.ends(ended(1, "built"));
  await Promise.all(builders.map(async (builder, index) => builder.ends(ended(2 + index, "build-failed"))));
  expect(builders.flatMap((builder) => builder.kept())).toEqual([[1, 0]]);
});

test("after a crash between the news and the row, the news are there", async () => {
  const { createBuilder } = createLab();
  const dying = createBuilder({ before: "put" });
  await expect(dying.ends(ended(1, "build-failed"))).rejects.toThrow("went down");
  expect(dying.kept()).toEqual([[1, 0]]);
});

test("after a crash before anything was kept, the next build tells it", async () => {
  const { results, createBuilder } = createLab();
  const builder = createBuilder();
  await builder.ends(ended(1, "built"));
  // Its row is restored, which is not news by itself.
  for (const row of hostResultsOf(ended(2, "build-failed").state)) await results.putHost(row, signal);
  await builder.ends(ended(3, "build-failed"));
  expect(builder.kept()).toEqual([[1, 0]]);
});

test("when all rows are lost, a failure that is known from before is not told again", async () => {
  const { results, createBuilder } = createLab();
  // Made again from event logs.
  for (const row of hostResultsOf(ended(1, "build-failed").state)) await results.putHost(row, signal);
  const builder = createBuilder();
  await builder.ends(ended(2, "build-failed"));
  expect(builder.kept()).toEqual([]);
  await builder.ends(ended(3, "built"));
  expect(builder.kept()).toEqual([[0, 1]]);
});
