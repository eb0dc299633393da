import { expect, test } from "vitest";
import { waitingReason } from "./waiting-reason.ts";

const hash = "frr5ylk3b6kq4ywk685pas9y94fivisv";

test.each([
  [
    `waiting for lock on '/nix/store/${hash}-linux-6.6.1'`,
    "waiting for the lock on linux-6.6.1: another Nix process builds it",
  ],
  [
    `waiting for lock on '/nix/store/${hash}-glib', '/nix/store/${hash}-glib-dev'`,
    "waiting for the lock on glib, glib-dev: another Nix process builds it",
  ],
  [`waiting for a machine to build '/nix/store/${hash}-linux.drv'`, "waiting for a machine to build linux"],
  ["waiting for something new", "waiting for something new"],
])("%j is %j", (text, reason) => {
  expect(waitingReason(text)).toBe(reason);
});
