import { expect, test } from "vitest";
import { workThrough } from "./work-through.ts";

const turn = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("no more than so many at a time, and in the end all of them", async () => {
  const done: number[] = [];
  let running = 0;
  let most = 0;
  await workThrough([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, ++running);
    await turn();
    running--;
    done.push(item);
  });
  expect(new Set(done)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7]));
  expect(most).toBe(3);
});

test("what is pushed meanwhile is done too, the last first", async () => {
  const done: string[] = [];
  const queue = ["b", "a"];
  await workThrough(queue, 1, async (item) => {
    done.push(item);
    if (item === "a") queue.push("a2", "a1");
    await turn();
  });
  expect(done).toEqual(["a", "a1", "a2", "b"]);
});

test("nothing to do is done", async () => {
  await workThrough([], 4, async () => expect.unreachable());
});

test("after the first failure nothing is started, also not what is pushed then", async () => {
  const started: string[] = [];
  const queue = ["c", "b", "a"];
  const late = Promise.withResolvers<void>();
  const working = workThrough(queue, 2, async (item) => {
    started.push(item);
    if (item === "a") throw new Error("a cannot be done");
    await late.promise;
    queue.push("d");
  });
  await expect(working).rejects.toThrow("a cannot be done");
  late.resolve();
  await turn();
  expect(started).toEqual(["a", "b"]);
});
