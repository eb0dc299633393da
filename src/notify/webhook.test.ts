import { expect, test } from "vitest";
import { createNtfy } from "./ntfy.ts";
import { createWebhook } from "./webhook.ts";

const signal = AbortSignal.timeout(30_000);

test.each(["", "not an address", "file:///etc/passwd"])("an address that is none is said: %j", (url) => {
  expect(() => createWebhook(url, fetch)).toThrow("does not contain a URL");
});

test("an address with a user is refused, and its password is not quoted", () => {
  const create = () => createWebhook("https://kai:hunter22@chat.lan/x", fetch);
  expect(create).toThrow("the address of the webhook at chat.lan has a user or a password");
});

test("an answer without success names the host, and nothing else of the address or of the token", async () => {
  const refusing = async (): Promise<Response> =>
    new Response("no hook\u0007 secret-part tk_verysecrettoken\nhere", { status: 403 });
  const post = createWebhook("https://chat.example.org/hooks/secret-part", refusing);
  await expect(post({ text: "x", event: {} }, signal)).rejects.toThrow(
    /^the webhook at chat\.example\.org answered 403: no hook \S*redacted\S* tk_verysecrettoken$/,
  );
  const publish = createNtfy("https://ntfy.example.org/secret-part", "tk_verysecrettoken", refusing);
  await expect(publish({ title: "x", text: "y", tag: "x", priority: "high" }, signal)).rejects.toThrow(
    /^ntfy at ntfy\.example\.org answered 403: no hook \S*redacted\S* \S*redacted\S*$/,
  );
});
