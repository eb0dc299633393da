import { expect, test } from "vitest";
import { coalesce } from "./coalesce.ts";

const never = new AbortController().signal;

/** Work whose runs end when the test says so. */
function controlledWork() {
  const runs: { readonly finish: (value: string) => void; readonly signal: AbortSignal }[] = [];
  const work = (signal: AbortSignal): Promise<string> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    runs.push({ finish: resolve, signal });
    return promise;
  };
  return { runs, ask: coalesce(work) };
}

test("those who ask before it begins share one run", async () => {
  const { runs, ask } = controlledWork();
  const answers = Promise.all([ask(never), ask(never), ask(never)]);
  await expect.poll(() => runs.length).toBe(1);
  runs[0]?.finish("a");
  expect(await answers).toEqual(["a", "a", "a"]);
  expect(runs).toHaveLength(1);
});

test("those who ask during a run get the next one, which is newer than their question", async () => {
  const { runs, ask } = controlledWork();
  const first = ask(never);
  await expect.poll(() => runs.length).toBe(1);
  const later = Promise.all([ask(never), ask(never)]);
  runs[0]?.finish("old");
  expect(await first).toBe("old");
  await expect.poll(() => runs.length).toBe(2);
  runs[1]?.finish("new");
  expect(await later).toEqual(["new", "new"]);
});

test("one caller who goes leaves the run to the others", async () => {
  const { runs, ask } = controlledWork();
  const impatient = new AbortController();
  const left = ask(impatient.signal);
  const stays = ask(never);
  await expect.poll(() => runs.length).toBe(1);
  impatient.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  expect(runs[0]?.signal.aborted).toBe(false);
  runs[0]?.finish("a");
  expect(await stays).toBe("a");
});

test("the run is aborted when the last caller goes, and the next question restarts", async () => {
  const { runs, ask } = controlledWork();
  const impatient = new AbortController();
  const left = ask(impatient.signal);
  await expect.poll(() => runs.length).toBe(1);
  impatient.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  expect(runs[0]?.signal.aborted).toBe(true);
  const next = ask(never);
  await expect.poll(() => runs.length).toBe(2);
  runs[1]?.finish("b");
  expect(await next).toBe("b");
});

test("a run that fails fails for its callers only", async () => {
  let runs = 0;
  const ask = coalesce(async () => {
    runs++;
    await Promise.resolve();
    if (runs === 1) throw new Error("broken");
    return runs;
  });
  const [one, two] = await Promise.allSettled([ask(never), ask(never)]);
  expect([one.status, two.status]).toEqual(["rejected", "rejected"]);
  expect(await ask(never)).toBe(2);
});
