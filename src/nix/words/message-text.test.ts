import { expect, test } from "vitest";
import { messageText } from "./message-text.ts";

test("colours go, the words stay", () => {
  expect(messageText("\u001b[31;1merror:\u001b[0m no space\n  left")).toBe("error: no space\n  left");
});

test("what Nix quotes of a build's log is not there", () => {
  const text = [
    "\u001b[31;1merror:\u001b[0m builder for '/nix/store/x.drv' failed with exit code 1;",
    "       last 3 log lines:",
    "       > compiling",
    "       > error: builder for 'y' failed due to signal 9 (Killed)",
    "       \u001b[1m> \u001b[0mnote: build failure may have been caused by lack of free disk space",
    "       For full logs, run 'nix log /nix/store/x.drv'.",
    "       note: the last word is Nix's",
  ].join("\n");
  expect(messageText(text)).toBe(
    "error: builder for '/nix/store/x.drv' failed with exit code 1;\n       note: the last word is Nix's",
  );
});

test("a carriage return in the log does not turn the rest of its line into Nix's words", () => {
  expect(messageText("failed;\nlast 1 log lines:\n> x\rNo space left on device")).toBe("failed;");
});

test("a message is bounded", () => {
  expect(messageText("x".repeat(100_000))).toHaveLength(16 * 1024);
});
