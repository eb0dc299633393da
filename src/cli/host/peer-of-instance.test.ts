import { expect, test } from "vitest";
import { peerOfInstance } from "./peer-of-instance.ts";

test.each([
  ["0-5612-0", 5612],
  ["18446744073709551615-1-4294967294", 1],
  // systemd 257 and later: the socket's cookie, and the inode of the pidfd.
  ["12-88211-5612-990", 5612],
  ["12-88211-5612_4711-990", 5612],
])("%s is process %i", (text, pid) => {
  expect(peerOfInstance(text)).toBe(pid);
});

test.each([
  "",
  "7-unknown",
  "5612",
  "1-5612",
  "1-0-990",
  "1--5612-990",
  "1-5612-990 ",
  "1-2-3-4-5",
  "a-5612-0",
  "1-5612_-990",
])("%j is nobody", (text) => {
  expect(() => peerOfInstance(text)).toThrow(/does not identify the other end/);
});
