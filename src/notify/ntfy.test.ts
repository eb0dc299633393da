import { expect, test } from "vitest";
import { createNtfy } from "./ntfy.ts";

const signal = AbortSignal.timeout(30_000);

/** The body that ntfy gets for this text. */
async function publish(text: string): Promise<string> {
  const bodies: string[] = [];
  const take: typeof fetch = async (input, init) => {
    bodies.push(await new Request(input, init).text());
    return new Response("{}");
  };
  const tell = createNtfy("https://ntfy.lan/builds", undefined, take);
  await tell({ title: "x", text, tag: "x", priority: "high" }, signal);
  return bodies.join();
}

test("a text that ntfy takes for a message is sent as it is", async () => {
  const text = "a".repeat(4095);
  expect(await publish(text)).toBe(text);
});

test.each(["a", "é", "…", "😀"])(
  "a text of 5000 times %s stays a message, and whole characters",
  async (character) => {
    const sent = await publish(character.repeat(5000));
    expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(4095);
    expect(Buffer.byteLength(sent)).toBeGreaterThan(4085);
    expect(sent).toMatch(new RegExp(`^(?:${character})+…$`, "u"));
  },
);
