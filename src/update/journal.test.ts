import { expect, test } from "vitest";
import { parseJournal } from "./journal.ts";

test("nothing behind a damaged line of the journal counts", () => {
  const good = JSON.stringify({ step: "ended", outcome: "landed" });
  expect(parseJournal(`${good}\n{"step":"land`)).toEqual([{ step: "ended", outcome: "landed" }]);
  expect(parseJournal(`${good}\nnonsense\n${good}\n`)).toHaveLength(1);
  expect(parseJournal("")).toEqual([]);
});
