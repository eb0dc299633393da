import { expect, test } from "vitest";
import { checkNatsDurability, judgeVarz } from "./check-nats-durability.ts";

test.each([
  [
    "always",
    { server_id: "S", jetstream: { config: { sync_always: true, sync_interval: 120_000_000_000 } } },
    "ok",
  ],
  ["two minutes", { server_id: "S", jetstream: { config: { sync_interval: 120_000_000_000 } } }, "wrong"],
  ["not said, as by old servers", { server_id: "S", jetstream: { config: {} } }, "wrong"],
  ["no JetStream", { server_id: "S", jetstream: {} }, "wrong"],
  ["something else", [], "unknown"],
])("%s", (_, varz, state) => {
  expect(judgeVarz(varz).state).toBe(state);
});

test("what refuses the monitoring pages is quoted", async () => {
  const refusing: typeof fetch = async () => new Response("ask the admin\n", { status: 403 });
  const finding = await checkNatsDurability("nats.lan:4222", refusing, new AbortController().signal);
  expect(finding).toMatchObject({ state: "unknown", message: expect.stringContaining("403: ask the admin") });
});

test("without monitoring pages nothing is known", async () => {
  const asked: string[] = [];
  const away: typeof fetch = async (url) => {
    asked.push(new Request(url).url);
    return Promise.reject(new Error("refused"));
  };
  const finding = await checkNatsDurability("nats.lan:4222", away, new AbortController().signal);
  expect(finding.state).toBe("unknown");
  expect(asked).toEqual(["http://nats.lan:8222/varz"]);
});
