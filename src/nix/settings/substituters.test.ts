import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { AskSubstituter } from "./ask-substituter.ts";
import { createSubstituterProber } from "./substituters.ts";

const signal = new AbortController().signal;

/** Time stands, but for waits, which are over at once. */
function createTime(): Clock & { now: () => Date; advance(ms: number): void } {
  let at = 0;
  return {
    ...systemClock,
    monotonic: () => at,
    sleep: async () => Promise.resolve(),
    advance: (ms) => void (at += ms),
  };
}

/** Each substituter answers what its list says, in turn; then it is up. */
function answering(lists: Readonly<Record<string, (string | undefined)[]>>): {
  readonly ask: AskSubstituter;
  readonly asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    ask: async (url) => {
      asked.push(url);
      return lists[url]?.shift();
    },
  };
}

const prober = (substituters: readonly string[], ask: AskSubstituter, clock: Clock = createTime()) =>
  createSubstituterProber({ substituters, ask, clock });

test("leaves Nix its own setting when all answer", async () => {
  const { ask } = answering({});
  const urls = ["https://cache", "file:///cache", "ssh-ng://other", "s3://bucket"];
  expect(await prober(urls, ask)(signal)).toEqual({ use: undefined, dead: [] });
  expect(await prober([], ask)(signal)).toEqual({ use: undefined, dead: [] });
});

test("one fault is not believed", async () => {
  const { ask, asked } = answering({ "http://a": ["HTTP error 503"] });
  expect(await prober(["http://a"], ask)(signal)).toEqual({ use: undefined, dead: [] });
  expect(asked).toEqual(["http://a", "http://a"]);
});

test("says which do not answer, and keeps the order of the others", async () => {
  const { ask } = answering({
    "http://b": ["HTTP error 500", "HTTP error 502"],
    "http://d": ["x", "refused"],
  });
  expect(await prober(["http://a?priority=3", "http://b", "http://c", "http://d"], ask)(signal)).toEqual({
    use: ["http://a?priority=3", "http://c"],
    dead: [
      { url: "http://b", reason: "HTTP error 502" },
      { url: "http://d", reason: "refused" },
    ],
  });
});

test("remembers the answers for a minute, and asks what was down only once then", async () => {
  const clock = createTime();
  const { ask, asked } = answering({ "http://a": ["down", "down", "down"] });
  const probe = prober(["http://a"], ask, clock);
  const down = { use: [], dead: [{ url: "http://a", reason: "down" }] };
  expect(await probe(signal)).toEqual(down);
  expect(await probe(signal)).toEqual(down);
  expect(asked).toHaveLength(2);
  clock.advance(60_000);
  expect(await probe(signal)).toEqual(down);
  expect(asked).toHaveLength(3);
  clock.advance(60_000);
  expect(await probe(signal)).toEqual({ use: undefined, dead: [] });
});

test("what is aborted is not remembered", async () => {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const probe = prober(["http://a"], async (_, { aborted }) => {
    if (aborted) throw new Error("not reached");
    await promise;
    controller.signal.throwIfAborted();
    return undefined;
  });
  const outcome = probe(controller.signal);
  controller.abort(new Error("enough"));
  resolve(undefined);
  await expect(outcome).rejects.toThrow("enough");
  await expect(probe(controller.signal)).rejects.toThrow("enough");
  expect(await prober(["http://a"], async () => undefined)(signal)).toEqual({ use: undefined, dead: [] });
});

test("never shows a password", async () => {
  const urls = ["http://user:secret@127.0.0.1:1/cache?token=secret", "http://user:secret@:/"];
  const { dead } = await prober(urls, async () => "down")(signal);
  expect(JSON.stringify(dead)).not.toContain("secret");
  expect(dead).toHaveLength(2);
});
