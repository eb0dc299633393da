import * as v from "valibot";
import { expect, test } from "vitest";
import { UpdateEvent } from "../protocol/update-events.ts";
import { createWebhookTeller } from "./webhook.ts";

test.each(["", "not an address", "file:///etc/passwd"])("an address that is none is said: %j", (url) => {
  expect(() => createWebhookTeller(url, fetch)).toThrow("no address");
});

test("an answer without success names the host, and nothing else of the address", async () => {
  const refusing = async (): Promise<Response> => new Response("no", { status: 403 });
  const tell = createWebhookTeller("https://chat.example.org/hooks/secret-part", refusing);
  const event = {
    repo: "fleet",
    run: "1",
    outcome: "landed",
    at: "2026-01-01T00:00:00Z",
    inputs: [],
    hosts: {},
  };
  await expect(tell(v.parse(UpdateEvent, event), AbortSignal.timeout(1000))).rejects.toThrow(
    "the webhook at chat.example.org answered 403",
  );
});
