import { expect, test } from "vitest";
import type { DeployEvent } from "../../protocol/deploy/deploy-events.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { decideUnpublished } from "./decide-unpublished.ts";

const anEvent = (index: number, text = `${index}`): DeployEvent => ({
  type: "warning",
  repo: parseRepoName("servers"),
  host: parseHostName("web1"),
  index,
  at: "2026-11-23T14:00:00.000Z",
  text,
});
const lines = (...indexes: readonly number[]) => indexes.map((index) => ({ event: anEvent(index) }));

test.each([
  ["nothing is stored yet", lines(0, 1), undefined, [0, 1]],
  ["all of it is stored", lines(0, 1), anEvent(1), []],
  ["the end is missing", lines(0, 1, 2, 3), anEvent(1), [2, 3]],
  ["the journal begins behind what is stored", lines(10, 11), anEvent(7), [10, 11]],
  ["the journal begins with what is stored last", lines(10, 11), anEvent(10), [11]],
  ["the journal was begun again, and is shorter", lines(0, 1), anEvent(40), [0, 1]],
  ["the journal was begun again, and has grown as long", lines(0, 1, 2), anEvent(1, "of before"), [0, 1, 2]],
  ["there is no journal", [], anEvent(1), []],
] as const)("where %s", (_, journal, stored, expected) => {
  expect(decideUnpublished(journal, stored).map(({ index }) => index)).toEqual(expected);
});
