import { expect, test } from "vitest";
import { refusalLine, refusalOf, secretsOfUrl } from "./refusal-line.ts";

test.each([
  ["", ""],
  ["go away", "go away"],
  ["\r\n  \n  first words \t of it\nsecond", "first words of it"],
  ["\u001b[31mred\u001b[0m\u0007 and \u202eback", "red and back"],
  ["x".repeat(300), `${"x".repeat(200)}…`],
  ["<html>\n<head><title>401 Authorization\nRequired</title></head>", "a web page, 401 Authorization"],
  ["<!DOCTYPE html><p>no", "a web page"],
])("of %j the line is %j", (text, line) => {
  expect(refusalLine(text, [])).toBe(line);
});

test("a secret that was sent does not come back, in any encoding, and not in part at the cut", () => {
  const secrets = secretsOfUrl("https://user01:pass%20word@chat.lan/hooks/T0KEN-PART?auth=query-secret");
  const said = "user01 pass word T0KEN-PART query-secret";
  const line = refusalLine(`no hook ${said} ${Buffer.from("T0KEN-PART").toString("base64")}`, secrets);
  for (const part of ["user01", "pass word", "T0KEN-PART", "query-secret", "VDBLRU4tUEFSV"])
    expect(line).not.toContain(part);
  expect(line).toContain("no hook");
  expect(refusalLine(`${"x".repeat(195)}T0KEN-PART`, secrets)).not.toContain("T0KEN");
});

test("reads a small part of an endless body, and what came of one that breaks off", async () => {
  const chunk = new TextEncoder().encode("over and over ");
  let pulled = 0;
  let isCancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => {
      pulled++;
      controller.enqueue(chunk);
    },
    cancel: () => void (isCancelled = true),
  });
  expect(await refusalOf(new Response(endless, { status: 400 }), [])).toMatch(/^400: over and over .*…$/);
  expect(isCancelled).toBe(true);
  expect(pulled).toBeLessThan(1000);

  const broken = new ReadableStream({
    start: (controller) => controller.enqueue(chunk),
    pull: (controller) => controller.error(new Error("reset")),
  });
  expect(await refusalOf(new Response(broken, { status: 502 }), [])).toBe("502: over and over");
  expect(await refusalOf(new Response(null, { status: 403 }), [])).toBe("403");
});
