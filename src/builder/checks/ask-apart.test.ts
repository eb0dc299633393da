import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { HomelabError } from "../../base/errors.ts";
import { askApart } from "./ask-apart.ts";

const never = new AbortController().signal;
const away = new HomelabError("unavailable", "the store is away");

/** A store that fails every question about one of these. */
function storeThatRefuses(...bad: readonly string[]) {
  const questions: (readonly string[])[] = [];
  const ask = async (items: readonly string[]): Promise<void> => {
    questions.push(items);
    const found = items.find((item) => bad.includes(item));
    if (found !== undefined) throw new HomelabError("unavailable", `${found} is not a path`);
  };
  return { questions, ask };
}

test("one question is enough where it is answered", async () => {
  const { questions, ask } = storeThatRefuses();
  expect(await askApart(["a", "b", "c"], ask, createFakeClock(), never)).toEqual([]);
  expect(questions).toEqual([["a", "b", "c"]]);
});

test("what the store cannot be asked about costs the others one more question", async () => {
  const { questions, ask } = storeThatRefuses("b");
  const failed = await askApart(["a", "b", "c"], ask, createFakeClock(), never);
  expect(failed).toMatchObject([{ items: ["b"], error: { message: "b is not a path" } }]);
  expect(questions).toEqual([["a", "b", "c"], ["a"], ["b"], ["c"]]);
});

test("an outage is one failure with one reason", async () => {
  const ask = async () => Promise.reject(away);
  const failed = await askApart(["a", "b", "c"], ask, createFakeClock(), never);
  expect(failed).toEqual([{ items: ["a", "b", "c"], error: away }]);
});

test("a single item is asked about once", async () => {
  const { questions, ask } = storeThatRefuses("a");
  expect(await askApart(["a"], ask, createFakeClock(), never)).toMatchObject([{ items: ["a"] }]);
  expect(questions).toHaveLength(1);
});

test("a store that does not answer in time is not waited for once for each", async () => {
  const clock = createFakeClock();
  let questions = 0;
  const ask = async (): Promise<void> => {
    questions++;
    await clock.sleep(120_000);
    throw away;
  };
  const asking = askApart(["a", "b", "c", "d"], ask, clock, never);
  await clock.advance(240_000);
  expect(await asking).toEqual([{ items: ["a", "b", "c", "d"], error: away }]);
  expect(questions).toBe(2);
});

test("a bug, and an abort, are not taken for a store that fails", async () => {
  const bug = new TypeError("x is undefined");
  await expect(askApart(["a", "b"], async () => Promise.reject(bug), createFakeClock(), never)).rejects.toBe(
    bug,
  );
  const stopped = new AbortController();
  stopped.abort(new Error("stopped"));
  const asked = askApart(["a", "b"], async () => Promise.reject(away), createFakeClock(), stopped.signal);
  await expect(asked).rejects.toThrow("stopped");
});
