import { expect, test } from "vitest";
import { showPassingLine } from "./passing-line.ts";

test.each([
  ["a terminal shows it and takes it away", true, ["Connecting to NATS", "\r\u001b[K"]],
  ["elsewhere there is nothing", false, []],
])("%s", (_, isTTY, expected) => {
  const written: string[] = [];
  {
    using _line = showPassingLine("Connecting to NATS", { isTTY, write: (text) => written.push(text) > 0 });
  }
  expect(written).toEqual(expected);
});
