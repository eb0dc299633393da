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

const server = { address: "nats.lan:4222", version: "2.12.1", monitoringUrl: undefined };

test("one that cannot be made durable is told so once, and not how to break it", async () => {
  const never: typeof fetch = async () => Promise.reject(new Error("not to be asked"));
  const finding = await checkNatsDurability(
    { ...server, version: "2.9.10" },
    never,
    new AbortController().signal,
  );
  expect(finding).toMatchObject({
    state: "warning",
    hint: expect.stringMatching(/^use nats-server 2\.10 or newer/),
  });
});

test("the pages that the configuration names are asked", async () => {
  const asked: string[] = [];
  const durable: typeof fetch = async (url) => {
    asked.push(new Request(url).url);
    return Response.json({ server_id: "S", jetstream: { config: { sync_always: true } } });
  };
  const named = { ...server, monitoringUrl: "https://nats.lan/monitoring/" };
  expect((await checkNatsDurability(named, durable, new AbortController().signal)).state).toBe("ok");
  expect(asked).toEqual(["https://nats.lan/monitoring/varz"]);
});

test("what refuses the monitoring pages is quoted", async () => {
  const refusing: typeof fetch = async () => new Response("ask the admin\n", { status: 403 });
  const finding = await checkNatsDurability(server, refusing, new AbortController().signal);
  expect(finding).toMatchObject({ state: "unknown", message: expect.stringContaining("403: ask the admin") });
});

test("without monitoring pages nothing is known", async () => {
  const asked: string[] = [];
  const away: typeof fetch = async (url) => {
    asked.push(new Request(url).url);
    return Promise.reject(new Error("refused"));
  };
  const finding = await checkNatsDurability(server, away, new AbortController().signal);
  expect(finding.state).toBe("unknown");
  expect(asked).toEqual(["http://nats.lan:8222/varz"]);
});
